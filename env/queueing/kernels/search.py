"""Kernels of multi-slot MEC with queues: the optimal decision, by branch and bound; local search.

A price of time mu separates the devices, which bounds all decisions. With L for the value of
computing locally and the other symbols of `devices`, the value of an undecided device is

    max(L, (a - c(mu)) Q) = L + max(0, (a - L / Q) - c(mu)) Q:

its gain over computing locally is that of an offloading device whose bits are worth less. So the
bound is the allocation of one decision. The devices that it serves in full decide by themselves;
the search branches on the device that it serves in part.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats
from droo_core.ascent import improves
from env.queueing.kernels import kernel
from env.queueing.kernels.allocation import NOT_BINARY, SOLVED, UNSOLVED, is_binary, value_of
from env.queueing.kernels.devices import Constants, Devices, Offers, describe, offers_of
from env.queueing.kernels.knapsack import fill

LOCAL, OFFLOAD, FREE = 0, 1, 2

GAP = 1e-11  # relative distance to the best value within which a bound is discarded


@kernel
def with_worth(devices: Devices, worth: Floats) -> Devices:
    """Return the same devices with another worth `[N]` of their Mbits."""
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
    """Return the value of a free offloaded Mbit over one computed locally `[N]`."""
    gain = devices.worth.copy()
    for i in range(len(gain)):
        if devices.data[i] > 0.0:
            gain[i] -= devices.local[i] / devices.data[i]
    return gain


class Sides(NamedTuple):
    """The devices of a frame, each both as forced to offload and as free to choose.

    Example: the queue of a device with Q = 2 and a = 10 is worth 20 if it is forced to offload. If
    it may compute locally instead, for L = 14, the gain is only 6, as if a were 3.

    Attributes:
        devices: of the frame.
        forced: offers of the devices if forced to offload.
        gain: value of an offloaded Mbit over one computed locally `[N]`.
        free: offers of the devices if free to choose.
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
        choices: LOCAL, OFFLOAD or FREE for each device `[N]`.
        sides: of the frame.
        rate_per_nat: eps.

    Returns:
        The bound; the decision `[N]` that it suggests, in which a free device served in part
        computes locally; that device, or -1 if there is none, in which case the decision attains
        the bound; and whether the price was found.
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
        part = -1  # a forced device may be served in part
    return total + done.value, decision, part, done.found


@kernel
def fix_twins(choices: NDArray[np.int8], device: int, frame: Floats, weights: Floats) -> None:
    """Fix free devices identical to a local one to compute locally.

    A decision in which one of them offloads instead is the same up to a permutation.
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
    """Write the optimal decision `[N]`.

    The other arguments are those of `allocation.score`. Returns the objective of the decision, an
    upper bound on all objectives, the number of nodes searched, at most `max_nodes`, and SOLVED or
    UNSOLVED.
    """
    n, eps = len(weights), constants.rate_per_nat
    devices = describe(frame, weights, constants)
    gain = gain_of(devices)
    sides = Sides(
        devices, offers_of(devices, devices.worth, eps), gain, offers_of(devices, gain, eps)
    )
    # Depth first: the stack holds the choices of each node and the bound of its parent.
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
        for choice in (LOCAL, OFFLOAD):  # the last is popped first
            suggested[part] = choice
            reached, _, _, _ = bound(suggested, sides, eps)  # the value of one decision
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
    """Change the one device whose change gains most, again and again, until none gains.

    Updates the decision `[N]`; the other arguments are those of `allocation.score`. Returns its
    objective, the number of decisions scored, and the outcome as `allocation.score` returns it.
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
    """Return each device's offer if free to choose, and the airtime ahead of it `[3, N]`.

    The rows are: the largest price of time at which the device offloads; its airtime at that price,
    s; and the sum of the airtimes of the devices with a higher price, s. In an optimal decision,
    roughly the devices with a third row below 1 offload. The arguments are those of
    `allocation.score`, and not checked.
    """
    devices = describe(frame, weights, constants)
    limits, times = offers_of(devices, gain_of(devices), constants.rate_per_nat)
    seen, ahead = np.empty((3, len(limits))), 0.0
    for i in np.argsort(-limits):
        seen[0, i], seen[1, i], seen[2, i] = limits[i], times[i], ahead
        ahead += times[i]
    return seen
