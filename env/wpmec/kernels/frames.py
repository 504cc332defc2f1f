"""Kernels of wireless powered MEC for a compiled loop over frames.

They take the arrays of successive frames in one bundle, `Frames`, and the index of a frame in it.
`observe` writes the state, `score` the rewards of decisions, and `carry_out` the outcome of one.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints, Singles
from droo_core.jit import as_inner
from env.wpmec.kernels import allocation, kernel
from env.wpmec.kernels.allocation import ACCEPTED

score_decisions = as_inner(allocation.score)


class Frames(NamedTuple):
    """Successive frames with the same weights.

    Attributes:
        states: `[T, inputs]`.
        gain: channel gains `[T, N]`.
        class_of: weight class of each device `[N]`.
        class_weights: weight of each class `[C]`.
        constants: as for `allocation.score`.
        decision: buffer `[1, N]`.
        reward: buffer `[1]`.
    """

    states: NDArray[np.float32]
    gain: Floats
    class_of: Ints
    class_weights: Floats
    constants: tuple[float, float, float]
    decision: Ints
    reward: Floats


@kernel
def observe(frames: Frames, t: int, state: Singles) -> None:
    """Write the state `[inputs]` of frame t."""
    for i in range(len(state)):
        state[i] = frames.states[t, i]


@kernel
def score(frames: Frames, t: int, decisions: Ints, rewards: Floats) -> bool:
    """Write the rewards `[K]` of decisions `[K, N]` in frame t; return whether all were found."""
    error = score_decisions(
        frames.gain[t], frames.class_of, frames.class_weights, frames.constants, decisions, rewards
    )
    return 0.0 <= error <= ACCEPTED


rewards_of = as_inner(score)


@kernel
def carry_out(frames: Frames, t: int, decision: Ints) -> float:
    """Return the reward of a decision `[N]` in frame t, NaN if it was not found.

    It is that of `allocation.allocate`. The next frame does not depend on the decision.
    """
    for i in range(len(decision)):
        frames.decision[0, i] = decision[i]
    if not rewards_of(frames, t, frames.decision, frames.reward):
        return math.nan
    reward: float = frames.reward[0]
    return reward
