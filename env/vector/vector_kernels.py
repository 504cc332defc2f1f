"""Kernels of the vector environments: those of single ones, in one environment after another.

Where decisions are solved the first environment is returned in which that failed, or -1.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from env.resource_allocation import (
    myopic_kernels,
    queueing_kernels,
    queueing_search_kernels,
    wpmec_kernels,
)
from env.resource_allocation.jit import SOURCES, kernel_of
from env.resource_allocation.queueing_kernels import SOLVED, Constants
from env.resource_allocation.wpmec_kernels import ACCEPTED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Indices = NDArray[np.intp]

kernel = kernel_of(*SOURCES, Path(__file__))


@kernel
def allocate_wpmec(
    gains: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    decisions: Ints,
    environments: Indices,
    rewards: Floats,
    energy_times: Floats,
    offload_times: Floats,
    rates: Floats,
) -> int:
    """Carry out a decision in each of some environments.

    Args:
        gains: `[B, N]`.
        class_of: as for `wpmec_kernels.score`.
        class_weights: likewise.
        constants: likewise.
        decisions: zeros and ones `[B, N]`.
        environments: in which to carry them out `[E]`.
        rewards: out, `[B]`.
        energy_times: out, `[B]`.
        offload_times: out, `[B, N]`.
        rates: out, `[B, N]`.
    """
    for b in environments:
        rewards[b], energy_times[b], error = wpmec_kernels.allocate(
            gains[b], class_of, class_weights, constants, decisions[b], offload_times[b], rates[b]
        )
        if not 0.0 <= error <= ACCEPTED:
            return int(b)
    return -1


@kernel
def score_wpmec(
    gains: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    decisions: Ints,
    values: Floats,
) -> int:
    """Write what decisions `[B, K, N]` would earn into `values` `[B, K]`."""
    for b in range(len(gains)):
        error = wpmec_kernels.score(
            gains[b], class_of, class_weights, constants, decisions[b], values[b]
        )
        if not 0.0 <= error <= ACCEPTED:
            return b
    return -1


@kernel
def allocate_queueing(
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
        weights: as for `queueing_kernels.score`.
        constants: likewise.
        decisions: zeros and ones `[B, N]`.
        environments: in which to carry them out `[E]`.
        rewards: out, `[B]`.
        allocations: out, `[B, 5, N]`: see `queueing_kernels.allocate`.
    """
    for b in environments:
        rewards[b], _, outcome = queueing_kernels.allocate(
            frames[b], weights, constants, decisions[b], allocations[b]
        )
        if outcome != SOLVED:
            return int(b)
    return -1


@kernel
def score_queueing(
    frames: Floats, weights: Floats, constants: Constants, decisions: Ints, values: Floats
) -> int:
    """Write what decisions `[B, K, N]` would earn into `values` `[B, K]`."""
    for b in range(len(frames)):
        if queueing_kernels.score(frames[b], weights, constants, decisions[b], values[b]) != SOLVED:
            return b
    return -1


@kernel
def outlook_queueing(frames: Floats, weights: Floats, constants: Constants) -> Floats:
    """Return `queueing_search_kernels.outlook` of each environment `[3, B, N]`."""
    seen = np.empty((3, len(frames), len(weights)))
    for b in range(len(frames)):
        of_one = queueing_search_kernels.outlook(frames[b], weights, constants)
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
        rewards[b], _, outcome = myopic_kernels.allocate(
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
        if myopic_kernels.score(frames[b], weights, constants, decisions[b], values[b]) != SOLVED:
            return b
    return -1
