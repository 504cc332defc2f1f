"""Kernels in place of functions of numpy that numba compiles slowly, and anew for each call."""

import numpy as np

from droo_core.arrays import Floats, Ints
from droo_core.jit import inner_kernel


@inner_kernel
def zeros(rows: int, columns: int) -> Floats:
    """Return zeros `[rows, columns]`."""
    return np.zeros((rows, columns))


@inner_kernel
def integer_zeros(rows: int, columns: int) -> Ints:
    """Return zeros `[rows, columns]` of type int64."""
    return np.zeros((rows, columns), np.int64)


@inner_kernel
def copy(source: Ints, target: Ints) -> None:
    """Copy a vector; numba would take a second to compile `target[:] = source`."""
    for i in range(len(source)):
        target[i] = source[i]


@inner_kernel
def cube_root(x: float) -> float:
    """Return the cube root."""
    root: float = np.cbrt(x)
    return root


@inner_kernel
def index_of_largest(values: Floats, count: int) -> int:
    """Return the index of the largest of the first `count` values; of equal ones the first."""
    best = 0
    for i in range(1, count):
        if values[i] > values[best]:
            best = i
    return best


@inner_kernel
def argsort_descending(keys: Floats, order: Ints) -> None:
    """Write the indices of the keys `[N]` into `order`, the largest key first; equal keys by index.

    Shell's sort: it is short, and fast for the tens of devices that are sorted.
    """
    gap = 1
    while 3 * gap < len(keys):
        gap = 3 * gap + 1
    for i in range(len(keys)):
        order[i] = i
    while gap > 0:
        for i in range(gap, len(keys)):
            moved, at = order[i], i
            key = keys[moved]
            while at >= gap:
                other = order[at - gap]
                if keys[other] > key or (keys[other] == key and other < moved):
                    break
                order[at] = other
                at -= gap
            order[at] = moved
        gap //= 3
