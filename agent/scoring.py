"""Asking the critic: rewards of candidates, and refining the best of them."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.quantization import Decisions

LEAST_GAIN = 1e-12
"""Of refinement, relative: more than rounding, or equal decisions might be exchanged for ever."""

Score = Callable[[Decisions], ArrayLike]
"""A critic: from decisions `[K, N]` to their rewards `[K]`, larger is better; minus infinity is
infeasible."""

Climb = Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], float, int]]
"""What `refine` does, done by the problem: from a decision `[N]` to one that no change of one
device makes better, its reward, and how many decisions were scored."""


class Choice(NamedTuple):
    """What one frame came to.

    Attributes:
        decision: the best candidate `[N]`, zeros (compute locally) and ones (offload).
        reward: its score.
        candidate: its place among the candidates, from 0; 0 is the policy's own rounded decision,
            and those that refinement tried come last.
        num_candidates: how many candidates were scored.
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


def only(decision: NDArray[np.int64], score: Score) -> Choice:
    """Return the choice of a decision `[N]` without any other; it may be infeasible.

    Raises:
        ValueError: if `score` returns another shape, NaN or plus infinity.
    """
    reward = float(rewards_of(decision[None], score)[0])
    return Choice(decision, reward, 0, 1, reward)


def refine(
    choice: Choice, score: Score, num_places: int, active: NDArray[np.bool_] | None = None
) -> Choice:
    """Change the one device whose change earns most, as long as one earns more by `LEAST_GAIN`.

    Args:
        choice: where to start.
        score: the critic.
        num_places: how many places a device chooses from.
        active: devices that may change `[N]`; None for all.

    Raises:
        ValueError: if `score` returns another shape, NaN or plus infinity.
    """
    while True:
        changed = neighbours(choice.decision, num_places, active)
        if len(changed) == 0:
            return choice
        rewards = rewards_of(changed, score)
        best, scored = int(rewards.argmax()), choice.num_candidates
        choice = choice._replace(num_candidates=scored + len(changed))
        if not rewards[best] - choice.reward > LEAST_GAIN * abs(choice.reward):
            return choice
        choice = choice._replace(
            decision=changed[best], reward=float(rewards[best]), candidate=scored + best
        )


def climbed(decision: NDArray[np.int64], climb: Climb) -> Choice:
    """Return what a problem's own `climb` makes of a decision `[N]`.

    Raises:
        ValueError: if it returns a decision of another shape, or a reward that is not finite.
    """
    found, reward, scored = climb(decision.copy())
    found, reward = np.asarray(found, dtype=np.int64), float(reward)
    if found.shape != decision.shape or not math.isfinite(reward):
        raise ValueError(
            f"climb must return a decision [{len(decision)}] and its finite reward, got "
            f"{list(found.shape)} and {reward}"
        )
    return Choice(found, reward, scored - 1, scored, reward)


def joined(choice: Choice, other: Choice) -> Choice:
    """Return the better of two, the candidates of the other coming after those of the first."""
    first = choice.num_candidates
    choice = choice._replace(num_candidates=first + other.num_candidates)
    if not other.reward - choice.reward > LEAST_GAIN * abs(choice.reward):
        return choice
    return choice._replace(
        decision=other.decision, reward=other.reward, candidate=first + other.candidate
    )


def neighbours(
    decision: NDArray[np.int64], num_places: int, active: NDArray[np.bool_] | None = None
) -> Decisions:
    """Return the decisions `[N (P - 1), N]` that differ from one in one device that is active."""
    devices = np.eye(len(decision), dtype=np.int64)
    if active is not None:
        devices = devices[active]
    steps = np.arange(1, num_places)[:, None, None] * devices
    return (decision + steps.reshape(-1, len(decision))) % num_places


def rewards_of(candidates: Decisions, score: Score) -> NDArray[np.float64]:
    """Return the critic's rewards `[K]`; minus infinity is infeasible.

    Raises:
        ValueError: if it returns another shape, NaN or plus infinity.
    """
    # The critic gets a copy: what it may write into it must not reach the memory.
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
