"""Kernels of wireless powered MEC: the optimal decision, with a certificate, by branch and bound.

Symbols are those of `solver`, bounds those of `bound`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints
from droo_core.jit import inner_kernel
from droo_core.numeric import argsort_descending, copy, cube_root, integer_zeros, zeros
from env.common.lambert import log_snr
from env.wpmec.kernels import kernel
from env.wpmec.kernels.allocation import ACCEPTED, LOCAL, all_local, change, solve_sums
from env.wpmec.kernels.bound import (
    BREAKPOINT,
    CLASS,
    OFFLOAD,
    UNDECIDED,
    Decision,
    describe,
    dual,
    lowest_dual,
)
from env.wpmec.kernels.solver import COLUMNS, SCALE

Decisions = NDArray[np.int8]  # [M, N]

LOW, HIGH, PRICE, BOUND, HEAP = range(5)
"""Columns of `nodes`: lowest and highest energy time, price and bound of each node. HEAP is no part
of the node in its row: its first rows are a heap of the numbers of open nodes, as of heapq."""

ORDER, LINKS = 2, 3
"""Rows of `numbers` `[5, N]` beside those of `bound`: a buffer; and in row LINKS + x, for each
device the device that chooses x if this one does, or -1."""

MIN_WIDTH, MIN_INSIDE = 0.2, 3  # relative width and breakpoints of an interval that is split
ROOT_STEPS, NODE_STEPS = 30, 8  # largest numbers of prices tried


@inner_kernel
def exchange_rule(
    gain: Floats, value_bound: float, numbers: Ints, classes: Floats, previous: Ints
) -> None:
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

    Writes the links into `numbers`: the device that computes locally if this one does, and the
    device that offloads if this one does; -1 if the condition fails or there is none.

    Args:
        gain: channel gains `[N]`.
        value_bound: an upper bound on the value of every decision.
        numbers: of the devices `[5, N]`.
        classes: of the devices `[C, COLUMNS]`.
        previous: buffer `[C]`.
    """
    order = numbers[ORDER]
    argsort_descending(gain, order)
    for c in range(len(classes)):
        previous[c] = -1
    for k in range(len(gain)):
        i = order[k]
        c = numbers[CLASS, i]
        j = previous[c]
        previous[c] = i
        numbers[LINKS, i] = numbers[LINKS + 1, i] = -1
        if j >= 0 and gain[i] > 0.0:
            t = log_snr(value_bound / classes[c, SCALE])  # ln(1 + y)
            r = gain[j] / gain[i]
            if math.log1p(-math.expm1(-t) * (r * r - 1.0)) >= (cube_root(r) - 1.0) * t:
                numbers[LINKS, j] = i
                numbers[LINKS + 1, i] = j


@inner_kernel
def fix(device: int, choice: int, numbers: Ints, fixed: Decision) -> None:
    """Fix the choice of a device and of the devices linked to it in `fixed` `[N]`."""
    while device >= 0:
        fixed[device] = choice
        device = numbers[LINKS + choice, device]


@inner_kernel
def fix_proven(
    slack: float, low: float, high: float, devices: Floats, numbers: Ints, fixed: Decision
) -> None:
    """Fix each device whose other choice would lower the bound by `slack` or more.

    `slack` is the distance of the bound to the value below which nodes are discarded; `low`, `high`
    and `devices` are the arguments of the last call of `dual`.
    """
    root_of_low, root_of_high = cube_root(low), cube_root(high)
    for i in range(len(fixed)):
        if fixed[i] == UNDECIDED:
            # The advantage of computing locally is concave in the energy time, zero at the
            # breakpoint and decreasing from there on: its minimum over the interval is at an end.
            local, offload, onset = devices[LOCAL, i], devices[OFFLOAD, i], devices[BREAKPOINT, i]
            at_low = local * root_of_low - offload * low
            at_high = local * root_of_high - offload * high
            if onset >= high and min(at_low, at_high) >= slack:
                fix(i, 0, numbers, fixed)
            elif onset <= low and -at_low >= slack:
                fix(i, 1, numbers, fixed)


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
def is_before(nodes: Floats, k: int, other: int) -> bool:
    """Return whether node k has a larger bound than another, or the same and a smaller number."""
    bound, of_other = nodes[k, BOUND], nodes[other, BOUND]
    return bound > of_other or (bound == of_other and k < other)


@inner_kernel
def rise(nodes: Floats, top: int, at: int) -> None:
    """Move the entry `at` of the heap up to its place, `top` at the highest."""
    k = int(nodes[at, HEAP])
    while at > top:
        parent = (at - 1) // 2
        other = int(nodes[parent, HEAP])
        if not is_before(nodes, k, other):
            break
        nodes[at, HEAP] = other
        at = parent
    nodes[at, HEAP] = k


@inner_kernel
def sink(nodes: Floats, size: int, top: int) -> None:
    """Move the entry `top` of a heap of this size down to its place: to a leaf, and up again."""
    at, k = top, nodes[top, HEAP]
    child = 2 * at + 1
    while child < size:
        right = child + 1
        if right < size and not is_before(nodes, int(nodes[child, HEAP]), int(nodes[right, HEAP])):
            child = right
        nodes[at, HEAP] = nodes[child, HEAP]
        at = child
        child = 2 * at + 1
    nodes[at, HEAP] = k
    rise(nodes, top, at)


@inner_kernel
def build_heap(nodes: Floats, size: int) -> None:
    """Put the first nodes into the heap."""
    for k in range(size):
        nodes[k, HEAP] = k
    for top in range(size // 2 - 1, -1, -1):
        sink(nodes, size, top)


@inner_kernel
def copy_node(
    nodes: Floats, fixed: Decisions, k: int, to_nodes: Floats, to_fixed: Decisions, at: int
) -> None:
    """Copy node k into row `at` of other nodes."""
    for column in range(nodes.shape[1]):
        to_nodes[at, column] = nodes[k, column]
    for i in range(fixed.shape[1]):
        to_fixed[at, i] = fixed[k, i]


@inner_kernel
def room_for(rows: int, num_devices: int) -> tuple[Floats, Decisions]:
    """Return arrays for nodes and their partial decisions."""
    return zeros(rows, HEAP + 1), np.empty((rows, num_devices), np.int8)


@inner_kernel
def grown(nodes: Floats, fixed: Decisions, used: int) -> tuple[Floats, Decisions]:
    """Return nodes and partial decisions with at least two unused rows, if need be copied."""
    if used + 2 <= len(nodes):
        return nodes, fixed
    more_nodes, more_fixed = room_for(2 * used + 2, fixed.shape[1])
    for k in range(used):
        copy_node(nodes, fixed, k, more_nodes, more_fixed, k)
    return more_nodes, more_fixed


@inner_kernel
def open_of(
    nodes: Floats, fixed: Decisions, size: int, enough: float
) -> tuple[int, Decisions, Floats]:
    """Return the number of nodes in the heap with a larger bound than `enough`, and these alone."""
    num_open = 0
    open_nodes, open_fixed = nodes, fixed
    for row in range(size):
        k = int(nodes[row, HEAP])
        if nodes[k, BOUND] > enough:
            if num_open == 0:
                open_nodes, open_fixed = room_for(size, fixed.shape[1])
            copy_node(nodes, fixed, k, open_nodes, open_fixed, num_open)
            num_open += 1
    return num_open, open_fixed, open_nodes


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
    used: int,
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
        used: number of the open nodes, which come first; 0 starts a new search.

    Returns:
        The best value, or NaN if numbers overflowed; and the number of nodes still open, with the
        arrays that hold them.
    """
    current, trial, previous = choices[0], choices[1], choices[2]
    best = value_of(decision, current, devices, class_of, sums)
    if not best > 0.0:
        return math.nan, max(used, 1), fixed, nodes
    if used == 0:
        used = 1
        if not bound_root(gain, best, devices, numbers, classes, fixed[0], nodes[0]):
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
    num_open, fixed, nodes = open_of(nodes, fixed, size, best * (1.0 + gap))
    return best, num_open, fixed, nodes


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
