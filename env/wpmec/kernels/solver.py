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

from droo_core.arrays import Floats
from droo_core.jit import inner_kernel
from droo_core.numeric import cube_root
from env.common.lambert import log_snr

TOLERANCE = 1e-9  # of v, relative; the error of the value is of the order of its square
MAX_ITERATIONS = 200  # 3 to 6 are needed; bisection alone would take about 60

SCALE, COUNT, TOTAL, ROUNDED, LOST, LOG_SNR, COMPLEMENT, PRICE = range(8)
"""Columns of the argument `sums` of the kernels, `[C + 1, 8]`.

A row per weight class sums over its offloading devices, the last row over the local devices:

- SCALE: w eps of the class.
- COUNT: number of devices.
- TOTAL: sum of their s_j, or of their c_i in the last row; 0 without devices.
- ROUNDED, LOST: the same as a compensated sum, and its rounding error.
- LOG_SNR: t of the class, 0 if not known.
- COMPLEMENT: 1 - e^-t.
- PRICE: v_c; in the last row v, 0 if not known.
"""
COLUMNS = 8


@inner_kernel
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


@inner_kernel
def sum_over_classes(
    v: float, sums: Floats
) -> tuple[float, float, float, float, float, float, float, float]:
    """Return sums over the weight classes, from the t of each; fills in COMPLEMENT and PRICE.

    Returns:
        p, the sum of s / SNR; -dp/dv; the sums of the terms of both, each times v_c - v; eps times
        the sum of w s e^-t, the last sum of V; the value of offloading, over a; and the least and
        the largest v_c.
    """
    p, dp, p_behind, dp_behind, offload, earned = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    least, largest = math.inf, 0.0
    for c in range(len(sums) - 1):
        snr, scale = sums[c, TOTAL], sums[c, SCALE]
        if snr != 0.0:
            e, q, u = decay(sums[c, LOG_SNR])
            price = u * scale
            sums[c, COMPLEMENT], sums[c, PRICE] = q, price
            inverse = 1.0 / q
            share = snr * e * inverse
            slope = share * inverse * inverse / scale
            p += share
            dp += slope
            p_behind += share * (price - v)
            dp_behind += slope * (price - v)
            offload += scale * snr * e
            earned += scale * share * sums[c, LOG_SNR]
            least, largest = min(least, price), max(largest, price)
    return p, dp, p_behind, dp_behind, offload, earned, least, largest


@inner_kernel
def move_classes(v: float, sums: Floats) -> None:
    """Move the t of all classes to a new v."""
    for c in range(len(sums) - 1):
        if sums[c, TOTAL] != 0.0:
            price, scale = sums[c, PRICE], sums[c, SCALE]
            if abs(price - v) < 0.5 * v:  # Halley's step
                q, f = sums[c, COMPLEMENT], (price - v) / scale
                sums[c, LOG_SNR] -= f * q / (q * q - 0.5 * f * (1.0 - q))
            else:
                sums[c, LOG_SNR] = log_snr(v / scale)


@inner_kernel
def starting_point(local: float, start: float, sums: Floats) -> float:
    """Return the initial v, and write t where it is not known.

    v is 0 if no device offloads, and NaN if it underflows.
    """
    v, offloading = start, False
    if start == 0.0:  # v of a frame offloaded for half its time, or all-local, if larger
        v = local / 3.0
        for c in range(len(sums) - 1):
            t = math.log1p(sums[c, TOTAL])
            v = max(v, sums[c, SCALE] * t * t / (2.0 + t))  # about t + e^-t - 1
    for c in range(len(sums) - 1):
        if sums[c, TOTAL] == 0.0:
            sums[c, LOG_SNR] = 0.0
        else:
            offloading = True
            if start == 0.0 or sums[c, LOG_SNR] == 0.0:
                sums[c, LOG_SNR] = log_snr(v / sums[c, SCALE])
    if not offloading:
        return 0.0
    return v if v > 0.0 else math.nan


@inner_kernel
def solve(sums: Floats) -> tuple[float, float, float]:
    """Solve the equations for one decision, given as sums over its devices.

    TOTAL and SCALE are input. PRICE of the last row and LOG_SNR are in and out: those of a similar
    decision, or 0 if none is known. Afterwards PRICE is 0 if no device offloads, and LOG_SNR if no
    device of the class does.

    Returns:
        The value, the energy time a, and the bound on the relative error of the multiplier v. The
        value is that of a feasible allocation, whatever the error.
    """
    last = len(sums) - 1
    local = sums[last, TOTAL]
    v = starting_point(local, sums[last, PRICE], sums)
    sums[last, PRICE] = v
    if v == 0.0:
        return local, 1.0, 0.0
    low, high = 0.0, math.inf
    value, a, error = 0.0, 1.0, math.inf
    for iteration in range(MAX_ITERATIONS):
        p, dp, p_behind, dp_behind, offload, earned, least, largest = sum_over_classes(v, sums)
        a = 1.0 / (1.0 + p)
        root = cube_root(a)
        value = local * root + a * earned
        energy = local / 3.0 * root * (1.0 + p)  # local / 3 a^(-2/3)
        total = energy + offload  # V
        least, largest = min(least, total), max(largest, total)
        error = max(largest - v, v - least) / v
        if error <= TOLERANCE:
            break

        low, high = max(low, least), min(high, largest)
        slope = 2.0 / 3.0 * energy * a  # d(energy)/dv = -slope dp, and d(offload)/dv = -p
        total += slope * dp_behind + p_behind  # V at v
        falls = slope * dp + p  # V, by v
        if abs(total - v) < 0.1 * v:
            moved = v + (total - v) / (1.0 + falls)
        else:  # far from the root, in logarithms, which are more nearly linear
            moved = v * math.exp(math.log(total / v) / (1.0 + v * falls / total))
        wide = iteration % 3 == 2 and high > 2.0 * low
        if wide or moved == 0.0 or not low <= moved <= high:
            # Newton left or does not narrow the bracket, whose low end is 0 where e^-t underflows.
            moved = math.sqrt(max(low, 1e-6 * high) * high)
        v = moved
        move_classes(v, sums)

    sums[last, PRICE] = v
    if math.isnan(error) or math.isnan(value):
        error = math.inf  # NaN would be lost in a maximum over errors
    return value, a, error
