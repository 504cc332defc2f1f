"""Single-change ascent: change one device at a time, for any problem that scores decisions."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from droo_core.arrays import Ints
from droo_core.ascent import improves
from droo_core.validation import zeros_and_ones
from env.problem import Frame


class LocalOptimum(NamedTuple):
    """Result of single-change ascent.

    Attributes:
        decision: `[N]`; no change of one device improves it.
        reward: its score.
        scored: number of decisions scored.
    """

    decision: Ints
    reward: float
    scored: int


def coordinate_descent(frame: Frame, start: ArrayLike | None = None) -> Ints:
    """Return the decision `[N]` that the best single flips lead to, taken until none improves it.

    This is the CD that the DROO paper compares with (Bi and Zhang, IEEE Trans. Wireless Commun.
    17(6), 2018). The published code starts from a random decision; here the caller may pass one.

    Args:
        frame: an environment or frame.
        start: initial decision `[N]`; None starts with all devices computing locally.

    Raises:
        ValueError: if `start` has another shape or is not binary.
    """
    return climb(frame, np.zeros(frame.num_devices) if start is None else start, "start").decision


def greedy(frame: Frame) -> Ints:
    """Return the decision `[N]` reached by adding, one by one, the device that gains most.

    A common baseline, of no paper in particular. All devices compute locally at first; the search
    ends when no further offloading device adds anything. Unlike `coordinate_descent` it never takes
    a device back.
    """
    return _ascend(frame, np.zeros(frame.num_devices, dtype=np.int64), may_return=False).decision


def climb(frame: Frame, decision: ArrayLike, name: str = "decision") -> LocalOptimum:
    """Take the best single flip, again and again, until none improves the decision.

    The reference for every problem's compiled `climb`: see `env.problem.Climbable`.

    Args:
        frame: an environment or frame.
        decision: initial decision `[N]`.
        name: of the argument, for the messages.

    Raises:
        ValueError: if the decision has another shape or is not binary.
    """
    start = zeros_and_ones(name, decision, (frame.num_devices,)).copy()
    return _ascend(frame, start, may_return=True)


def _ascend(frame: Frame, decision: Ints, *, may_return: bool) -> LocalOptimum:
    """Take the best single flip until none improves it; from 1 to 0 only if `may_return`."""
    reward, scored = float(frame.score(decision[None])[0]), 1
    while True:
        flips = np.arange(len(decision)) if may_return else np.flatnonzero(decision == 0)
        if len(flips) == 0:
            return LocalOptimum(decision, reward, scored)
        neighbours = np.tile(decision, (len(flips), 1))
        neighbours[np.arange(len(flips)), flips] ^= 1
        rewards = frame.score(neighbours)
        scored += len(flips)
        best = int(np.argmax(rewards))
        if not improves(float(rewards[best]), reward):
            return LocalOptimum(decision, reward, scored)
        decision, reward = neighbours[best], float(rewards[best])
