"""Schemes that improve a decision device by device, for any problem that scores decisions."""

import numpy as np
from numpy.typing import ArrayLike

from droo_core.validation import binary, not_binary
from env.problem import Frame, Ints


def coordinate_descent(frame: Frame, start: ArrayLike | None = None) -> Ints:
    """Return the decision `[N]` reached by the best single flip, again and again, until none helps.

    This is the CD that the DROO paper compares with (Bi and Zhang, IEEE Trans. Wireless Commun.
    17(6), 2018). The published code starts from a random decision; here that is the caller's to
    ask for.

    Args:
        frame: an environment or frame.
        start: the first decision `[N]`; None starts with all devices computing locally.

    Raises:
        ValueError: if `start` has another shape or is not binary.
    """
    n = frame.num_devices
    decision = binary("start", np.zeros(n) if start is None else start, (n,)).copy()
    if not np.isin(decision, (0, 1)).all():
        raise not_binary("start", decision)
    return _climb(frame, decision, may_return=True)


def greedy(frame: Frame) -> Ints:
    """Return the decision `[N]` reached by letting offload, one by one, whoever adds the most.

    A common baseline, of no paper in particular. It starts with all devices computing locally and
    ends when no further one adds anything; unlike `coordinate_descent` it never takes one back.
    """
    return _climb(frame, np.zeros(frame.num_devices, dtype=np.int64), may_return=False)


def _climb(frame: Frame, decision: Ints, *, may_return: bool) -> Ints:
    """Take the best single flip until none helps; from 1 to 0 only if `may_return`."""
    reward = frame.score(decision[None])[0]
    while True:
        flips = np.arange(len(decision)) if may_return else np.flatnonzero(decision == 0)
        if len(flips) == 0:
            return decision
        neighbours = np.tile(decision, (len(flips), 1))
        neighbours[np.arange(len(flips)), flips] ^= 1
        rewards = frame.score(neighbours)
        best = int(np.argmax(rewards))
        if not rewards[best] > reward:
            return decision
        decision, reward = neighbours[best], rewards[best]
