"""Kernels of multi-slot MEC with queues: scores and allocations of decisions.

Symbols are those of `devices`; the price of time is found by `knapsack`.
"""

import math

from droo_core.arrays import Floats, Ints
from droo_core.jit import inner_kernel
from droo_core.numeric import argsort_descending, integer_zeros, zeros
from env.queueing.kernels import kernel
from env.queueing.kernels.devices import (
    FREQUENCY,
    LIMIT,
    LOCAL,
    ROWS,
    SNR,
    Constants,
    describe,
    nats_at,
    write_offers,
)
from env.queueing.kernels.knapsack import fill

SOLVED, NOT_BINARY, UNSOLVED = range(3)


@inner_kernel
def in_order(decision: Ints, order: Ints, devices: Floats, offloading: Ints) -> int:
    """Write the offloading devices in the order of their limits; return their number."""
    count = 0
    for k in range(len(order)):
        i = order[k]
        if decision[i] == 1 and devices[LIMIT, i] > 0.0:
            offloading[count] = i
            count += 1
    return count


@inner_kernel
def value_of(
    decision: Ints, devices: Floats, order: Ints, offloading: Ints, rate_per_nat: float
) -> tuple[float, bool]:
    """Return the value of a decision `[N]`, and whether its price of time was found.

    `order` lists the devices by their limits, largest first; `offloading` is a buffer `[N]`.
    """
    value = 0.0
    for i in range(len(decision)):
        if decision[i] == 0:
            value += devices[LOCAL, i]
    count = in_order(decision, order, devices, offloading)
    done = fill(devices, offloading, count, rate_per_nat)
    return value + done.value, done.found


@inner_kernel
def is_binary(decision: Ints) -> bool:
    """Return whether a decision `[N]` holds zeros and ones only."""
    for choice in decision:  # noqa: SIM110 (numba has no generators)
        if choice != 0 and choice != 1:  # noqa: PLR1714 (`in` takes longer to compile)
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
    decisions: Ints,
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
    devices, numbers = zeros(ROWS, len(weights)), integer_zeros(2, len(weights))
    order, offloading = numbers[0], numbers[1]
    describe(frame, weights, constants, devices)
    write_offers(devices, constants.rate_per_nat)
    argsort_descending(devices[LIMIT], order)
    outcome = SOLVED
    for k in range(len(decisions)):
        decision = decisions[k]
        if not is_binary(decision):
            return NOT_BINARY
        values[k], found = value_of(decision, devices, order, offloading, constants.rate_per_nat)
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
    devices, numbers = zeros(ROWS, len(weights)), integer_zeros(2, len(weights))
    order, offloading = numbers[0], numbers[1]
    describe(frame, weights, constants, devices)
    objective = 0.0
    for i in range(len(weights)):
        for row in range(5):
            allocation[row, i] = 0.0
        if decision[i] == 0:
            f = devices[FREQUENCY, i]
            allocation[2, i] = f
            allocation[0, i] = min(f * constants.bits_per_cycle, frame[1, i])
            allocation[1, i] = constants.energy_coefficient * f * f * f
            objective += devices[LOCAL, i]

    eps = constants.rate_per_nat
    write_offers(devices, eps)
    argsort_descending(devices[LIMIT], order)
    count = in_order(decision, order, devices, offloading)
    done = fill(devices, offloading, count, eps)
    for k in range(done.num_full + 1):
        i = offloading[k] if k < done.num_full else done.part
        if i < 0:
            break
        data, t = frame[1, i], nats_at(devices, i, done.price)
        if k < done.num_full:
            # The load may exceed the frame by rounding and the tolerance.
            time = data / (eps * t) / max(1.0, done.load)
            rate = data
            t = data / (eps * time)
        else:
            time = max(0.0, 1.0 - done.load)
            rate = min(eps * t * time, data)
        power = min(math.expm1(t) / devices[SNR, i], constants.max_power)
        allocation[0, i], allocation[1, i] = rate, power * time
        allocation[3, i], allocation[4, i] = time, power
    return objective + done.value, done.price, SOLVED if done.found else UNSOLVED
