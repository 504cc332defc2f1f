"""Kernels of multi-slot MEC with queues: scores and allocations of decisions.

Symbols are those of `devices`; the price of time is found by `knapsack`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints
from env.queueing.kernels import kernel
from env.queueing.kernels.devices import Constants, Devices, Offers, describe, nats_at, offers_of
from env.queueing.kernels.knapsack import fill

Decision = NDArray[np.int8] | Ints  # [N]

SOLVED, NOT_BINARY, UNSOLVED = range(3)


@kernel
def in_order(decision: Decision, order: Ints, limits: Floats, offloading: Ints) -> int:
    """Write the offloading devices in the order of their limits; return their number."""
    count = 0
    for i in order:
        if decision[i] == 1 and limits[i] > 0.0:
            offloading[count] = i
            count += 1
    return count


@kernel
def value_of(
    decision: Decision,
    devices: Devices,
    offers: Offers,
    order: Ints,
    offloading: Ints,
    constants: Constants,
) -> tuple[float, bool]:
    """Return the value of a decision `[N]`, and whether its price of time was found.

    `order` lists the devices by their limits, largest first; `offloading` is a buffer `[N]`.
    """
    value = 0.0
    for i in range(len(decision)):
        if decision[i] == 0:
            value += devices.local[i]
    count = in_order(decision, order, offers.limits, offloading)
    done = fill(devices, offers, offloading[:count], constants.rate_per_nat)
    return value + done.value, done.found


@kernel
def is_binary(decision: Decision) -> bool:
    """Return whether a decision `[N]` holds zeros and ones only."""
    for choice in decision:  # noqa: SIM110 (numba has no generators)
        if choice not in (0, 1):
            return False
    return True


@kernel
def is_valid(frame: Floats) -> bool:
    """Return whether all entries are finite and none is negative."""
    for value in frame.flat:  # noqa: SIM110 (numba has no generators)
        if not 0.0 <= value < math.inf:
            return False
    return True


@kernel
def score(
    frame: Floats,
    weights: Floats,
    constants: Constants,
    decisions: Ints | NDArray[np.int8],
    values: Floats,
) -> int:
    """Write the best objective of each decision `[K, N]` into `values` [K].

    Args:
        frame: gains h, data queues Q (Mbit) and energy queues Y of the devices `[3, N]`.
        weights: w `[N]`.
        constants: of the problem.
        decisions: zeros and ones `[K, N]`.
        values: out, `[K]`, Mbit^2.

    Returns:
        SOLVED, NOT_BINARY or UNSOLVED.
    """
    devices = describe(frame, weights, constants)
    offers = offers_of(devices, devices.worth, constants.rate_per_nat)
    order = np.argsort(-offers.limits)
    offloading = np.empty(len(order), np.int64)
    outcome = SOLVED
    for k in range(len(decisions)):
        if not is_binary(decisions[k]):
            return NOT_BINARY
        values[k], found = value_of(decisions[k], devices, offers, order, offloading, constants)
        if not found:
            outcome = UNSOLVED
    return outcome


@kernel
def allocate(
    frame: Floats,
    weights: Floats,
    constants: Constants,
    decision: Ints,
    allocation: Floats,
) -> tuple[float, float, int]:
    """Write the best allocation of one decision.

    Args:
        frame: as for `score`.
        weights: w `[N]`.
        constants: of the problem.
        decision: zeros and ones `[N]`.
        allocation: out, `[5, N]`: rate (Mbit), energy (J), frequency (cycles/s), offloading time
            (s) and power (W).

    Returns:
        The objective, the price of time, and the outcome as `score` returns it.
    """
    if not is_binary(decision):
        return 0.0, 0.0, NOT_BINARY
    data = frame[1]
    rate, energy, frequency, time, power = allocation
    allocation[:] = 0.0
    devices = describe(frame, weights, constants)
    objective = 0.0
    for i in range(len(data)):
        if decision[i] == 0:
            f = devices.frequency[i]
            frequency[i] = f
            rate[i] = min(f * constants.bits_per_cycle, data[i])
            energy[i] = constants.energy_coefficient * f * f * f
            objective += devices.local[i]

    eps = constants.rate_per_nat
    offers = offers_of(devices, devices.worth, eps)
    offloading = np.empty(len(data), np.int64)
    count = in_order(decision, np.argsort(-offers.limits), offers.limits, offloading)
    done = fill(devices, offers, offloading[:count], eps)
    for i in offloading[: done.num_full]:
        # The load may exceed the frame by rounding and the tolerance.
        time[i] = data[i] / (eps * nats_at(devices, i, done.price)) / max(1.0, done.load)
        rate[i] = data[i]
        nats_sent = data[i] / (eps * time[i])
        power[i] = min(math.expm1(nats_sent) / devices.snr[i], constants.max_power)
        energy[i] = power[i] * time[i]
    part = done.part
    if part >= 0:
        t = nats_at(devices, part, done.price)
        time[part] = max(0.0, 1.0 - done.load)
        rate[part] = min(eps * t * time[part], data[part])
        power[part] = min(math.expm1(t) / devices.snr[part], constants.max_power)
        energy[part] = power[part] * time[part]
    return objective + done.value, done.price, SOLVED if done.found else UNSOLVED
