"""Kernels of multi-slot MEC with queues: the optimal decision, by branch and bound; local search.

A price of time mu separates the devices, which bounds all decisions. With L for the value of
computing locally and the other symbols of `devices`, the value of an undecided device is

    max(L, (a - c(mu)) Q) = L + max(0, (a - L / Q) - c(mu)) Q:

its gain over computing locally is that of an offloading device whose bits are worth less. So the
bound is the allocation of one decision. The devices that it serves in full decide by themselves;
the search branches on the device that it serves in part.
"""

import math

from droo_core.arrays import Floats, Ints
from droo_core.ascent import improves
from droo_core.jit import inner_kernel
from droo_core.numeric import argsort_descending, copy, integer_zeros, zeros
from env.queueing.kernels import kernel
from env.queueing.kernels.allocation import NOT_BINARY, SOLVED, UNSOLVED, is_binary, value_of
from env.queueing.kernels.devices import (
    DATA,
    LIMIT,
    LOCAL,
    ROWS,
    TIME,
    WORTH,
    Constants,
    describe,
    write_offers,
)
from env.queueing.kernels.knapsack import fill

AT_HOME, OFFLOAD, FREE = 0, 1, 2  # choices of devices

GAP = 1e-11  # relative distance to the best value within which a bound is discarded

FORCED, AS_FREE = ROWS, ROWS + 3
"""First of the three rows of `devices` `[ROWS + 6, N]` from which `bound` takes WORTH, LIMIT and
TIME: of devices that are forced to offload, and of devices that are free to choose.

Example: the queue of a device with Q = 2 and a = 10 is worth 20 if it is forced to offload. If it
may compute locally instead, for L = 14, the gain is only 6, as if a were 3."""

ORDER, CHOICES, SUGGESTED, IGNORED = range(4)  # rows of the buffer `numbers`


@inner_kernel
def write_gain(devices: Floats) -> None:
    """Set WORTH to the value of a free offloaded Mbit over one computed locally."""
    for i in range(devices.shape[1]):
        if devices[DATA, i] > 0.0:
            devices[WORTH, i] -= devices[LOCAL, i] / devices[DATA, i]


@inner_kernel
def write_and_copy_offers(devices: Floats, first_row: int, rate_per_nat: float) -> None:
    """Write the offers for the WORTH of the devices; copy WORTH, LIMIT and TIME to three rows.

    `first_row` is the first of the rows: FORCED or AS_FREE.
    """
    write_offers(devices, rate_per_nat)
    for i in range(devices.shape[1]):
        devices[first_row, i] = devices[WORTH, i]
        devices[first_row + 1, i] = devices[LIMIT, i]
        devices[first_row + 2, i] = devices[TIME, i]


@inner_kernel
def bound(
    choices: Ints, devices: Floats, order: Ints, rate_per_nat: float, decision: Ints
) -> tuple[float, int, bool]:
    """Bound all decisions that agree with some choices.

    Args:
        choices: AT_HOME, OFFLOAD or FREE for each device `[N]`.
        devices: of the frame, with the rows from FORCED and from AS_FREE on.
        order: buffer `[N]`.
        rate_per_nat: eps.
        decision: out, the decision `[N]` that the bound suggests, in which a free device served in
            part computes locally.

    Returns:
        The bound; that device, or -1 if there is none, in which case the decision attains the
        bound; and whether the price was found.
    """
    total = 0.0
    for i in range(len(choices)):
        row = FORCED if choices[i] == OFFLOAD else AS_FREE
        devices[WORTH, i] = devices[row, i]
        devices[LIMIT, i], devices[TIME, i] = devices[row + 1, i], devices[row + 2, i]
        decision[i] = 0
        if choices[i] == OFFLOAD:
            decision[i] = 1
        else:
            total += devices[LOCAL, i]
            if choices[i] == AT_HOME:
                devices[LIMIT, i] = 0.0
    argsort_descending(devices[LIMIT], order)
    count = 0
    while count < len(choices) and devices[LIMIT, order[count]] > 0.0:
        count += 1
    done = fill(devices, order, count, rate_per_nat)
    for k in range(done.num_full):
        decision[order[k]] = 1
    part = done.part
    if part >= 0 and choices[part] == OFFLOAD:
        part = -1  # a forced device may be served in part
    return total + done.value, part, done.found


@inner_kernel
def fix_twins(choices: Ints, device: int, frame: Floats, weights: Floats) -> None:
    """Fix free devices identical to a local one to compute locally.

    A decision in which one of them offloads instead is the same up to a permutation.
    """
    for i in range(len(weights)):
        alike = weights[i] == weights[device]
        for row in range(len(frame)):
            alike = alike and frame[row, i] == frame[row, device]
        if alike and choices[i] == FREE:
            choices[i] = AT_HOME


@inner_kernel
def search(
    frame: Floats,
    weights: Floats,
    rate_per_nat: float,
    max_nodes: int,
    devices: Floats,
    numbers: Ints,
    stack: Ints,
    above: Floats,
    decision: Ints,
) -> tuple[float, float, int, bool]:
    """Write the optimal decision of a frame `[N]`.

    Depth first: the stack `[N + 1, N]` holds the choices of each node, and `above` `[N + 1]` the
    bound of its parent.

    Returns:
        The objective of the decision, an upper bound on all objectives, the number of nodes
        searched, and whether all prices were found.
    """
    order, choices, suggested = numbers[ORDER], numbers[CHOICES], numbers[SUGGESTED]
    for i in range(len(weights)):
        stack[0, i] = FREE
    above[0] = math.inf
    depth, nodes, best, left, all_found = 1, 0, -1.0, 0.0, True
    while depth > 0:
        depth -= 1
        if above[depth] <= best * (1.0 + GAP):
            continue
        if nodes == max_nodes:
            left = max(left, above[depth])
            continue
        nodes += 1
        copy(stack[depth], choices)
        value, part, found = bound(choices, devices, order, rate_per_nat, suggested)
        all_found = all_found and found
        if value <= best * (1.0 + GAP):
            continue
        if part < 0:
            best = value
            copy(suggested, decision)
            continue
        for choice in range(2):  # AT_HOME, then OFFLOAD, which is popped first
            suggested[part] = choice
            # Of choices that leave none open, the bound is the value of the decision.
            reached, _, _ = bound(suggested, devices, order, rate_per_nat, numbers[IGNORED])
            if reached > best:
                best = reached
                copy(suggested, decision)
            copy(choices, stack[depth])
            stack[depth, part] = choice
            if choice == AT_HOME:
                fix_twins(stack[depth], part, frame, weights)
            above[depth] = value
            depth += 1
    return best, max(left, best), nodes, all_found


@kernel
def branch_and_bound(
    frames: Floats,
    weights: Floats,
    constants: Constants,
    max_nodes: int,
    decisions: Ints,
    objectives: Floats,
    bounds: Floats,
    searched: Ints,
) -> int:
    """Find the optimal decision of each frame.

    Args:
        frames: arguments `frame` of `allocation.score` `[T, 3, N]`.
        weights: w `[N]`.
        constants: of the problem.
        max_nodes: largest number of nodes of a frame to search.
        decisions: out, `[T, N]`; in, zeros.
        objectives: out, objectives of the decisions `[T]`.
        bounds: out, upper bounds on all objectives `[T]`.
        searched: out, numbers of nodes searched `[T]`.

    Returns:
        SOLVED or UNSOLVED.
    """
    n, eps = len(weights), constants.rate_per_nat
    devices, numbers = zeros(ROWS + 6, n), integer_zeros(4, n)
    stack, above = integer_zeros(n + 1, n), zeros(1, n + 1)[0]
    outcome = SOLVED
    for t in range(len(frames)):
        frame = frames[t]
        describe(frame, weights, constants, devices)
        write_and_copy_offers(devices, FORCED, eps)
        write_gain(devices)
        write_and_copy_offers(devices, AS_FREE, eps)
        objectives[t], bounds[t], searched[t], found = search(
            frame, weights, eps, max_nodes, devices, numbers, stack, above, decisions[t]
        )
        if not found:
            outcome = UNSOLVED
    return outcome


@kernel
def climb(
    frame: Floats, weights: Floats, constants: Constants, decision: Ints
) -> tuple[float, int, int]:
    """Change the one device whose change gains most, again and again, until none gains.

    Updates the decision `[N]`; the other arguments are those of `allocation.score`. Returns its
    objective, the number of decisions scored, and the outcome as `allocation.score` returns it.
    """
    if not is_binary(decision):
        return 0.0, 0, NOT_BINARY
    n, eps = len(weights), constants.rate_per_nat
    devices, numbers = zeros(ROWS, n), integer_zeros(2, n)
    order, offloading = numbers[0], numbers[1]
    describe(frame, weights, constants, devices)
    write_offers(devices, eps)
    argsort_descending(devices[LIMIT], order)
    value, found = value_of(decision, devices, order, offloading, eps)
    scored, all_found = 1, found
    while True:
        best, changed = -math.inf, -1
        for i in range(len(decision)):
            decision[i] = 1 - decision[i]
            tried, found = value_of(decision, devices, order, offloading, eps)
            decision[i] = 1 - decision[i]
            all_found = all_found and found
            if tried > best:
                best, changed = tried, i
        scored += len(decision)
        if not improves(best, value):
            return value, scored, SOLVED if all_found else UNSOLVED
        value = best
        decision[changed] = 1 - decision[changed]


@kernel
def outlook(frame: Floats, weights: Floats, constants: Constants) -> Floats:
    """Return each device's offer if free to choose, and the airtime ahead of it `[3, N]`.

    The rows are: the largest price of time at which the device offloads; its airtime at that price,
    s; and the sum of the airtimes of the devices with a higher price, s. In an optimal decision,
    roughly the devices with a third row below 1 offload. The arguments are those of
    `allocation.score`, and not checked.
    """
    n = len(weights)
    devices, numbers, seen = zeros(ROWS, n), integer_zeros(1, n), zeros(3, n)
    describe(frame, weights, constants, devices)
    write_gain(devices)
    write_offers(devices, constants.rate_per_nat)
    order = numbers[0]
    argsort_descending(devices[LIMIT], order)
    ahead = 0.0
    for k in range(n):
        i = order[k]
        seen[0, i], seen[1, i], seen[2, i] = devices[LIMIT, i], devices[TIME, i], ahead
        ahead += devices[TIME, i]
    return seen
