"""Kernels of multi-slot MEC with queues: the optimal decision, by bound and branch.

At a price of time mu every device is left to itself, which bounds all decisions. One that may do
either is worth, with L for computing locally and the other symbols of `queueing_kernels`,

    max(L, (a - c(mu)) Q) = L + max(0, (a - L / Q) - c(mu)) Q:

the gain over computing locally is that of a device which must offload, its bits being worth less.
So the bound is the allocation of one decision, and the devices that it serves decide by themselves;
only one that it serves in part does not. There the search branches.
"""

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
    describe,
    fill,
    frame_is_valid,
    limit_price,
    limits_of,
    value_of,
)

LOCAL, OFFLOAD, FREE = 0, 1, 2

GAP = 1e-11  # relative: a bound that is no further above the best decision is not pursued


@kernel
def free_devices(devices: Devices, constants: Constants) -> tuple[Devices, Floats]:
    """Return the devices as they are while free, their bits worth what they gain, and limits."""
    worth, limits = devices.worth.copy(), np.zeros(len(devices.worth))
    for i in range(len(worth)):
        if devices.data[i] > 0.0:
            worth[i] -= devices.local[i] / devices.data[i]
            limits[i] = limit_price(
                worth[i],
                devices.energy_price[i],
                devices.snr[i],
                devices.most_nats[i],
                constants.rate_per_nat,
            )
    free = Devices(
        worth,
        devices.energy_price,
        devices.data,
        devices.snr,
        devices.most_nats,
        devices.capped,
        devices.frequency,
        devices.local,
    )
    return free, limits


@kernel
def bound(
    choices: NDArray[np.int8],
    devices: Devices,
    limits: Floats,
    free: Devices,
    free_limits: Floats,
    rate_per_nat: float,
) -> tuple[float, NDArray[np.int8], int, bool]:
    """Bound all decisions that agree with some choices.

    Args:
        choices: of each device LOCAL, OFFLOAD or FREE `[N]`.
        devices: those that must offload.
        limits: of these.
        free: what `free_devices` returned, the same for those that may.
        free_limits: likewise.
        rate_per_nat: eps.

    Returns:
        The bound; the decision `[N]` that it suggests, in which a free device served in part
        computes locally; that device, -1 if there is none, and then the decision is as good as the
        bound; and whether the price was found.
    """
    n = len(choices)
    worth, of_node = free.worth.copy(), free_limits.copy()
    decision, total = np.zeros(n, np.int8), 0.0
    for i in range(n):
        if choices[i] == OFFLOAD:
            worth[i], of_node[i] = devices.worth[i], limits[i]
            decision[i] = 1
        else:
            total += devices.local[i]
            if choices[i] == LOCAL:
                of_node[i] = 0.0
    mixed = Devices(
        worth,
        devices.energy_price,
        devices.data,
        devices.snr,
        devices.most_nats,
        devices.capped,
        devices.frequency,
        devices.local,
    )
    order = np.argsort(-of_node)
    count = 0
    while count < n and of_node[order[count]] > 0.0:
        count += 1
    price, few, part, found = fill(mixed, of_node, order[:count], rate_per_nat)
    total += value_of(mixed, order[:few], price, rate_per_nat)
    for i in order[:few]:
        decision[i] = 1
    if part >= 0 and choices[part] == OFFLOAD:
        part = -1  # to serve it in part is allowed
    return total, decision, part, found


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
    n = len(weights)
    devices = describe(frame, weights, constants)
    limits = limits_of(devices, constants)
    free, free_limits = free_devices(devices, constants)
    eps = constants.rate_per_nat

    # Depth first: a node on the stack has its choices and the bound of its parent.
    stack, bounds = np.full((n + 1, n), FREE, np.int8), np.full(n + 1, np.inf)
    depth, nodes, best, left = 1, 0, -1.0, 0.0
    outcome = SOLVED
    while depth > 0:
        depth -= 1
        if bounds[depth] <= best * (1.0 + GAP):
            continue
        choices = stack[depth].copy()
        if nodes == max_nodes:
            left = max(left, bounds[depth])
            continue
        nodes += 1
        value, suggested, part, found = bound(choices, devices, limits, free, free_limits, eps)
        if not found:
            outcome = UNSOLVED
        if value <= best * (1.0 + GAP):
            continue
        reached = value
        if part >= 0:  # what the suggestion earns: it alone remains
            reached, _, _, _ = bound(suggested, devices, limits, free, free_limits, eps)
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
