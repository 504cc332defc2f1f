"""Kernels of multi-slot MEC with queues: the optimal decision, by branch and bound; local search.

At a price of time mu every device is left to itself, which bounds all decisions. One that may do
either is worth, with L for computing locally and the other symbols of `queueing_kernels`,

    max(L, (a - c(mu)) Q) = L + max(0, (a - L / Q) - c(mu)) Q:

the gain over computing locally is that of a device which must offload, its bits being worth less.
So the bound is the allocation of one decision, and the devices that it serves decide by themselves;
only one that it serves in part does not. There the search branches.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from droo_core.ascent import improves
from env.queueing.kernels import kernel
from env.queueing.kernels.allocation import NOT_BINARY, SOLVED, UNSOLVED, is_binary, value_of
from env.queueing.kernels.devices import Constants, Devices, Floats, Offers, describe, offers_of
from env.queueing.kernels.knapsack import fill

LOCAL, OFFLOAD, FREE = 0, 1, 2

GAP = 1e-11  # relative distance to the best value within which a bound is discarded


@kernel
def with_worth(devices: Devices, worth: Floats) -> Devices:
    """Return the same devices whose Mbits have another worth `[N]`."""
    return Devices(
        worth,
        devices.energy_price,
        devices.data,
        devices.snr,
        devices.max_nats,
        devices.cap_price,
        devices.frequency,
        devices.local,
    )


@kernel
def gain_of(devices: Devices) -> Floats:
    """Return what a Mbit gains by being offloaded instead of computed locally, at no cost `[N]`."""
    gain = devices.worth.copy()
    for i in range(len(gain)):
        if devices.data[i] > 0.0:
            gain[i] -= devices.local[i] / devices.data[i]
    return gain


class Sides(NamedTuple):
    """A frame's devices as the search sees them: those that must offload, and those that may.

    A device with Q = 2 and a = 10 must not let its queue of worth 20 wait. If it may compute
    locally, for L = 14, there is only 6 to gain: it acts as if a were 3.

    Attributes:
        devices: of the frame.
        forced: up to which price of time each offloads if it must.
        gain: what a Mbit of each gains by that `[N]`.
        free: up to which price of time it offloads of itself.
    """

    devices: Devices
    forced: Offers
    gain: Floats
    free: Offers


@kernel
def bound(
    choices: NDArray[np.int8], sides: Sides, rate_per_nat: float
) -> tuple[float, NDArray[np.int8], int, bool]:
    """Bound all decisions that agree with some choices.

    Args:
        choices: of each device LOCAL, OFFLOAD or FREE `[N]`.
        sides: of the frame.
        rate_per_nat: eps.

    Returns:
        The bound; the decision `[N]` that it suggests, in which a free device served in part
        computes locally; that device, -1 if there is none, and then the decision is as good as the
        bound; and whether the price was found.
    """
    n = len(choices)
    worth, limits, times = sides.gain.copy(), sides.free.limits.copy(), sides.free.times.copy()
    decision, total = np.zeros(n, np.int8), 0.0
    for i in range(n):
        if choices[i] == OFFLOAD:
            worth[i], limits[i] = sides.devices.worth[i], sides.forced.limits[i]
            times[i], decision[i] = sides.forced.times[i], 1
        else:
            total += sides.devices.local[i]
            if choices[i] == LOCAL:
                limits[i] = 0.0
    order = np.argsort(-limits)
    count = 0
    while count < n and limits[order[count]] > 0.0:
        count += 1
    devices = with_worth(sides.devices, worth)
    done = fill(devices, Offers(limits, times), order[:count], rate_per_nat)
    for i in order[: done.num_full]:
        decision[i] = 1
    part = done.part
    if part >= 0 and choices[part] == OFFLOAD:
        part = -1  # to serve it in part is allowed
    return total + done.value, decision, part, done.found


@kernel
def fix_twins(choices: NDArray[np.int8], device: int, frame: Floats, weights: Floats) -> None:
    """Let those free devices compute locally that are like one that does.

    To let one of them offload in its place is the same decision but for their names.
    """
    for i in range(len(choices)):
        alike = weights[i] == weights[device]
        for row in frame:
            alike = alike and row[i] == row[device]
        if alike and choices[i] == FREE:
            choices[i] = LOCAL


@kernel
def branch_and_bound(
    frame: Floats,
    weights: Floats,
    constants: Constants,
    max_nodes: int,
    decision: NDArray[np.int64],
) -> tuple[float, float, int, int]:
    """Write the optimal decision `[N]`; the other arguments are those of `score`.

    Returns its objective, an upper bound on all, how many nodes that took, at most `max_nodes`, and
    SOLVED or UNSOLVED.
    """
    n, eps = len(weights), constants.rate_per_nat
    devices = describe(frame, weights, constants)
    gain = gain_of(devices)
    sides = Sides(
        devices, offers_of(devices, devices.worth, eps), gain, offers_of(devices, gain, eps)
    )
    # Depth first: a node on the stack has its choices and the bound of its parent.
    stack, bounds = np.full((n + 1, n), FREE, np.int8), np.full(n + 1, np.inf)
    depth, nodes, best, left = 1, 0, -1.0, 0.0
    outcome = SOLVED
    while depth > 0:
        depth -= 1
        if bounds[depth] <= best * (1.0 + GAP):
            continue
        if nodes == max_nodes:
            left = max(left, bounds[depth])
            continue
        nodes += 1
        choices = stack[depth].copy()
        value, suggested, part, found = bound(choices, sides, eps)
        if not found:
            outcome = UNSOLVED
        if value <= best * (1.0 + GAP):
            continue
        if part < 0:
            best = value
            decision[:] = suggested
            continue
        for choice in (LOCAL, OFFLOAD):  # the last is looked at first
            suggested[part] = choice
            reached, _, _, _ = bound(suggested, sides, eps)  # of one decision: what it earns
            if reached > best:
                best = reached
                decision[:] = suggested
            stack[depth] = choices
            stack[depth, part] = choice
            if choice == LOCAL:
                fix_twins(stack[depth], part, frame, weights)
            bounds[depth] = value
            depth += 1
    return best, max(left, best), nodes, outcome


@kernel
def climb(
    frame: Floats, weights: Floats, constants: Constants, decision: NDArray[np.int64]
) -> tuple[float, int, int]:
    """Change the one device whose change earns most, again and again, until none earns more.

    The decision `[N]` is changed in place; the other arguments are those of `score`. Returns its
    objective, how many decisions were scored, and what `score` returns.
    """
    if not is_binary(decision):
        return 0.0, 0, NOT_BINARY
    devices = describe(frame, weights, constants)
    offers = offers_of(devices, devices.worth, constants.rate_per_nat)
    order = np.argsort(-offers.limits)
    offloading = np.empty(len(order), np.int64)
    value, found = value_of(decision, devices, offers, order, offloading, constants)
    scored, all_found = 1, found
    while True:
        best, changed = -np.inf, -1
        for i in range(len(decision)):
            decision[i] = 1 - decision[i]
            tried, found = value_of(decision, devices, offers, order, offloading, constants)
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
    """Return what the price of time means to each device that decides by itself `[3, N]`.

    Up to which price it offloads; the time that it takes at that price, s; and that of all devices
    that offload at a higher one. The optimal decision is about to let those offload for whom the
    last is below 1. The arguments are those of `score`, and not checked.
    """
    devices = describe(frame, weights, constants)
    limits, times = offers_of(devices, gain_of(devices), constants.rate_per_nat)
    seen, ahead = np.empty((3, len(limits))), 0.0
    for i in np.argsort(-limits):
        seen[0, i], seen[1, i], seen[2, i] = limits[i], times[i], ahead
        ahead += times[i]
    return seen
