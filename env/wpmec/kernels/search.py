"""Kernels of wireless powered MEC: the optimal decision, with a certificate, by branch and bound.

Symbols are those of `solver`, bounds those of `bound`.
"""

import heapq
import math

import numpy as np

from droo_core.arrays import Floats, Ints
from env.common.lambert import log_snr
from env.wpmec.kernels import kernel
from env.wpmec.kernels.allocation import ACCEPTED, Decisions, Sums, all_local, change, solve_sums
from env.wpmec.kernels.bound import (
    UNDECIDED,
    Decision,
    Devices,
    describe,
    dual,
    lowest_dual,
)

LOW, HIGH, PRICE, BOUND = range(4)  # the columns of a node
MIN_WIDTH, MIN_INSIDE = 0.2, 3  # relative width and breakpoints of an interval that is split
ROOT_STEPS, NODE_STEPS = 30, 8  # largest numbers of prices tried


@kernel
def exchange_rule(gain: Floats, devices: Devices, value_bound: float, links: Ints) -> None:
    """Write for each device the devices that may be assumed to decide alike at an optimum.

    Let device i offload at SNR y while device j, of the same weight and with a gain r >= 1 times
    as large, computes locally. If they exchange decisions and the offloading time stays, the rate
    of the offloading device grows by the factor ln(1 + y r^2) / ln(1 + y), and that of the local
    device falls by r^(1/3) - 1 times the local rate of i, which is at most the rate of i by
    offloading, or i would not offload. So the exchange loses nothing if

        ln(1 + y r^2) >= r^(1/3) ln(1 + y).

    The left side over the right falls as y grows. y grows with the multiplier v, and at an optimum
    v is the value less two thirds of the local rates, so at most any bound on the value: with the y
    of that bound, the condition is a proof. It is tested on neighbours in the order of gains, which
    implies it for pairs further apart.

    Args:
        gain: channel gains `[N]`.
        devices: of the frame.
        value_bound: an upper bound on the value of every decision.
        links: out, `[2, N]`: the device that computes locally if this one does, and the device that
            offloads if this one does; -1 if the condition fails or there is none.
    """
    links[:] = -1
    previous = np.full(len(devices.class_weights), -1)
    for i in np.argsort(-gain):
        c = devices.class_of[i]
        j, previous[c] = previous[c], i
        if j >= 0 and gain[i] > 0.0:
            t = log_snr(value_bound / (devices.class_weights[c] * devices.eps))  # ln(1 + y)
            r = gain[j] / gain[i]
            if math.log1p(-math.expm1(-t) * (r * r - 1.0)) >= (np.cbrt(r) - 1.0) * t:
                links[0, j] = i
                links[1, i] = j


@kernel
def fix(device: int, choice: int, links: Ints, fixed: Decision) -> None:
    """Fix the choice of a device and of the devices linked to it in `fixed` `[N]`."""
    while device >= 0:
        fixed[device] = choice
        device = links[choice, device]


@kernel
def fix_proven(
    slack: float,
    low: float,
    high: float,
    devices: Devices,
    links: Ints,
    fixed: Decision,
) -> None:
    """Fix each device whose other choice would lower the bound by `slack` or more.

    `slack` is the distance of the bound to the value below which nodes are discarded; `low`, `high`
    and `devices` are the arguments of the last call of `dual`.
    """
    _, local, _, _, _, offload, breakpoints = devices
    for i in range(len(fixed)):
        if fixed[i] == UNDECIDED:
            # The advantage of computing locally is concave in the energy time, zero at the
            # breakpoint and decreasing from there on: its minimum over the interval is at an end.
            at_low = local[i] * np.cbrt(low) - offload[i] * low
            at_high = local[i] * np.cbrt(high) - offload[i] * high
            if breakpoints[i] >= high and min(at_low, at_high) >= slack:
                fix(i, 0, links, fixed)
            elif breakpoints[i] <= low and -at_low >= slack:
                fix(i, 1, links, fixed)


@kernel
def value_of(sums: Sums, decision: Decision, devices: Devices) -> float:
    """Return the value of a decision `[N]`, or NaN if it cannot be found."""
    change(sums, decision, devices.snr, devices.local, devices.class_of)
    value, _, error = solve_sums(sums, devices.class_weights, devices.eps)
    return value if error <= ACCEPTED else math.nan


@kernel
def bound_node(
    node: Floats, fixed: Decision, devices: Devices, enough: float, max_steps: int
) -> None:
    """Update price and bound of a node, initially those of its parent."""
    bound, node[PRICE] = lowest_dual(
        node[PRICE], node[LOW], node[HIGH], fixed, devices, enough, max_steps
    )
    node[BOUND] = min(node[BOUND], bound)


@kernel
def choose(fixed: Decision, breakpoints: Floats, energy_time: float, decision: Decision) -> int:
    """Write each device's best choice at an energy time into `decision` `[N]`.

    Returns the undecided device whose breakpoint is nearest to that time, or -1 if all are decided.
    """
    found, nearest = -1, math.inf
    for i in range(len(fixed)):
        decision[i] = fixed[i]
        if fixed[i] == UNDECIDED:
            decision[i] = breakpoints[i] < energy_time
            distance = abs(breakpoints[i] - energy_time)
            if found < 0 or distance < nearest:
                found, nearest = i, distance
    return found


@kernel
def copy(source: Floats | Decision, target: Floats | Decision) -> None:
    """Copy a vector; numba would take a second to compile `target[:] = source`."""
    for i in range(len(source)):
        target[i] = source[i]


@kernel
def with_room_for_two(nodes: Floats, fixed: Decisions, used: int) -> tuple[Floats, Decisions]:
    """Return nodes and partial decisions with at least two unused rows, if need be copied."""
    if used + 2 > len(nodes):
        more_nodes = np.empty((2 * used + 2, nodes.shape[1]))
        more_fixed = np.empty((2 * used + 2, fixed.shape[1]), np.int8)
        for k in range(used):
            copy(nodes[k], more_nodes[k])
            copy(fixed[k], more_fixed[k])
        return more_nodes, more_fixed
    return nodes, fixed


@kernel
def branch_and_bound(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    gap: float,
    max_nodes: int,
    decision: Decision,
    fixed: Decisions,
    nodes: Floats,
) -> tuple[float, Decisions, Floats]:
    """Search the open nodes for the best decision, in the order of their bounds, largest first.

    A node is an interval of energy times and a partial decision; its bound is that of `dual`. The
    devices' choices at its price are a candidate for the best decision. Devices are fixed where
    this is proven right. A node with undecided devices is split: in the middle of its interval if
    this is wide and holds several breakpoints, else at the device whose breakpoint is nearest to
    the best energy time.

    Args:
        gain: channel gains `[N]`, not all zero.
        class_of: weight class of each device `[N]`.
        class_weights: weight of each class `[C]`.
        constants: as in `allocation.score`.
        gap: nodes with a bound of at most `(1 + gap)` times the best value are discarded.
        max_nodes: largest number of nodes to split.
        decision: in and out, best decision `[N]` so far.
        fixed: partial decisions of the open nodes `[M, N]`, 0, 1 or `UNDECIDED`.
        nodes: lowest and highest energy time, price and bound of the open nodes `[M, 4]`; the first
            call takes one node 0, 1, 0, inf.

    Returns:
        The best value, or NaN if numbers overflowed, and the nodes still open, as `fixed` and
        `nodes`.
    """
    devices = describe(gain, class_of, class_weights, constants)
    sums = all_local(devices.local, len(class_weights))
    best = value_of(sums, decision, devices)
    if not best > 0.0:
        return math.nan, fixed, nodes
    if nodes[0, BOUND] == math.inf:
        fixed[0, gain == 0.0] = 0
        nodes[0, PRICE] = best
        bound_node(nodes[0], fixed[0], devices, best, ROOT_STEPS)
        if nodes[0, BOUND] == math.inf:
            return math.nan, fixed, nodes
    heap = [(-nodes[k, BOUND], k) for k in range(len(nodes))]
    heapq.heapify(heap)
    links = np.empty((2, len(gain)), np.int64)
    exchange_rule(gain, devices, -heap[0][0], links)

    trial = np.empty_like(decision)
    used = len(nodes)
    for _ in range(max_nodes):
        if len(heap) == 0 or -heap[0][0] <= best * (1.0 + gap):
            break
        k = heapq.heappop(heap)[1]
        low, high, price, bound = nodes[k]
        _, _, a, num_inside = dual(price, low, high, fixed[k], devices)
        slack = bound - best * (1.0 + gap)
        fix_proven(slack, low, high, devices, links, fixed[k])
        device = choose(fixed[k], devices.breakpoints, a, trial)
        value = value_of(sums, trial, devices)
        if value > best:
            best = value
            copy(trial, decision)
        if device < 0:  # this was the node's only decision
            continue

        nodes, fixed = with_room_for_two(nodes, fixed, used)
        for half in range(2):
            copy(fixed[k], fixed[used])
            copy(nodes[k], nodes[used])
            if num_inside < MIN_INSIDE or high - low <= MIN_WIDTH * high:
                fix(device, half, links, fixed[used])
            else:
                nodes[used, LOW if half else HIGH] = 0.5 * (low + high)
            bound_node(nodes[used], fixed[used], devices, best * (1.0 + gap), NODE_STEPS)
            if nodes[used, BOUND] > best * (1.0 + gap):
                heapq.heappush(heap, (-nodes[used, BOUND], used))
                used += 1

    still_open = np.array([k for bound, k in heap if -bound > best * (1.0 + gap)], np.int64)
    return best, fixed[still_open], nodes[still_open]
