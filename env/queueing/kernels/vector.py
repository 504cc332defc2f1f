"""Kernels of the vector environment: those of single ones, in one environment after another.

Where decisions are solved the first environment is returned in which that failed, or -1.
"""

import numpy as np
from numpy.typing import NDArray

from env.queueing.kernels import allocation, kernel, myopic, search
from env.queueing.kernels.allocation import SOLVED
from env.queueing.kernels.devices import Constants

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Indices = NDArray[np.intp]


@kernel
def allocate(
    frames: Floats,
    weights: Floats,
    constants: Constants,
    decisions: Ints,
    environments: Indices,
    rewards: Floats,
    allocations: Floats,
) -> int:
    """Carry out a decision in each of some environments.

    Args:
        frames: `[B, 3, N]`.
        weights: as for `allocation.score`.
        constants: likewise.
        decisions: zeros and ones `[B, N]`.
        environments: in which to carry them out `[E]`.
        rewards: out, `[B]`.
        allocations: out, `[B, 5, N]`: see `allocation.allocate`.
    """
    for b in environments:
        rewards[b], _, outcome = allocation.allocate(
            frames[b], weights, constants, decisions[b], allocations[b]
        )
        if outcome != SOLVED:
            return int(b)
    return -1


@kernel
def score(
    frames: Floats, weights: Floats, constants: Constants, decisions: Ints, values: Floats
) -> int:
    """Write what decisions `[B, K, N]` would earn into `values` `[B, K]`."""
    for b in range(len(frames)):
        if allocation.score(frames[b], weights, constants, decisions[b], values[b]) != SOLVED:
            return b
    return -1


@kernel
def outlook(frames: Floats, weights: Floats, constants: Constants) -> Floats:
    """Return `search.outlook` of each environment `[3, B, N]`."""
    seen = np.empty((3, len(frames), len(weights)))
    for b in range(len(frames)):
        of_one = search.outlook(frames[b], weights, constants)
        for row in range(3):
            for i in range(len(weights)):  # an assignment of arrays takes seconds to compile
                seen[row, b, i] = of_one[row, i]
    return seen


@kernel
def allocate_myopic(
    frames: Floats,
    weights: Floats,
    constants: Constants,
    decisions: Ints,
    environments: Indices,
    rewards: Floats,
    allocations: Floats,
) -> int:
    """Do what `allocate_queueing` does, where the allocation is myopic."""
    for b in environments:
        rewards[b], _, outcome = myopic.allocate(
            frames[b], weights, constants, decisions[b], allocations[b]
        )
        if outcome != SOLVED:
            return int(b)
    return -1


@kernel
def score_myopic(
    frames: Floats, weights: Floats, constants: Constants, decisions: Ints, values: Floats
) -> int:
    """Do what `score_queueing` does, where the allocation is myopic."""
    for b in range(len(frames)):
        if myopic.score(frames[b], weights, constants, decisions[b], values[b]) != SOLVED:
            return b
    return -1
