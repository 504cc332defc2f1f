"""What can be wrong with the score of one frame: the part of `check_problem` that asks for it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from droo_core.validation import real
from env.problem import Floats, Frame, Ints

ALONE = 8
"""How many decisions are scored one by one, since a score may be slow."""


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
    """Check the score of a frame that waits for a decision.

    Args:
        frame: the frame.
        decisions: what to ask for `[K, N]`.
        rng: where the order comes from in which they are asked for once more.

    Returns:
        The rewards `[K]`.

    Raises:
        TypeError: if `score` returns no real numbers.
        ValueError: if anything else is wrong with it.
    """
    rewards = ask(frame, decisions, f"an int64 array {list(decisions.shape)}")
    if not (rewards > -np.inf).any():
        raise ValueError(
            f"score must leave something feasible, got -inf for all {len(decisions)} decisions "
            "tried, all local and all offloading among them"
        )
    _check_again(frame, decisions, rewards, "how often it is asked, as by random numbers in it")
    _check_order(frame, decisions, rewards, rng)
    _check_alone(frame, decisions, rewards)
    _check_types(frame, decisions, rewards)
    _check_result_is_new(frame, decisions)
    _check_again(frame, decisions, rewards, "what it was asked before")
    return rewards


def ask(frame: Frame, decisions: NDArray[Any], what: str) -> Floats:
    """Return a copy of the rewards `[K]` of decisions `[K, N]`.

    Args:
        frame: whose score.
        decisions: to be handed in; `score` gets a copy.
        what: what they are, for the message if it does not take them.

    Raises:
        TypeError: if it returns no real numbers.
        ValueError: if it raises something, writes into its argument, or returns another shape, NaN
            or plus infinity.
    """
    handed = decisions.copy()
    try:
        answer = frame.score(handed)
    except Exception as error:
        raise ValueError(f"score must take {what}, it raised {error!r}") from error
    if not np.array_equal(handed, decisions):
        raise ValueError("score must not write into the decisions that it is handed, it did")
    rewards = real("what score returns", answer, (len(decisions),)).copy()
    wrong = np.isnan(rewards) | (rewards == np.inf)
    if wrong.any():
        raise ValueError(
            "score must return finite rewards (or -inf where infeasible), got "
            f"{rewards[wrong][0]} for {text(decisions[wrong][0])}"
        )
    return rewards


def agree(rewards: Floats, others: Floats) -> NDArray[np.bool_]:
    """Tell which rewards `[K]` are equal but for rounding, be it of a model in single precision."""
    finite = np.abs(rewards[np.isfinite(rewards)])
    return np.isclose(rewards, others, rtol=1e-4, atol=1e-5 * finite.max(initial=0.0))


def text(decision: NDArray[np.generic]) -> str:
    """Return a decision `[N]` as in 0110."""
    return "".join(str(int(place)) for place in decision)


def _compare(rewards: Floats, others: Floats, decisions: Ints, depends_on: str) -> None:
    """Check that rewards `[K]` of the same decisions `[K, N]` are the same."""
    wrong = ~agree(rewards, others)
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(
            f"score must not depend on {depends_on}: {text(decisions[first])} had "
            f"{rewards[first]}, then {others[first]}"
        )


def _check_again(frame: Frame, decisions: Ints, rewards: Floats, depends_on: str) -> None:
    _compare(rewards, ask(frame, decisions, "the same array again"), decisions, depends_on)


def _check_order(frame: Frame, decisions: Ints, rewards: Floats, rng: np.random.Generator) -> None:
    order = rng.permutation(len(decisions))
    others = ask(frame, decisions[order], "the same decisions in another order")
    _compare(rewards[order], others, decisions[order], "the order of the decisions")


def _check_alone(frame: Frame, decisions: Ints, rewards: Floats) -> None:
    few = np.linspace(0, len(decisions) - 1, min(ALONE, len(decisions))).astype(int)
    others = [ask(frame, decisions[i : i + 1], "a single decision, K = 1")[0] for i in few]
    _compare(rewards[few], np.array(others), decisions[few], "the other decisions in the call")


def _check_types(frame: Frame, decisions: Ints, rewards: Floats) -> None:
    for dtype in (np.dtype(np.bool_), np.dtype(np.int8)):
        what = f"decisions of type {dtype} too (Gymnasium's MultiBinary gives int8)"
        others = ask(frame, decisions.astype(dtype), what)
        depends_on = f"the type of the decisions, int64 or {dtype} (~x and a[x] do)"
        _compare(rewards, others, decisions, depends_on)


def _check_result_is_new(frame: Frame, decisions: Ints) -> None:
    answer = frame.score(decisions.copy())
    before = np.array(answer)
    frame.score(1 - decisions)
    if not np.array_equal(before, answer):
        raise ValueError(
            "score must return a new array with each call, its result changed with the next call"
        )
