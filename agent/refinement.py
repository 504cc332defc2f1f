"""Refinement: ascent from a decision by changes of one device at a time."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from agent.quantization import Decisions
from agent.scoring import Choice, Score, rewards_of
from droo_core.ascent import improves

Climb = Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], float, int]]
"""A problem's own, faster `refine`: from a decision `[N]` to one that no change of a single device
improves, its reward, and the number of decisions scored."""


def refine(
    choice: Choice, score: Score, num_places: int, active: NDArray[np.bool_] | None = None
) -> Choice:
    """Repeat the best change of one device until none improves the reward.

    Args:
        choice: the start.
        score: the critic, called once for every change.
        num_places: the number of places that a device chooses from.
        active: mask `[N]` of the devices that may change; None for all.

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
        if not improves(float(rewards[best]), choice.reward):
            return choice
        choice = choice._replace(
            decision=changed[best], reward=float(rewards[best]), candidate=scored + best
        )


def refine_by(climb: Climb, choice: Choice) -> Choice:
    """Refine a choice by the problem's own ascent.

    Raises:
        ValueError: if it returns a decision of another shape, or a reward that is not finite.
    """
    decision, reward, scored = climb(choice.decision.copy())
    decision, reward = np.asarray(decision, dtype=np.int64), float(reward)
    if decision.shape != choice.decision.shape or not math.isfinite(reward):
        raise ValueError(
            f"climb must return a decision [{len(choice.decision)}] and its finite reward, got "
            f"{list(decision.shape)} and {reward}"
        )
    return better_of(choice, Choice(decision, reward, scored - 1, scored, reward))


def better_of(choice: Choice, other: Choice) -> Choice:
    """Return the better of two choices; the other's candidates count after those of the first."""
    first = choice.num_candidates
    choice = choice._replace(num_candidates=first + other.num_candidates)
    if not improves(other.reward, choice.reward):
        return choice
    return choice._replace(
        decision=other.decision, reward=other.reward, candidate=first + other.candidate
    )


def neighbours(
    decision: NDArray[np.int64], num_places: int, active: NDArray[np.bool_] | None = None
) -> Decisions:
    """Return all decisions `[N (P - 1), N]` that differ from a decision in one active device."""
    devices = np.eye(len(decision), dtype=np.int64)
    if active is not None:
        devices = devices[active]
    steps = np.arange(1, num_places)[:, None, None] * devices
    return (decision + steps.reshape(-1, len(decision))) % num_places
