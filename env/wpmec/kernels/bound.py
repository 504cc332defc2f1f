"""Kernels of wireless powered MEC: an upper bound on every decision, by a price of time.

Symbols are those of `solver`.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints
from env.common.lambert import log_snr
from env.wpmec.kernels import kernel
from env.wpmec.kernels.allocation import terms

Decision = NDArray[np.int8]  # [N]: 0, 1 or UNDECIDED

UNDECIDED = -1
RELAXATION_STEPS = 60  # largest number of prices tried


class Devices(NamedTuple):
    """The devices of a frame; `dual` writes the last two arrays.

    Attributes:
        snr: s `[N]`.
        local: c `[N]`.
        class_of: weight class of each device `[N]`.
        class_weights: weight of each class `[C]`.
        eps: B / (v_u ln 2).
        offload: out, g `[N]`: value of offloading per energy time, less the price of its time.
        breakpoints: out, energy time `[N]` from which each device offloads.
    """

    snr: Floats
    local: Floats
    class_of: Ints
    class_weights: Floats
    eps: float
    offload: Floats
    breakpoints: Floats


@kernel
def describe(
    gain: Floats, class_of: Ints, class_weights: Floats, constants: tuple[float, float, float]
) -> Devices:
    """Return the devices of a frame; the arguments are those of `allocation.score`."""
    snr, local = terms(gain, class_of, class_weights, constants)
    return Devices(
        snr,
        local,
        class_of,
        class_weights,
        constants[2],
        np.empty_like(gain),
        np.empty_like(gain),
    )


@kernel
def dual(
    price: float,
    low: float,
    high: float,
    fixed: Decision,
    devices: Devices,
) -> tuple[float, float, float, int]:
    """Bound the rate of every decision and allocation whose energy time lies in [low, high].

    A price v on the time constraint separates the devices, which gives a bound for any v:

        D(v) = max_a  v (1 - a) + sum_i max(c_i a^(1/3), a g_i),     g_i = w_i eps s_i e^-t_i

    Device i offloads from its breakpoint a_i = (c_i / g_i)^(3/2) on. Between two breakpoints the
    sum is concave in a, and its maximum has a closed form.

    Args:
        price: v.
        low: smallest energy time.
        high: largest energy time.
        fixed: partial decision `[N]`, 0, 1 or `UNDECIDED`.
        devices: of the frame.

    Returns:
        D(v), its slope in v, the best energy time, and the number of undecided devices with their
        breakpoint inside the interval.
    """
    snr, local, class_of, class_weights, eps, offload, breakpoints = devices
    per_snr = np.empty((2, len(class_weights)))  # g_i / s_i, and tau_i / (a s_i)
    for c in range(len(class_weights)):
        t = log_snr(price / (class_weights[c] * eps))
        per_snr[0, c] = class_weights[c] * eps * math.exp(-t)
        per_snr[1, c] = 1.0 / math.expm1(t)

    local_sum, offload_sum, time = 0.0, 0.0, 0.0
    inside = np.empty(len(snr), np.int64)  # sorted by insertion: usually a handful
    num_inside = 0
    for i in range(len(snr)):
        c = class_of[i]
        offload[i] = snr[i] * per_snr[0, c]
        ratio = local[i] / offload[i]
        breakpoints[i] = ratio * math.sqrt(ratio)
        if fixed[i] == 0 or (fixed[i] == UNDECIDED and breakpoints[i] >= high):
            local_sum += local[i]
        elif fixed[i] == 1 or breakpoints[i] <= low:
            offload_sum += offload[i]
            time += snr[i] * per_snr[1, c]
        else:
            local_sum += local[i]
            at = num_inside
            while at > 0 and breakpoints[inside[at - 1]] > breakpoints[i]:
                inside[at] = inside[at - 1]
                at -= 1
            inside[at] = i
            num_inside += 1

    best, best_a, slope = -math.inf, low, 0.0
    start = low
    for k in range(num_inside + 1):
        end = breakpoints[inside[k]] if k < num_inside else high
        a = end
        if offload_sum < price:
            ratio = local_sum / (3.0 * (price - offload_sum))
            a = min(max(ratio * math.sqrt(ratio), start), end)
        value = price + (offload_sum - price) * a + local_sum * np.cbrt(a)
        if value > best:
            best, best_a, slope = value, a, 1.0 - a - a * time
        if k < num_inside:
            i = inside[k]
            local_sum = max(local_sum - local[i], 0.0)
            offload_sum += offload[i]
            time += snr[i] * per_snr[1, class_of[i]]
        start = end
    return best, slope, best_a, num_inside


@kernel
def lowest_dual(
    price: float,
    low: float,
    high: float,
    fixed: Decision,
    devices: Devices,
    enough: float,
    max_steps: int,
) -> tuple[float, float]:
    """Minimise the bound over the price, in which it is convex.

    From the initial `price` on, up to `max_steps` more are tried, until a bound is at most
    `enough`. The other arguments are those of `dual`. Returns the lowest bound and its price.
    """
    x, step = math.log(price), 0.1
    left, right = -math.inf, math.inf  # log prices of negative and positive slope
    left_slope = right_slope = 0.0
    best, slope, _, _ = dual(price, low, high, fixed, devices)
    if not best > 0.0:
        best = math.inf
    best_price = price
    for _ in range(max_steps):
        if best <= enough or slope == 0.0 or right - left < 1e-12:
            break
        if slope < 0.0:
            left, left_slope = x, slope * price
        else:
            right, right_slope = x, slope * price
        if left == -math.inf or right == math.inf:
            x += math.copysign(step, -slope)
            step *= 3.0
        else:  # regula falsi, kept away from the ends, as the slope may jump
            part = left_slope / (left_slope - right_slope)
            x = left + min(max(part, 0.15), 0.85) * (right - left)
        price = math.exp(x)
        value, slope, _, _ = dual(price, low, high, fixed, devices)
        if 0.0 < value < best:  # an overflow is not a bound
            best, best_price = value, price
    return best, best_price


@kernel
def relaxation(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    energy_time: float,
    price: float,
) -> tuple[float, float]:
    """Solve a frame for a given energy time when devices may offload in part.

    Args:
        gain: channel gains `[N]`.
        class_of: weight class of each device `[N]`.
        class_weights: weight of each class `[C]`.
        constants: as in `allocation.score`.
        energy_time: a.
        price: initial guess of the price of time.

    Returns:
        The weighted sum computation rate and the price of time.
    """
    devices = describe(gain, class_of, class_weights, constants)
    fixed = np.where(gain > 0.0, UNDECIDED, 0).astype(np.int8)
    a = energy_time
    return lowest_dual(price, a, a, fixed, devices, -math.inf, RELAXATION_STEPS)
