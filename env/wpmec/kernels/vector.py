"""Kernels of the vector environment: those of `allocation` in one environment after another.

Each returns the index of the first environment in which the solution failed, or -1.
"""

from droo_core.arrays import Floats, Indices, Ints
from env.wpmec.kernels import allocation, kernel
from env.wpmec.kernels.allocation import ACCEPTED


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
        gains: channel gains `[B, N]`.
        class_of: as for `allocation.score`.
        class_weights: as for `allocation.score`.
        constants: as for `allocation.score`.
        decisions: zeros and ones `[B, N]`.
        environments: indices `[E]`.
        rewards: out, `[B]`, bit/s.
        energy_times: out, `[B]`, fractions of the frame.
        offload_times: out, `[B, N]`, fractions of the frame.
        rates: out, `[B, N]`, bit/s.
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
    """Write the scores of decisions `[B, K, N]` into `values` `[B, K]`."""
    for b in range(len(gains)):
        error = allocation.score(
            gains[b], class_of, class_weights, constants, decisions[b], values[b]
        )
        if not 0.0 <= error <= ACCEPTED:
            return b
    return -1
