"""Kernels of multi-slot MEC with queues: the optimal decision, by bound and branch.

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

from env.resource_allocation.jit import kernel
from env.resource_allocation.queueing_kernels import (
    BAD_FRAME,
    SOLVED,
    UNSOLVED,
    Constants,
    Devices,
    Floats,
    Offers,
    describe,
    fill,
    frame_is_valid,
    offers_of,
)

LOCAL, OFFLOAD, FREE = 0, 1, 2

GAP = 1e-11  # relative: a bound that is no further above the best decision is not pursued


@kernel
def with_worth(devices: Devices, worth: Floats) -> Devices:
    """Return the same devices whose Mbits have another worth `[N]`."""
    return Devices(
        worth,
        devices.energy_price,
        devices.data,
        devices.snr,
        devices.most_nats,
        devices.capped,
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
    """A frame's devices as they are if they must offload, and if they may.

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
    for i in order[: done.few]:
        decision[i] = 1
    part = done.part
    if part >= 0 and choices[part] == OFFLOAD:
        part = -1  # to serve it in part is allowed
    return total + done.value, decision, part, done.found


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
    SOLVED, or BAD_FRAME, or UNSOLVED.
    """
    if not frame_is_valid(frame):
        return 0.0, 0.0, 0, BAD_FRAME
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
        reached = value
        if part >= 0:  # what the suggestion earns: it alone remains
            reached, _, _, _ = bound(suggested, sides, eps)
        if reached > best:
            best = reached
            decision[:] = suggested
        if part >= 0:
            for choice in (LOCAL, OFFLOAD):  # the last is looked at first
                stack[depth] = choices
                stack[depth, part] = choice
                bounds[depth] = value
                depth += 1
    return best, max(left, best), nodes, outcome
