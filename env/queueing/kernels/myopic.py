"""Kernels of multi-slot MEC with energy budgets: the most data that one frame can compute.

The myopic problem (LyDROO, Section V) maximises sum w r of one frame, where a device may spend a
budget B of energy. A price of time mu separates the devices. With the symbols of `devices`, an
offloading device first takes the time B / P_max at full power, if its value w eps t_max a second
exceeds mu, and then more time at less power, p = B / time, as long as

    t + e^-t - 1 > mu / (w eps)

but no more than its queue needs. The load falls with mu, and jumps where w eps t_max = mu.
"""

import math

from droo_core.arrays import Floats, Ints
from droo_core.jit import inner_kernel
from droo_core.numeric import cube_root, zeros
from env.common.lambert import log_snr
from env.queueing.kernels import kernel
from env.queueing.kernels.allocation import NOT_BINARY, SOLVED, is_binary
from env.queueing.kernels.devices import Constants, snr_per_watt

PRECISION = 1e-15  # of the price, relative
LEAST_PRICE = 1e-290  # relative to the largest


FREQUENCY, SNR, LIMIT, LEAST_NATS, MAX_NATS, SCALE, WORTH = range(7)
"""Rows of the argument `devices` of the kernels, `[7, N]`, the quantities of each device:

- FREQUENCY: largest frequency for computing locally, cycles/s.
- SNR: g, signal-to-noise ratio per watt.
- LIMIT: price of time up to which the device offloads.
- LEAST_NATS: t at which the whole queue is served.
- MAX_NATS: t_max.
- SCALE: offloading time times (e^t - 1), s.
- WORTH: w eps.
"""


@inner_kernel
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


@inner_kernel
def describe(frame: Floats, weights: Floats, constants: Constants) -> Floats:
    """Return the devices of a frame; the arguments are those of `score`."""
    devices, eps = zeros(7, len(weights)), constants.rate_per_nat
    for i in range(len(weights)):
        data, budget = frame[1, i], frame[2, i]
        affordable = cube_root(budget / constants.energy_coefficient)
        needed = data / constants.bits_per_cycle
        snr = snr_per_watt(frame[0, i], constants)
        max_nats = math.log1p(snr * constants.max_power)
        devices[FREQUENCY, i] = min(needed, constants.max_frequency, affordable)
        devices[SNR, i], devices[MAX_NATS, i] = snr, max_nats
        devices[WORTH, i] = weights[i] * eps
        if max_nats > 0.0 and data > 0.0 and budget > 0.0:
            devices[LIMIT, i] = devices[WORTH, i] * max_nats
            if data <= eps * max_nats * budget / constants.max_power:
                devices[LEAST_NATS, i] = max_nats
                devices[SCALE, i] = data / (eps * max_nats) * math.expm1(max_nats)
            else:
                share = data / (eps * snr * budget)
                devices[LEAST_NATS, i] = nats_of_share(share) if share < 1.0 else 0.0
                devices[SCALE, i] = snr * budget
    return devices


@inner_kernel
def nats_at(devices: Floats, i: int, price: float) -> float:
    """Return the nats a second at which a device offloads at a price of time."""
    most: float = devices[MAX_NATS, i]
    best: float = max(log_snr(price / devices[WORTH, i]), devices[LEAST_NATS, i])
    return min(best, most)


@inner_kernel
def load_at(devices: Floats, decision: Ints, price: float) -> float:
    """Return the sum of the offloading times, s, at a price of time."""
    load = 0.0
    for i in range(len(decision)):
        if decision[i] == 1 and price < devices[LIMIT, i]:
            load += devices[SCALE, i] / math.expm1(nats_at(devices, i, price))
    return load


@inner_kernel
def time_price(devices: Floats, decision: Ints) -> float:
    """Return the price of time, the load being at most 1 at it and more below it, or 0."""
    if load_at(devices, decision, 0.0) <= 1.0:
        return 0.0
    high = 0.0
    for i in range(len(decision)):
        if decision[i] == 1:
            high = max(high, devices[LIMIT, i])
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


@inner_kernel
def value_at(
    devices: Floats,
    decision: Ints,
    price: float,
    weights: Floats,
    constants: Constants,
) -> float:
    """Return the weighted sum of computed data, Mbit, of a decision `[N]` at its price of time."""
    value = price
    for i in range(len(weights)):
        if decision[i] == 0:
            value += weights[i] * devices[FREQUENCY, i] * constants.bits_per_cycle
        elif price < devices[LIMIT, i]:
            t = nats_at(devices, i, price)
            value += devices[SCALE, i] / math.expm1(t) * (devices[WORTH, i] * t - price)
    return value


@kernel
def score(
    frame: Floats,
    weights: Floats,
    constants: Constants,
    decisions: Ints,
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
        decision = decisions[k]
        if not is_binary(decision):
            return NOT_BINARY
        price = time_price(devices, decision)
        values[k] = value_at(devices, decision, price, weights, constants)
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
    devices = describe(frame, weights, constants)
    price = time_price(devices, decision)
    value = value_at(devices, decision, price, weights, constants)
    left = 1.0 - load_at(devices, decision, price)
    for i in range(len(decision)):
        rate, energy, frequency, time, power = 0.0, 0.0, 0.0, 0.0, 0.0
        if decision[i] == 0:
            frequency = devices[FREQUENCY, i]
            rate = frequency * constants.bits_per_cycle
            energy = constants.energy_coefficient * frequency * frequency * frequency
        elif price * (1.0 - 1e-12) < devices[LIMIT, i]:  # bisection ends a little above a limit
            t = devices[MAX_NATS, i]  # of a device at its limit, which gets the remaining time
            time = min(left, devices[SCALE, i] / math.expm1(t))
            if price < devices[LIMIT, i]:
                t = nats_at(devices, i, price)
                time = devices[SCALE, i] / math.expm1(t)
            else:
                left -= time
            rate = constants.rate_per_nat * t * time
            power = min(math.expm1(t) / devices[SNR, i], constants.max_power)
            energy = power * time
        allocation[0, i], allocation[1, i] = min(rate, frame[1, i]), min(energy, frame[2, i])
        allocation[2, i], allocation[3, i], allocation[4, i] = frequency, time, power
    return value, price, SOLVED
