"""Kernels of the vector environment: those of a single one in one environment after another.

Kernels that solve return the index of the first environment in which the solution failed, or -1.
"""

import numpy as np

from droo_core.arrays import Floats, Indices, Ints
from env.queueing.kernels import allocation, kernel, myopic, search
from env.queueing.kernels.allocation import SOLVED
from env.queueing.kernels.devices import Constants


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
        frames: arguments `frame` of `allocation.score` `[B, 3, N]`.
        weights: w `[N]`.
        constants: of the problem.
        decisions: zeros and ones `[B, N]`.
        environments: indices `[E]`.
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
    """Write the scores of decisions `[B, K, N]` into `values` `[B, K]`."""
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
            for i in range(len(weights)):  # numba takes seconds to compile the same with slices
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
    """Carry out a decision in each of some environments, as `allocate`, with `myopic`."""
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
    """Write the myopic scores of decisions `[B, K, N]` into `values` `[B, K]`."""
    for b in range(len(frames)):
        if myopic.score(frames[b], weights, constants, decisions[b], values[b]) != SOLVED:
            return b
    return -1
