"""Kernels of wireless powered MEC: an upper bound on every decision, by a price of time.

Symbols are those of `solver`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints
from droo_core.jit import inner_kernel
from droo_core.numeric import cube_root, integer_zeros, zeros
from env.common.lambert import log_snr
from env.wpmec.kernels import kernel
from env.wpmec.kernels.allocation import LOCAL, SNR, write_terms
from env.wpmec.kernels.solver import COLUMNS, COMPLEMENT, LOG_SNR, SCALE

Decision = NDArray[np.int8]  # [N]: 0, 1 or UNDECIDED

UNDECIDED = -1
RELAXATION_STEPS = 60  # largest number of prices tried

OFFLOAD, BREAKPOINT = 2, 3
"""Further rows of `devices` `[4, N]`, which `dual` writes: g, the value of offloading per energy
time, less the price of its time; and the energy time from which the device offloads."""

CLASS, INSIDE = 0, 1
"""Rows of `numbers`, integers `[2 or more, N]`: the weight class of each device, and a buffer."""

PER_SNR, TIME_PER_SNR = LOG_SNR, COMPLEMENT
"""Columns of `classes` `[C, COLUMNS]` beside SCALE, which `dual` writes: g_i / s_i and
tau_i / (a s_i)."""


@inner_kernel
def describe(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    devices: Floats,
    numbers: Ints,
    classes: Floats,
) -> None:
    """Write the devices of a frame; the other arguments are those of `allocation.score`."""
    write_terms(gain, class_of, class_weights, constants, devices)
    for i in range(len(gain)):
        numbers[CLASS, i] = class_of[i]
    for c in range(len(class_weights)):
        classes[c, SCALE] = class_weights[c] * constants[2]


@inner_kernel
def dual(
    price: float,
    low: float,
    high: float,
    fixed: Decision,
    devices: Floats,
    numbers: Ints,
    classes: Floats,
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
        devices: of the frame `[4, N]`.
        numbers: of the devices `[2 or more, N]`.
        classes: of the devices `[C, COLUMNS]`.

    Returns:
        D(v), its slope in v, the best energy time, and the number of undecided devices with their
        breakpoint inside the interval.
    """
    for c in range(len(classes)):
        t = log_snr(price / classes[c, SCALE])
        classes[c, PER_SNR] = classes[c, SCALE] * math.exp(-t)
        classes[c, TIME_PER_SNR] = 1.0 / math.expm1(t)

    num_devices = len(fixed)
    for i in range(num_devices):
        devices[OFFLOAD, i] = devices[SNR, i] * classes[numbers[CLASS, i], PER_SNR]
    for i in range(num_devices):  # a loop of its own, of vector instructions
        ratio = devices[LOCAL, i] / devices[OFFLOAD, i]
        devices[BREAKPOINT, i] = ratio * math.sqrt(ratio)

    local_sum, offload_sum, time = 0.0, 0.0, 0.0
    num_inside = 0  # listed in INSIDE, sorted by insertion: usually a handful
    for i in range(num_devices):
        onset, local = devices[BREAKPOINT, i], devices[LOCAL, i]
        if fixed[i] == 0 or (fixed[i] == UNDECIDED and onset >= high):
            local_sum += local
        elif fixed[i] == 1 or onset <= low:
            offload_sum += devices[OFFLOAD, i]
            time += devices[SNR, i] * classes[numbers[CLASS, i], TIME_PER_SNR]
        else:
            local_sum += local
            at = num_inside
            while at > 0 and devices[BREAKPOINT, numbers[INSIDE, at - 1]] > onset:
                numbers[INSIDE, at] = numbers[INSIDE, at - 1]
                at -= 1
            numbers[INSIDE, at] = i
            num_inside += 1

    best, best_a, slope = -math.inf, low, 0.0
    start = low
    for k in range(num_inside + 1):
        i = numbers[INSIDE, k] if k < num_inside else -1
        end = devices[BREAKPOINT, i] if i >= 0 else high
        a = end
        if offload_sum < price:
            ratio = local_sum / (3.0 * (price - offload_sum))
            a = min(max(ratio * math.sqrt(ratio), start), end)
        value = price + (offload_sum - price) * a + local_sum * cube_root(a)
        if value > best:
            best, best_a, slope = value, a, 1.0 - a - a * time
        if i >= 0:
            local_sum = max(local_sum - devices[LOCAL, i], 0.0)
            offload_sum += devices[OFFLOAD, i]
            time += devices[SNR, i] * classes[numbers[CLASS, i], TIME_PER_SNR]
        start = end
    return best, slope, best_a, num_inside


@inner_kernel
def lowest_dual(
    price: float,
    low: float,
    high: float,
    fixed: Decision,
    devices: Floats,
    numbers: Ints,
    classes: Floats,
    enough: float,
    max_steps: int,
) -> tuple[float, float]:
    """Minimise the bound over the price, in which it is convex.

    From the initial `price` on, up to `max_steps` more are tried, until a bound is at most
    `enough`. The other arguments are those of `dual`. Returns the lowest bound and its price.
    """
    x, step = math.log(price), 0.1
    left, right = -math.inf, math.inf  # log prices of negative and positive slope
    left_slope = right_slope = slope = 0.0
    best, best_price = math.inf, price
    for number in range(max_steps + 1):
        if number > 0:
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
        value, slope, _, _ = dual(price, low, high, fixed, devices, numbers, classes)
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
    devices, numbers = zeros(4, len(gain)), integer_zeros(2, len(gain))
    classes = zeros(len(class_weights), COLUMNS)
    describe(gain, class_of, class_weights, constants, devices, numbers, classes)
    fixed = np.empty(len(gain), np.int8)
    for i in range(len(gain)):
        fixed[i] = UNDECIDED if gain[i] > 0.0 else 0
    return lowest_dual(
        price,
        energy_time,
        energy_time,
        fixed,
        devices,
        numbers,
        classes,
        -math.inf,
        RELAXATION_STEPS,
    )
