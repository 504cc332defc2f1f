"""Checks of the scores of one frame, a part of `check_problem`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints
from droo_core.validation import real
from env.problem import Frame

ALONE = 8
"""Number of decisions that are scored one by one; scoring may be slow."""


def decisions_to_try(num_devices: int, rng: np.random.Generator) -> Ints:
    """Return decisions `[2 + 2 N, N]`: all local, all offloading, each device alone, and random."""
    return np.concatenate(
        [
            np.zeros((1, num_devices), dtype=np.int64),
            np.ones((1, num_devices), dtype=np.int64),
            np.eye(num_devices, dtype=np.int64),
            rng.integers(0, 2, (num_devices, num_devices)),
        ]
    )


def check_score(frame: Frame, decisions: Ints, rng: np.random.Generator) -> Floats:
    """Check the scores of a frame.

    Args:
        frame: the frame.
        decisions: to be scored `[K, N]`.
        rng: source of the order in which they are scored again.

    Returns:
        The rewards `[K]`.

    Raises:
        TypeError: if `score` returns anything but real numbers.
        ValueError: if it violates the contract otherwise.
    """
    rewards = scores_of(frame, decisions, f"an int64 array {list(decisions.shape)}")
    if not (rewards > -np.inf).any():
        raise ValueError(
            f"score must leave something feasible, got -inf for all {len(decisions)} decisions "
            "tried, all local and all offloading among them"
        )
    _check_again(frame, decisions, rewards, "the number of calls, as by random numbers in it")
    _check_order(frame, decisions, rewards, rng)
    _check_alone(frame, decisions, rewards)
    _check_types(frame, decisions, rewards)
    _check_result_is_new(frame, decisions)
    _check_again(frame, decisions, rewards, "earlier calls")
    return rewards


def scores_of(frame: Frame, decisions: NDArray[Any], kind: str) -> Floats:
    """Return a copy of the rewards `[K]` of decisions `[K, N]`.

    Args:
        frame: the frame.
        decisions: arguments; `score` gets a copy.
        kind: of the arguments, for the message if `score` does not accept them.

    Raises:
        TypeError: if `score` returns anything but real numbers.
        ValueError: if it raises an exception, writes into its argument, or returns another shape,
            NaN or plus infinity.
    """
    argument = decisions.copy()
    try:
        result = frame.score(argument)
    except Exception as error:
        raise ValueError(f"score must take {kind}, it raised {error!r}") from error
    if not np.array_equal(argument, decisions):
        raise ValueError("score must not write into the decisions that it is given, it did")
    rewards = real("the result of score", result, (len(decisions),)).copy()
    wrong = np.isnan(rewards) | (rewards == np.inf)
    if wrong.any():
        raise ValueError(
            "score must return finite rewards (or -inf where infeasible), got "
            f"{rewards[wrong][0]} for {text(decisions[wrong][0])}"
        )
    return rewards


def agree(rewards: Floats, others: Floats) -> NDArray[np.bool_]:
    """Return which rewards `[K]` are equal up to rounding, even in single precision."""
    finite = np.abs(rewards[np.isfinite(rewards)])
    return np.isclose(rewards, others, rtol=1e-4, atol=1e-5 * finite.max(initial=0.0))


def text(decision: NDArray[np.generic]) -> str:
    """Return a decision `[N]` as text, such as 0110."""
    return "".join(str(int(choice)) for choice in decision)


def _compare(rewards: Floats, others: Floats, decisions: Ints, depends_on: str) -> None:
    """Check that two scorings of the same decisions `[K, N]` gave the same rewards `[K]`."""
    wrong = ~agree(rewards, others)
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(
            f"score must not depend on {depends_on}: {text(decisions[first])} had "
            f"{rewards[first]}, then {others[first]}"
        )


def _check_again(frame: Frame, decisions: Ints, rewards: Floats, depends_on: str) -> None:
    _compare(rewards, scores_of(frame, decisions, "the same array again"), decisions, depends_on)


def _check_order(frame: Frame, decisions: Ints, rewards: Floats, rng: np.random.Generator) -> None:
    order = rng.permutation(len(decisions))
    others = scores_of(frame, decisions[order], "the same decisions in another order")
    _compare(rewards[order], others, decisions[order], "the order of the decisions")


def _check_alone(frame: Frame, decisions: Ints, rewards: Floats) -> None:
    few = np.linspace(0, len(decisions) - 1, min(ALONE, len(decisions))).astype(int)
    others = [scores_of(frame, decisions[i : i + 1], "a single decision, K = 1")[0] for i in few]
    _compare(rewards[few], np.array(others), decisions[few], "the other decisions in the call")


def _check_types(frame: Frame, decisions: Ints, rewards: Floats) -> None:
    for dtype in (np.dtype(np.bool_), np.dtype(np.int8)):
        kind = f"decisions of type {dtype} too (Gymnasium's MultiBinary gives int8)"
        others = scores_of(frame, decisions.astype(dtype), kind)
        depends_on = f"the type of the decisions, int64 or {dtype} (~x and a[x] do)"
        _compare(rewards, others, decisions, depends_on)


def _check_result_is_new(frame: Frame, decisions: Ints) -> None:
    result = frame.score(decisions.copy())
    before = np.array(result)
    frame.score(1 - decisions)
    if not np.array_equal(before, result):
        raise ValueError(
            "score must return a new array with each call, its result changed with the next call"
        )
