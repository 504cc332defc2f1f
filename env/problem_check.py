"""Checks a problem against the contract of `env.problem`."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from droo_core.arrays import Floats, Ints
from droo_core.validation import in_range, positive_int, real
from env.problem import PlayableProblem, Problem
from env.score_check import agree, check_score, decisions_to_try, text

LARGEST = float(np.finfo(np.float32).max)
"""Largest entry of a state: networks compute in single precision."""

TOO_LARGE, TOO_SMALL = 100.0, 1e-4
"""Magnitudes above which, or below which in all frames, an entry of a state is suspicious."""


class ProblemReport(NamedTuple):
    """Summary of the frames that `check_problem` examined.

    Attributes:
        num_devices: N.
        num_inputs: size of a state; an agent's `net` is [num_inputs, hidden..., num_devices].
        num_frames: number of frames examined.
        smallest_input: smallest entry of their states.
        largest_input: largest entry of their states.
        infeasible: fraction of the scored decisions that were infeasible.
    """

    num_devices: int
    num_inputs: int
    num_frames: int
    smallest_input: float
    largest_input: float
    infeasible: float


class _Seen(NamedTuple):
    """A frame: its state, rewards `[K]`, a feasible decision `[N]` and the reward of it."""

    state: Floats
    rewards: Floats
    decision: Ints
    promised: float


def check_problem(problem: Problem, *, num_frames: int = 10, seed: int = 0) -> ProblemReport:
    """Search a problem for mistakes.

    A violation of the contract is an error; a suspicious property is a warning. A problem with
    `reset` and `step` is reset and played with random decisions, so reset it afterwards. Of any
    other problem only the current frame is examined, and left unchanged.

    Args:
        problem: a `Problem`, or a `PlayableProblem`, with binary decisions.
        num_frames: number of frames to play; each takes about 20 calls of `score`.
        seed: for `reset` and for the decisions.

    Returns:
        A summary of the frames examined.

    Raises:
        TypeError: if a member is missing or of a wrong type; the message names it.
        ValueError: if a member violates the contract otherwise; the message says how.
    """
    positive_int("num_frames", num_frames)
    num_devices = _check_members(problem)
    rng = np.random.default_rng(seed)
    paid: list[float] = []
    if _plays(problem):
        frames, paid = _play(problem, num_devices, num_frames, seed, rng)
        _check_same_frames(problem, frames, seed)
    else:
        frames = [_look(problem, num_devices, rng)]
    for suspicion in _suspicions(problem, frames, paid):
        warnings.warn(suspicion, stacklevel=2)
    states = np.array([seen.state for seen in frames])
    infeasible = np.mean([np.mean(seen.rewards == -np.inf) for seen in frames])
    return ProblemReport(
        num_devices,
        states.shape[1],
        len(frames),
        float(states.min()),
        float(states.max()),
        float(infeasible),
    )


def _check_members(problem: Problem) -> int:
    """Check the members that can be checked before a reset; return N."""
    if not hasattr(problem, "num_devices") or not callable(getattr(problem, "score", None)):
        missing = "score(decisions)" if hasattr(problem, "num_devices") else "num_devices"
        inner = getattr(problem, "unwrapped", problem)
        hint = "" if inner is problem else "; of gymnasium.make take the .unwrapped"
        raise TypeError(f"problem must have {missing}, {type(problem).__name__} has none{hint}")
    return positive_int("num_devices", problem.num_devices)


def _plays(problem: Problem) -> TypeGuard[PlayableProblem]:
    return hasattr(problem, "reset") and hasattr(problem, "step")


def _play(
    problem: PlayableProblem,
    num_devices: int,
    num_frames: int,
    seed: int,
    rng: np.random.Generator,
) -> tuple[list[_Seen], list[float]]:
    """Return the frames examined, and the rewards that `step` returned for their decisions."""
    frames: list[_Seen] = []
    paid: list[float] = []
    _reset(problem, seed)
    for number in range(num_frames):
        frames.append(_look(problem, num_devices, rng))
        first, size = len(frames[0].state), len(frames[-1].state)
        if size != first:
            raise ValueError(
                f"state must keep its size, had {first} entries in frame 0 and {size} in frame "
                f"{number}"
            )
        paid.append(_step(problem, frames[-1].decision))
    return frames, paid


def _look(problem: Problem, num_devices: int, rng: np.random.Generator) -> _Seen:
    """Check the coming frame."""
    state = _read_state(problem)
    decisions = decisions_to_try(num_devices, rng)
    rewards = check_score(problem, decisions, rng)
    if not np.array_equal(state, _read_state(problem)):
        raise ValueError("score must not change the state, it did")
    feasible = int(rng.choice(np.flatnonzero(rewards > -np.inf)))
    return _Seen(state, rewards, decisions[feasible], float(rewards[feasible]))


def _read_state(problem: Problem) -> Floats:
    """Return a copy of the state `[inputs]`, which must not change between two reads."""
    try:
        value = problem.state
    except Exception as error:
        raise TypeError(f"problem must have a state, reading it raised {error!r}") from error
    state = in_range("state", value, -LARGEST, LARGEST, ("inputs",)).copy()
    if not np.array_equal(state, problem.state):
        raise ValueError("state must stay as it is until the next step, read again it had changed")
    return state


def _reset(problem: PlayableProblem, seed: int | None) -> None:
    try:
        result = problem.reset(seed=seed)
    except TypeError as error:
        raise TypeError(f"reset must take seed={seed}, it raised {error!r}") from error
    _check_result("reset", result, "(state, info)", problem)


def _step(problem: PlayableProblem, decision: Ints) -> float:
    """Carry out a decision `[N]`, reset at the end of an episode, and return the reward."""
    argument = decision.copy()
    result = problem.step(argument)
    _check_result("step", result, "(state, reward, terminated, truncated, info)", problem)
    if not np.array_equal(argument, decision):
        raise ValueError("step must not write into the decision that it is given, it did")
    _, reward, terminated, truncated, _ = result
    if terminated or truncated:
        _reset(problem, None)
    return float(real("the reward of step", reward, ()))


def _check_result(name: str, result: Any, wanted: str, problem: Problem) -> None:
    """Check the result of `reset` or `step`: a tuple that begins with the state."""
    if not isinstance(result, tuple) or len(result) != len(wanted.split(",")):
        raise TypeError(f"{name} must return {wanted}, as Gymnasium's, got {result!r}")
    state = _read_state(problem)
    if not np.array_equal(result[0], state):
        raise ValueError(
            f"{name} must return the state of the coming frame, {state}, got {result[0]!r}"
        )


def _check_same_frames(problem: PlayableProblem, frames: Sequence[_Seen], seed: int) -> None:
    """Play the same decisions from the same seed again, without calling `score`."""
    _reset(problem, seed)
    for number, seen in enumerate(frames):
        if not np.array_equal(seen.state, _read_state(problem)):
            raise ValueError(
                f"reset(seed={seed}) must bring the same frames for the same decisions, frame "
                f"{number} differed (does anything but step draw random numbers, or from a "
                "generator that reset does not seed?)"
            )
        _step(problem, seen.decision)


def _suspicions(problem: Problem, frames: Sequence[_Seen], paid: Sequence[float]) -> Iterator[str]:
    """Yield the suspicious properties of frames and of the rewards that `step` returned."""
    if hasattr(problem, "reset") != hasattr(problem, "step"):
        yield "problem has only one of reset and step: only the current frame was checked"
    yield from _suspicions_of_states(np.array([seen.state for seen in frames]))
    if all(np.ptp(seen.rewards) == 0 for seen in frames):
        yield "score gives all decisions the same reward: there is nothing to decide"
    for seen, reward in zip(frames, paid, strict=False):  # `paid` is empty if not played
        if not agree(np.array([seen.promised]), np.array([reward])).all():
            yield (
                f"step returned the reward {reward} for {text(seen.decision)}, score "
                f"{seen.promised}: right only if score is an approximation of step"
            )
            return


def _suspicions_of_states(states: Floats) -> Iterator[str]:
    """Yield the suspicious properties of the states `[T, inputs]` of frames."""
    largest = np.abs(states).max(axis=0)
    for wrong, size in (
        (largest > TOO_LARGE, f"above {TOO_LARGE:g}"),
        ((largest > 0) & (largest < TOO_SMALL), f"never above {TOO_SMALL:g}"),
    ):
        if wrong.any():
            first = int(wrong.argmax())
            yield (
                f"state has {wrong.sum()} of {len(wrong)} entries {size} in magnitude, as "
                f"{states[-1, first]:g} at {first}: a network learns from numbers of about 1, so "
                "divide by a typical value, or take the logarithm"
            )
    if len(states) > 1 and (states == states[0]).all():
        yield "state is the same in all frames: it holds no information on them"
