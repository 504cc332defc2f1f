"""Kernels of wireless powered MEC: the allocation behind a decision.

For a given decision the allocation is convex (DROO, problem P2) and comes down to one scalar
equation in the multiplier v of the time constraint `a + sum tau <= 1`. Write t_j = ln(1 + SNR_j)
of an offloading device, which depends on the device through its weight alone. With

    s_j = mu P h_j^2 / N0,   eps = B / (v_u ln 2),   c_i = w_i (mu P)^(1/3) / phi (h_i / k)^(1/3):

    t + e^-t - 1 = v / (w eps)                           (the best tau_j, given v)
    p(v) = sum_j s_j / (e^t_j - 1) = (1 - a) / a         (all the time is used)
    v = a^(-2/3) / 3 sum_local c_i + eps sum_j w_j s_j e^-t_j          (the best a, given v)

The right-hand side of the last line falls as v grows, so with x = ln v the difference

    phi(x) = ln(right-hand side) - x

has a slope of at most -1. Three things follow: the root is unique, it lies between x and x + phi(x)
for every x, and |phi(x)| bounds the relative error of v. Newton's method, kept inside that bracket,
needs a handful of steps.
"""

import math

import numpy as np
from numpy.typing import NDArray

from env.resource_allocation.jit import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TOLERANCE = 1e-11  # of ln v; the value errs by the square of it
NOT_BINARY = -1.0  # in place of a value, which is never negative
MAX_ITERATIONS = 200  # 5 to 8 are needed; bisection alone would take about 60


@kernel
def log_snr(u: float) -> float:
    """Solve t + e^-t - 1 = u for t >= 0, to machine precision."""
    if u < 1e-4:
        # The power series of t in sqrt(2 u): below, 1 + u would swallow u's digits.
        s = math.sqrt(2.0 * u)
        return s * (1 + s * (1 / 6 + s * (1 / 36 + s * (1 / 270 + s * (1 / 4320 - s / 17010)))))
    # Start: the series of Lambert's W about its branch point, exact in both limits of u.
    p = math.sqrt(-2.0 * math.expm1(-u))
    t = u + p * (1 - p * (1 / 3 - p * (11 / 72 - p * 43 / 540)))
    for _ in range(2):  # Halley: three times the digits at each step
        q = -math.expm1(-t)
        residual = t - q - u
        t -= residual / (q - 0.5 * residual * (1 - q) / q)
    return t


@kernel
def solve(
    local: float, snr: Floats, weights: Floats, eps: float, log_snrs: Floats
) -> tuple[float, float, float]:
    """Solve the scalar equation for one decision, given as sums over its devices.

    Args:
        local: sum of c_i over the local devices.
        snr: sum of s_j over the offloading devices of each weight class `[C]`.
        weights: the weight of each class `[C]`.
        eps: B / (v_u ln 2).
        log_snrs: out, t of each class `[C]`; untouched where a class offloads nothing.

    Returns:
        The value, the energy time a, and the bound on the relative error of the multiplier. The
        value belongs to a feasible allocation whatever that error is.
    """
    # Start: half of the frame offloaded, or the multiplier of an all-local frame if that is larger.
    v = local / 3.0
    offloading = False
    for c in range(len(snr)):
        if snr[c] > 0.0:
            offloading = True
            t = math.log1p(snr[c])
            v = max(v, weights[c] * eps * t * t / (2.0 + t))  # about t + e^-t - 1
    if not offloading:
        return local, 1.0, 0.0

    x = math.log(v)
    low, high = -math.inf, math.inf
    a, error = 1.0, math.inf
    for _ in range(MAX_ITERATIONS):
        v = math.exp(x)
        p = 0.0  # sum of s / SNR
        dp = 0.0  # -dp/dv
        offload = 0.0  # eps sum of w s e^-t
        for c in range(len(snr)):
            if snr[c] > 0.0:
                scale = weights[c] * eps
                t = log_snr(v / scale)
                log_snrs[c] = t
                e = math.exp(-t)
                q = -math.expm1(-t)
                p += snr[c] * e / q
                dp += snr[c] * e / (q * q * q * scale)
                offload += scale * snr[c] * e
        a = 1.0 / (1.0 + p)
        energy = local / 3.0 * a ** (-2.0 / 3.0)
        total = energy + offload
        phi = math.log(total) - x
        error = abs(phi)
        if error <= TOLERANCE:
            break
        # d(energy)/dv = -2/3 energy a dp, and d(offload)/dv = -p.
        slope = -v * (2.0 / 3.0 * energy * a * dp + p) / total - 1.0
        low, high = max(low, min(x, x + phi)), min(high, max(x, x + phi))
        step = x - phi / slope
        x = step if low < step < high else 0.5 * (low + high)

    value = local * a ** (1.0 / 3.0)
    for c in range(len(snr)):
        if snr[c] > 0.0:
            t = log_snrs[c]
            value += a * weights[c] * eps * snr[c] * t / math.expm1(t)
    if math.isnan(error) or math.isnan(value):
        error = math.inf  # which no maximum over errors hides
    return value, a, error


@kernel
def split(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    decision: Ints | NDArray[np.int8],
    constants: tuple[float, float, float],
    snr: Floats,
) -> float:
    """Sum a decision's devices: s_j by weight class into `snr` [C], and c_i as the result.

    The result is -1 if an entry of the decision is neither 0 nor 1.
    """
    snr_factor, local_factor, _ = constants
    snr[:] = 0.0
    local = 0.0
    for i in range(len(gain)):
        if decision[i] == 1:
            snr[class_of[i]] += snr_factor * gain[i] * gain[i]
        elif decision[i] == 0:
            local += class_weights[class_of[i]] * local_factor * np.cbrt(gain[i])
        else:
            return NOT_BINARY
    return local


@kernel
def score(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    decisions: Ints,
    values: Floats,
) -> float:
    """Write the best weighted sum computation rate of each decision `[K, N]` into `values` [K].

    Args:
        gain: channel gains `[N]`.
        class_of: the weight class of each device `[N]`.
        class_weights: the weight of each class `[C]`.
        constants: mu P / N0, (mu P / k)^(1/3) / phi and B / (v_u ln 2).
        decisions: zeros and ones `[K, N]`.
        values: out, `[K]`; -1 where a decision is not binary.

    Returns:
        The worst bound on the relative error of a multiplier.
    """
    worst = 0.0
    snr = np.empty(len(class_weights))
    log_snrs = np.empty(len(class_weights))
    for k in range(len(decisions)):
        local = split(gain, class_of, class_weights, decisions[k], constants, snr)
        if local == NOT_BINARY:
            values[k] = NOT_BINARY
        else:
            values[k], _, error = solve(local, snr, class_weights, constants[2], log_snrs)
            worst = max(worst, error)
    return worst


@kernel
def allocate(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    decision: Ints,
    offload_time: Floats,
    rate: Floats,
) -> tuple[float, float, float]:
    """Write the best allocation of one decision into `offload_time` and `rate` `[N]`, unweighted.

    The other arguments are those of `score`. Returns what `solve` returns, or the value -1 if the
    decision is not binary.
    """
    snr_factor, local_factor, eps = constants
    snr = np.empty(len(class_weights))
    log_snrs = np.zeros(len(class_weights))
    local = split(gain, class_of, class_weights, decision, constants, snr)
    if local == NOT_BINARY:
        return NOT_BINARY, 0.0, 0.0
    value, a, error = solve(local, snr, class_weights, eps, log_snrs)
    for i in range(len(gain)):
        t = log_snrs[class_of[i]]
        if decision[i] == 0:
            offload_time[i] = 0.0
            rate[i] = local_factor * np.cbrt(gain[i] * a)
        elif t > 0.0:
            offload_time[i] = a * snr_factor * gain[i] * gain[i] / math.expm1(t)
            rate[i] = eps * offload_time[i] * t
        else:
            offload_time[i] = rate[i] = 0.0
    return value, a, error
