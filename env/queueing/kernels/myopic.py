"""Kernels of multi-slot MEC with energy budgets: the most data that one frame can compute.

The myopic problem (LyDROO, Section V) maximises sum w r of one frame, where a device may spend a
budget B of energy. A price of time mu separates the devices. With the symbols of `devices`, an
offloading device first takes the time B / P_max at full power, if its value w eps t_max a second
exceeds mu, and then more time at less power, p = B / time, as long as

    t + e^-t - 1 > mu / (w eps)

but no more than its queue needs. The load falls with mu, and jumps where w eps t_max = mu.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints
from env.common.lambert import log_snr
from env.queueing.kernels import kernel
from env.queueing.kernels.allocation import NOT_BINARY, SOLVED, is_binary
from env.queueing.kernels.devices import Constants, snr_per_watt

PRECISION = 1e-15  # of the price, relative
LEAST_PRICE = 1e-290  # relative to the largest


class MyopicDevices(NamedTuple):
    """Per-device quantities of a frame that do not depend on the decision, `[N]` each.

    Attributes:
        frequency: largest frequency for computing locally, cycles/s.
        snr: g, signal-to-noise ratio per watt.
        limit: price of time up to which the device offloads.
        least_nats: t at which the whole queue is served.
        max_nats: t_max.
        scale: offloading time times (e^t - 1), s.
        worth: w eps.
    """

    frequency: Floats
    snr: Floats
    limit: Floats
    least_nats: Floats
    max_nats: Floats
    scale: Floats
    worth: Floats


@kernel
def nats_of_share(share: float) -> float:
    """Solve t / (e^t - 1) = share for t > 0, where 0 < share < 1."""
    low, high = 0.0, 2.0 * (1.0 - math.log(share))
    while high - low > 1e-15 * high:
        t = 0.5 * (low + high)
        if t <= low or t >= high:
            break
        if t > share * math.expm1(t):
            low = t
        else:
            high = t
    return high


@kernel
def describe(frame: Floats, weights: Floats, constants: Constants) -> MyopicDevices:
    """Return the per-device quantities of a frame; the arguments are those of `score`."""
    gain, data, budget = frame
    frequency, snr, limit, least_nats, max_nats, scale, worth = np.zeros((7, len(gain)))
    eps = constants.rate_per_nat
    for i in range(len(gain)):
        affordable = np.cbrt(budget[i] / constants.energy_coefficient)
        needed = data[i] / constants.bits_per_cycle
        frequency[i] = min(needed, constants.max_frequency, affordable)
        snr[i] = snr_per_watt(gain[i], constants)
        max_nats[i] = math.log1p(snr[i] * constants.max_power)
        worth[i] = weights[i] * eps
        if max_nats[i] > 0.0 and data[i] > 0.0 and budget[i] > 0.0:
            limit[i] = worth[i] * max_nats[i]
            if data[i] <= eps * max_nats[i] * budget[i] / constants.max_power:
                least_nats[i] = max_nats[i]
                scale[i] = data[i] / (eps * max_nats[i]) * math.expm1(max_nats[i])
            else:
                share = data[i] / (eps * snr[i] * budget[i])
                least_nats[i] = nats_of_share(share) if share < 1.0 else 0.0
                scale[i] = snr[i] * budget[i]
    return MyopicDevices(frequency, snr, limit, least_nats, max_nats, scale, worth)


@kernel
def nats_at(devices: MyopicDevices, i: int, price: float) -> float:
    """Return the nats a second at which a device offloads at a price of time."""
    most: float = devices.max_nats[i]
    best: float = max(log_snr(price / devices.worth[i]), devices.least_nats[i])
    return min(best, most)


@kernel
def load_at(devices: MyopicDevices, decision: Ints | NDArray[np.int8], price: float) -> float:
    """Return the sum of the offloading times, s, at a price of time."""
    load = 0.0
    for i in range(len(decision)):
        if decision[i] == 1 and price < devices.limit[i]:
            load += devices.scale[i] / math.expm1(nats_at(devices, i, price))
    return load


@kernel
def time_price(devices: MyopicDevices, decision: Ints | NDArray[np.int8]) -> float:
    """Return the price of time, the load being at most 1 at it and more below it, or 0."""
    if load_at(devices, decision, 0.0) <= 1.0:
        return 0.0
    high = 0.0
    for i in range(len(decision)):
        if decision[i] == 1:
            high = max(high, devices.limit[i])
    low = LEAST_PRICE * high
    while high > low * (1.0 + PRECISION):
        price = math.sqrt(low * high)
        if price <= low or price >= high:
            break
        if load_at(devices, decision, price) > 1.0:
            low = price
        else:
            high = price
    return high


@kernel
def value_at(
    devices: MyopicDevices,
    decision: Ints | NDArray[np.int8],
    price: float,
    weights: Floats,
    constants: Constants,
) -> float:
    """Return the weighted sum of computed data, Mbit, of a decision `[N]` at its price of time."""
    value = price
    for i in range(len(weights)):
        if decision[i] == 0:
            value += weights[i] * devices.frequency[i] * constants.bits_per_cycle
        elif price < devices.limit[i]:
            t = nats_at(devices, i, price)
            value += devices.scale[i] / math.expm1(t) * (devices.worth[i] * t - price)
    return value


@kernel
def score(
    frame: Floats,
    weights: Floats,
    constants: Constants,
    decisions: Ints | NDArray[np.int8],
    values: Floats,
) -> int:
    """Write the largest weighted sum of computed data, Mbit, of each decision into `values`.

    Args:
        frame: gains h, data queues Q (Mbit) and budgets B (J) of the devices `[3, N]`.
        weights: w `[N]`.
        constants: of the problem.
        decisions: zeros and ones `[K, N]`.
        values: out, `[K]`.

    Returns:
        SOLVED, or NOT_BINARY.
    """
    devices = describe(frame, weights, constants)
    for k in range(len(decisions)):
        if not is_binary(decisions[k]):
            return NOT_BINARY
        price = time_price(devices, decisions[k])
        values[k] = value_at(devices, decisions[k], price, weights, constants)
    return SOLVED


@kernel
def allocate(
    frame: Floats,
    weights: Floats,
    constants: Constants,
    decision: Ints,
    allocation: Floats,
) -> tuple[float, float, int]:
    """Write the best allocation of one decision; arguments as in `allocation.allocate`.

    Returns the weighted sum, Mbit, the price of time, and the outcome as `score` returns it.
    """
    if not is_binary(decision):
        return 0.0, 0.0, NOT_BINARY
    rate, energy, frequency, time, power = allocation
    allocation[:] = 0.0
    _, data, budget = frame
    devices = describe(frame, weights, constants)
    price = time_price(devices, decision)
    value = value_at(devices, decision, price, weights, constants)
    left = 1.0 - load_at(devices, decision, price)
    for i in range(len(data)):
        if decision[i] == 0:
            f = frequency[i] = devices.frequency[i]
            rate[i] = f * constants.bits_per_cycle
            energy[i] = constants.energy_coefficient * f * f * f
        elif price * (1.0 - 1e-12) < devices.limit[i]:  # bisection ends a little above a limit
            t = devices.max_nats[i]  # of a device at its limit, which gets the remaining time
            time[i] = min(left, devices.scale[i] / math.expm1(t))
            if price < devices.limit[i]:
                t = nats_at(devices, i, price)
                time[i] = devices.scale[i] / math.expm1(t)
            else:
                left -= time[i]
            rate[i] = constants.rate_per_nat * t * time[i]
            power[i] = min(math.expm1(t) / devices.snr[i], constants.max_power)
            energy[i] = power[i] * time[i]
        rate[i], energy[i] = min(rate[i], data[i]), min(energy[i], budget[i])
    return value, price, SOLVED
