"""Kernels of wireless powered MEC: the open nodes of branch and bound, the largest bound first."""

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats
from droo_core.jit import inner_kernel
from droo_core.numeric import zeros

Decisions = NDArray[np.int8]  # [M, N]: 0, 1 or UNDECIDED

LOW, HIGH, PRICE, BOUND, HEAP = range(5)
"""Columns of `nodes`: lowest and highest energy time, price and bound of each node. HEAP is no part
of the node in its row: its first rows are a heap of the numbers of open nodes, as of heapq."""


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
