"""Kernels of wireless powered MEC: the optimal decision, with a certificate, by branch and bound.

Symbols are those of `solver`, bounds those of `bound`.
"""

import math

from droo_core.arrays import Floats, Ints
from droo_core.jit import inner_kernel
from droo_core.numeric import copy, integer_zeros, zeros
from env.wpmec.kernels import kernel
from env.wpmec.kernels.allocation import ACCEPTED, all_local, change, solve_sums
from env.wpmec.kernels.bound import (
    BREAKPOINT,
    UNDECIDED,
    Decision,
    describe,
    dual,
    lowest_dual,
)
from env.wpmec.kernels.fixing import LINKS, exchange_rule, fix, fix_proven
from env.wpmec.kernels.nodes import (
    BOUND,
    HEAP,
    HIGH,
    LOW,
    PRICE,
    Decisions,
    build_heap,
    copy_node,
    grown,
    open_of,
    rise,
    sink,
)
from env.wpmec.kernels.solver import COLUMNS

MIN_WIDTH, MIN_INSIDE = 0.2, 3  # relative width and breakpoints of an interval that is split
ROOT_STEPS, NODE_STEPS = 30, 8  # largest numbers of prices tried


@inner_kernel
def value_of(decision: Ints, current: Ints, devices: Floats, class_of: Ints, sums: Floats) -> float:
    """Return the value of a decision `[N]`, or NaN if it cannot be found."""
    change(current, decision, devices, class_of, sums)
    value, _, error = solve_sums(sums)
    return value if error <= ACCEPTED else math.nan


@inner_kernel
def choose(fixed: Decision, devices: Floats, energy_time: float, decision: Ints) -> int:
    """Write each device's best choice at an energy time into `decision` `[N]`.

    Returns the undecided device whose breakpoint is nearest to that time, or -1 if all are decided.
    """
    found, nearest = -1, math.inf
    for i in range(len(fixed)):
        decision[i] = fixed[i]
        if fixed[i] == UNDECIDED:
            onset = devices[BREAKPOINT, i]
            decision[i] = onset < energy_time
            distance = abs(onset - energy_time)
            if found < 0 or distance < nearest:
                found, nearest = i, distance
    return found


@inner_kernel
def bound_root(
    gain: Floats,
    best: float,
    devices: Floats,
    numbers: Ints,
    classes: Floats,
    fixed: Decision,
    node: Floats,
) -> bool:
    """Write the first node of a frame, and return whether its bound is finite."""
    for i in range(len(gain)):
        fixed[i] = 0 if gain[i] == 0.0 else UNDECIDED
    node[LOW], node[HIGH] = 0.0, 1.0
    bound, node[PRICE] = lowest_dual(
        best, 0.0, 1.0, fixed, devices, numbers, classes, best, ROOT_STEPS
    )
    node[BOUND] = bound
    return bound < math.inf


@inner_kernel
def bound_child(
    node: Floats,
    fixed: Decision,
    devices: Floats,
    numbers: Ints,
    classes: Floats,
    enough: float,
) -> bool:
    """Update price and bound, initially the parent's; return whether the bound exceeds `enough`."""
    bound, node[PRICE] = lowest_dual(
        node[PRICE], node[LOW], node[HIGH], fixed, devices, numbers, classes, enough, NODE_STEPS
    )
    node[BOUND] = bound = min(float(node[BOUND]), bound)
    return bound > enough


@inner_kernel
def search(
    gain: Floats,
    class_of: Ints,
    devices: Floats,
    numbers: Ints,
    classes: Floats,
    sums: Floats,
    choices: Ints,
    gap: float,
    max_nodes: int,
    decision: Ints,
    fixed: Decisions,
    nodes: Floats,
    num_open: int,
) -> tuple[float, int, Decisions, Floats]:
    """Search the open nodes of one frame, as described in `branch_and_bound`.

    Args:
        gain: channel gains `[N]`.
        class_of: weight class of each device `[N]`.
        devices: as for `dual`.
        numbers: as for `exchange_rule`.
        classes: as for `dual`.
        sums: of the all-local decision.
        choices: buffers `[3, N]`, zeros.
        gap: as for `branch_and_bound`.
        max_nodes: largest number of nodes to split.
        decision: in and out, best decision `[N]` so far.
        fixed: partial decisions of the nodes `[M, N]`.
        nodes: the open nodes `[M, 5]`.
        num_open: number of the open nodes, which come first; 0 starts a new search.

    Returns:
        The best value, or NaN if numbers overflowed; and the number of nodes still open, with the
        arrays that hold them.
    """
    current, trial, previous = choices[0], choices[1], choices[2]
    used = max(num_open, 1)  # rows that hold nodes
    best = value_of(decision, current, devices, class_of, sums)
    if not best > 0.0:
        return math.nan, used, fixed, nodes
    bounded = num_open > 0 or bound_root(gain, best, devices, numbers, classes, fixed[0], nodes[0])
    if not bounded:
        return math.nan, used, fixed, nodes
    size = used
    build_heap(nodes, size)
    exchange_rule(gain, nodes[int(nodes[0, HEAP]), BOUND], numbers, classes, previous)

    for _ in range(max_nodes):
        k = int(nodes[0, HEAP])
        low, high, bound = nodes[k, LOW], nodes[k, HIGH], nodes[k, BOUND]
        if size == 0 or bound <= best * (1.0 + gap):
            break
        size -= 1
        nodes[0, HEAP] = nodes[size, HEAP]
        sink(nodes, size, 0)
        parent = fixed[k]
        _, _, a, num_inside = dual(nodes[k, PRICE], low, high, parent, devices, numbers, classes)
        slack = bound - best * (1.0 + gap)
        fix_proven(slack, low, high, devices, numbers, parent)
        device = choose(parent, devices, a, trial)
        value = value_of(trial, current, devices, class_of, sums)
        if value > best:
            best = value
            copy(trial, decision)
        if device < 0:  # this was the node's only decision
            continue

        nodes, fixed = grown(nodes, fixed, used)
        enough = best * (1.0 + gap)
        for half in range(2):
            copy_node(nodes, fixed, k, nodes, fixed, used)
            node, child = nodes[used], fixed[used]
            if num_inside < MIN_INSIDE or high - low <= MIN_WIDTH * high:
                fix(device, half, numbers, child)
            else:
                node[LOW if half else HIGH] = 0.5 * (low + high)
            if bound_child(node, child, devices, numbers, classes, enough):
                nodes[size, HEAP] = used
                rise(nodes, 0, size)
                size += 1
                used += 1
    left, fixed, nodes = open_of(nodes, fixed, size, best * (1.0 + gap))
    return best, left, fixed, nodes


@kernel
def branch_and_bound(
    gains: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    gap: float,
    max_nodes: int,
    rates: Floats,
    decisions: Ints,
    fixed: Decisions,
    nodes: Floats,
    num_open: int,
) -> tuple[int, int, Decisions, Floats]:
    """Search the best decisions of frames, one after another, until a search is not finished.

    A node is an interval of energy times and a partial decision; its bound is that of `dual`. The
    devices' choices at its price are a candidate for the best decision. Devices are fixed where
    this is proven right. The open nodes are searched in the order of their bounds, largest first.
    A node with undecided devices is split: in the middle of its interval if this is wide and holds
    several breakpoints, else at the device whose breakpoint is nearest to the best energy time.

    Args:
        gains: channel gains `[T, N]`, valid.
        class_of: weight class of each device `[N]`.
        class_weights: weight of each class `[C]`.
        constants: as in `allocation.score`.
        gap: nodes with a bound of at most `(1 + gap)` times the best value are discarded.
        max_nodes: largest number of nodes of a frame to split.
        rates: out, the best value of each frame `[T]`, or NaN if numbers overflowed.
        decisions: in and out, best decision of each frame so far `[T, N]`.
        fixed: partial decisions of the open nodes of the first frame `[M, N]`, 0, 1 or `UNDECIDED`.
        nodes: its open nodes `[M, 5]`.
        num_open: the number of its open nodes, the first rows; 0 starts a new search.

    Returns:
        The number of frames finished; and the number of open nodes of the frame after these, with
        the arrays that hold them. The number is 0 if all are finished.
    """
    num_devices = len(class_of)
    devices, numbers = zeros(4, num_devices), integer_zeros(LINKS + 2, num_devices)
    classes, choices = zeros(len(class_weights), COLUMNS), integer_zeros(3, num_devices)
    for t in range(len(gains)):
        gain, some = gains[t], False
        for i in range(num_devices):
            some = some or gain[i] > 0.0
        if not some:  # all rates are 0
            rates[t] = 0.0
            continue
        describe(gain, class_of, class_weights, constants, devices, numbers, classes)
        for i in range(num_devices):
            choices[0, i] = 0
        rates[t], num_open, fixed, nodes = search(
            gain,
            class_of,
            devices,
            numbers,
            classes,
            all_local(devices, class_weights, constants[2]),
            choices,
            gap,
            max_nodes,
            decisions[t],
            fixed,
            nodes,
            num_open,
        )
        if num_open > 0:
            return t, num_open, fixed, nodes
    return len(gains), 0, fixed, nodes
