"""Asking the critic: the rewards of candidates and the best of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.quantization import Decisions

Score = Callable[[Decisions], ArrayLike]
"""A critic: from decisions `[K, N]` to their rewards `[K]`, larger is better; minus infinity is
infeasible."""


class Choice(NamedTuple):
    """The outcome of one frame.

    Attributes:
        decision: the best candidate `[N]`, zeros (compute locally) and ones (offload).
        reward: its score.
        candidate: its index among the candidates; 0 is the policy's own rounded decision, a random
            change comes after the others, and the decisions scored by refinement come last.
        num_candidates: the number of decisions scored.
        own_reward: the score of the policy's own rounded decision.
    """

    decision: NDArray[np.int64]
    reward: float
    candidate: int
    num_candidates: int
    own_reward: float


def best_of(candidates: Decisions, score: Score) -> Choice:
    """Return the best of candidates `[K, N]`.

    Raises:
        ValueError: if `score` returns another shape, NaN, plus infinity, or nothing feasible.
    """
    rewards = rewards_of(candidates, score)
    best = int(rewards.argmax())
    if rewards[best] == -np.inf:
        raise ValueError("score must return finite rewards (or -inf where infeasible), got -inf")
    reward, own_reward = float(rewards[best]), float(rewards[0])
    return Choice(candidates[best], reward, best, len(candidates), own_reward)


def single(decision: NDArray[np.int64], score: Score) -> Choice:
    """Return the choice of a decision `[N]` without alternatives; it may be infeasible.

    Raises:
        ValueError: if `score` returns another shape, NaN or plus infinity.
    """
    reward = float(rewards_of(decision[None], score)[0])
    return Choice(decision, reward, 0, 1, reward)


def rewards_of(candidates: Decisions, score: Score) -> NDArray[np.float64]:
    """Return the critic's rewards `[K]`; minus infinity is infeasible.

    Raises:
        ValueError: if it returns another shape, NaN or plus infinity.
    """
    # A copy: a critic that writes into its argument must not change the memory.
    rewards = np.asarray(score(candidates.copy()), dtype=np.float64)
    if rewards.shape != (len(candidates),):
        raise ValueError(
            f"score must return one reward per candidate, shape [{len(candidates)}], "
            f"got {list(rewards.shape)}"
        )
    best = rewards.max()  # NaN if any is, and then the comparison fails
    if not best < np.inf:
        raise ValueError(f"score must return finite rewards (or -inf where infeasible), got {best}")
    return rewards
