"""Kernels of the vector environment: those of single ones, in one environment after another.

Where decisions are solved the first environment is returned in which that failed, or -1.
"""

import numpy as np
from numpy.typing import NDArray

from env.wpmec.kernels import allocation, kernel
from env.wpmec.kernels.allocation import ACCEPTED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Indices = NDArray[np.intp]


@kernel
def allocate(
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
        class_of: as for `allocation.score`.
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
        rewards[b], energy_times[b], error = allocation.allocate(
            gains[b], class_of, class_weights, constants, decisions[b], offload_times[b], rates[b]
        )
        if not 0.0 <= error <= ACCEPTED:
            return int(b)
    return -1


@kernel
def score(
    gains: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    decisions: Ints,
    values: Floats,
) -> int:
    """Write what decisions `[B, K, N]` would earn into `values` `[B, K]`."""
    for b in range(len(gains)):
        error = allocation.score(
            gains[b], class_of, class_weights, constants, decisions[b], values[b]
        )
        if not 0.0 <= error <= ACCEPTED:
            return b
    return -1
