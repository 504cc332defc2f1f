"""Kernels of wireless powered MEC: the allocation behind a decision, as one scalar equation.

For a given decision the allocation is convex (DROO, problem P2) and comes down to one scalar
equation in the multiplier v of the time constraint `a + sum tau <= 1`. Write t_j = ln(1 + SNR_j)
of an offloading device, which depends on the device through its weight alone. With

    s_j = mu P h_j^2 / N0,   eps = B / (v_u ln 2),   c_i = w_i (mu P)^(1/3) / phi (h_i / k)^(1/3):

    t + e^-t - 1 = v / (w eps)                           (the best tau_j, given v)
    p = sum_j s_j / (e^t_j - 1) = (1 - a) / a            (all the time is used)
    v = a^(-2/3) / 3 sum_local c_i + eps sum_j w_j s_j e^-t_j          (the best a, given v)

Newton's method solves all of them at once: a step moves v and, with it, the t of each weight class.
Let v_c be the v that the t of class c belongs to, and V the right-hand side of the last line. V
falls as any t grows, so the root lies between the least and the largest of V and all v_c: that is
a bracket, which every step narrows, and in the end the bound on the error of v.
"""

import math
from typing import NamedTuple

import numpy as np

from droo_core.arrays import Floats
from env.common.lambert import log_snr
from env.wpmec.kernels import kernel

TOLERANCE = 1e-9  # of v, relative; the error of the value is of the order of its square
MAX_ITERATIONS = 200  # 3 to 6 are needed; bisection alone would take about 60


@kernel
def decay(t: float) -> tuple[float, float, float]:
    """Return e^-t, 1 - e^-t and t + e^-t - 1, all to the last digits."""
    if t < 1.0:
        q = -math.expm1(-t)
        e = 1.0 - q
    else:
        e = math.exp(-t)
        q = 1.0 - e
    if t < 1e-2:  # the power series, where t - q would cancel
        return e, q, t * t * (0.5 - t * (1 / 6 - t * (1 / 24 - t * (1 / 120 - t / 720))))
    return e, q, t - q


class ClassSums(NamedTuple):
    """Sums over the weight classes, from the t of each.

    Attributes:
        p: sum of s / SNR.
        dp: -dp/dv.
        p_behind: sum of the terms of p, each times v_c - v.
        dp_behind: sum of the terms of dp, each times v_c - v.
        offload: eps sum of w s e^-t, the last sum of V.
        earned: value of offloading, over a.
        least: the least v_c.
        largest: the largest v_c.
    """

    p: float
    dp: float
    p_behind: float
    dp_behind: float
    offload: float
    earned: float
    least: float
    largest: float


@kernel
def sum_over_classes(
    v: float, snr: Floats, weights: Floats, eps: float, classes: Floats
) -> ClassSums:
    """Return the sums; fills in the last two rows of `classes`, the argument of `solve`."""
    log_snrs, complements, prices = classes
    p, dp, p_behind, dp_behind, offload, earned = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    least, largest = math.inf, 0.0
    for c in range(len(snr)):
        if snr[c] != 0.0:
            scale = weights[c] * eps
            e, q, u = decay(log_snrs[c])
            complements[c], prices[c] = q, u * scale
            inverse = 1.0 / q
            share = snr[c] * e * inverse
            slope = share * inverse * inverse / scale
            p += share
            dp += slope
            p_behind += share * (prices[c] - v)
            dp_behind += slope * (prices[c] - v)
            offload += scale * snr[c] * e
            earned += scale * share * log_snrs[c]
            least, largest = min(least, prices[c]), max(largest, prices[c])
    return ClassSums(p, dp, p_behind, dp_behind, offload, earned, least, largest)


@kernel
def move_classes(v: float, snr: Floats, weights: Floats, eps: float, classes: Floats) -> None:
    """Move the t of all classes to a new v."""
    log_snrs, complements, prices = classes
    for c in range(len(snr)):
        if snr[c] != 0.0:
            if abs(prices[c] - v) < 0.5 * v:  # Halley's step
                q, f = complements[c], (prices[c] - v) / (weights[c] * eps)
                log_snrs[c] -= f * q / (q * q - 0.5 * f * (1.0 - q))
            else:
                log_snrs[c] = log_snr(v / (weights[c] * eps))


@kernel
def starting_point(
    local: float, snr: Floats, weights: Floats, eps: float, start: float, log_snrs: Floats
) -> float:
    """Return the initial v, and write t where it is not known.

    v is 0 if no device offloads, and NaN if it underflows.
    """
    v, offloading = start, False
    if start == 0.0:  # v of a frame offloaded for half its time, or all-local, if larger
        v = local / 3.0
        for c in range(len(snr)):
            t = math.log1p(snr[c])
            v = max(v, weights[c] * eps * t * t / (2.0 + t))  # about t + e^-t - 1
    for c in range(len(snr)):
        if snr[c] == 0.0:
            log_snrs[c] = 0.0
        else:
            offloading = True
            if start == 0.0 or log_snrs[c] == 0.0:
                log_snrs[c] = log_snr(v / (weights[c] * eps))
    if not offloading:
        return 0.0
    return v if v > 0.0 else math.nan


@kernel
def solve(
    local: float, snr: Floats, weights: Floats, eps: float, start: float, classes: Floats
) -> tuple[float, float, float, float]:
    """Solve the equations for one decision, given as sums over its devices.

    Args:
        local: sum of c_i over the local devices.
        snr: sum of s_j over the offloading devices of each weight class `[C]`.
        weights: weight of each class `[C]`.
        eps: B / (v_u ln 2).
        start: v of a similar decision, or 0 if none is known.
        classes: t, 1 - e^-t and v_c of each class `[3, C]`. In: t of the similar decision, or 0;
            out: t of this decision, or 0 if no device of the class offloads.

    Returns:
        The value, the energy time a, the bound on the relative error of the multiplier, and the
        multiplier v, 0 if no device offloads. The value is that of a feasible allocation, whatever
        the error.
    """
    v = starting_point(local, snr, weights, eps, start, classes[0])
    if v == 0.0:
        return local, 1.0, 0.0, 0.0
    low, high = 0.0, math.inf
    value, a, error = 0.0, 1.0, math.inf
    for iteration in range(MAX_ITERATIONS):
        sums = sum_over_classes(v, snr, weights, eps, classes)
        a = 1.0 / (1.0 + sums.p)
        root = np.cbrt(a)
        value = local * root + a * sums.earned
        energy = local / 3.0 * root * (1.0 + sums.p)  # local / 3 a^(-2/3)
        total = energy + sums.offload  # V
        least, largest = min(sums.least, total), max(sums.largest, total)
        error = max(largest - v, v - least) / v
        if error <= TOLERANCE:
            break

        low, high = max(low, least), min(high, largest)
        slope = 2.0 / 3.0 * energy * a  # d(energy)/dv = -slope dp, and d(offload)/dv = -p
        total += slope * sums.dp_behind + sums.p_behind  # V at v
        falls = slope * sums.dp + sums.p  # V, by v
        if abs(total - v) < 0.1 * v:
            moved = v + (total - v) / (1.0 + falls)
        else:  # far from the root, in logarithms, which are more nearly linear
            moved = v * math.exp(math.log(total / v) / (1.0 + v * falls / total))
        wide = iteration % 3 == 2 and high > 2.0 * low
        if wide or moved == 0.0 or not low <= moved <= high:
            # Newton left or does not narrow the bracket, whose low end is 0 where e^-t underflows.
            moved = math.sqrt(max(low, 1e-6 * high) * high)
        v = moved
        move_classes(v, snr, weights, eps, classes)

    if math.isnan(error) or math.isnan(value):
        error = math.inf  # NaN would be lost in a maximum over errors
    return value, a, error, v
