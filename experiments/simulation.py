"""The one generator of frames: a decider and a problem take turns, and everybody else watches."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent import DROO, Choice, Fleet
from agent.refinement import Climb
from env import PlayableProblem
from env.schemes import Scheme

Decider: TypeAlias = DROO | Scheme


class Step(NamedTuple):
    """One time frame that was played.

    Attributes:
        frame: its number, from 1.
        before: info of the problem on the frame at its start, from `reset` or the step before.
        decision: carried out `[N]`.
        reward: paid by the problem.
        info: of the problem on the frame just carried out, and on the next.
        decision_us: duration of the decision, a training step included, in microseconds.
        choice: of an agent, its decision and the scores behind it; None of a scheme.
        k: of an agent, K when the frame began; 0 of a scheme.
        cost: the training loss if a training step fell in this frame, else None.
    """

    frame: int
    before: Mapping[str, Any]
    decision: NDArray[np.int64]
    reward: float
    info: Mapping[str, Any]
    decision_us: float
    choice: Choice | None = None
    k: int = 0
    cost: float | None = None


def simulate(
    decider: Decider,
    problem: PlayableProblem,
    num_frames: int,
    seed: int | None = None,
    *,
    options: dict[str, Any] | None = None,
    climb: Climb | None = None,
) -> Iterator[Step]:
    """Yield `num_frames` time frames of an agent, or of a scheme, in a problem.

    The problem is reset first, and again without a seed whenever an episode ends. Between two
    frames the caller may change it.

    Args:
        decider: an agent; or a scheme, a function from the problem to a decision `[N]`.
        problem: `WirelessPoweredMEC`, or any other `env.PlayableProblem`.
        num_frames: number of frames to play.
        seed: for `reset`; None resets without one.
        options: for `reset`, as Gymnasium has them; None passes none.
        climb: the problem's own, faster refinement, for `DROO.decide`; None refines by its score.

    Raises:
        ValueError: if an agent is for another number of devices, or wants other features in the
            state than the problem gives.
    """
    if isinstance(decider, DROO):
        check_agrees(decider, problem)
    told = _reset(problem, seed, options)
    for number in range(1, num_frames + 1):
        decided = _decide(decider, problem, climb)
        before, (_, reward, terminated, truncated, told) = told, problem.step(decided.decision)
        yield decided._replace(frame=number, before=before, reward=reward, info=told)
        if terminated or truncated:
            told = _reset(problem, None, options)


def simulate_fleet(
    fleet: Fleet,
    problems: Sequence[PlayableProblem],
    num_frames: int,
    *,
    options: Sequence[dict[str, Any] | None] | None = None,
) -> Iterator[list[Step]]:
    """Do for the agents of a fleet what `simulate` does for one; yield a `Step` of each, `[B]`.

    Args:
        fleet: B agents.
        problems: of each agent `[B]`.
        num_frames: number of frames to play.
        options: of each problem's `reset` `[B]`; None passes none.

    Raises:
        ValueError: as `simulate`, or if there are not B problems.
    """
    options = options or [None] * len(problems)
    for droo, problem in zip(fleet.agents, problems, strict=True):
        check_agrees(droo, problem)
    told = [_reset(problem, None, each) for problem, each in zip(problems, options, strict=True)]
    for number in range(1, num_frames + 1):
        begun = [(droo.k, droo.agent.updates) for droo in fleet.agents]
        start = time.perf_counter_ns()
        choices = fleet.decide([each.state for each in problems], [each.score for each in problems])
        decision_us = (time.perf_counter_ns() - start) / 1000 / len(problems)
        steps = []
        for b, (droo, choice, (k, updates)) in enumerate(
            zip(fleet.agents, choices, begun, strict=True)
        ):
            before = told[b]
            _, reward, terminated, truncated, told[b] = problems[b].step(choice.decision)
            cost = droo.agent.cost if droo.agent.updates > updates else None
            steps.append(
                Step(number, before, choice.decision, reward, told[b], decision_us, choice, k, cost)
            )
            if terminated or truncated:
                told[b] = _reset(problems[b], None, options[b])
        yield steps


def check_agrees(droo: DROO, problem: PlayableProblem) -> None:
    """Check that an agent fits a problem; the features, if the problem says which it gives.

    Raises:
        ValueError: if it is for another number of devices, or wants other features.
    """
    agent = droo.agent
    if agent.net[-1] != problem.num_devices:
        raise ValueError(
            f"the policy is for {agent.net[-1]} devices, the problem has {problem.num_devices}"
        )
    wanted, given = agent.features, getattr(problem, "features", None)
    if wanted is not None and given is not None and wanted != tuple(given):
        raise ValueError(
            f"the policy {agent.policy} wants the state ({', '.join(wanted)}), "
            f"the problem gives ({', '.join(given)})"
        )


def _reset(
    problem: PlayableProblem, seed: int | None, options: dict[str, Any] | None
) -> dict[str, Any]:
    """Reset a problem, one without options too, and return its info on the first frame."""
    more: dict[str, Any] = {} if options is None else {"options": options}
    _, info = problem.reset(seed=seed, **more)
    return info


def _decide(decider: Decider, problem: PlayableProblem, climb: Climb | None) -> Step:
    """Return the decision for the coming frame; the frame itself is still to be carried out."""
    if not isinstance(decider, DROO):
        start = time.perf_counter_ns()
        decision = decider(problem)
        return Step(0, {}, decision, 0.0, {}, (time.perf_counter_ns() - start) / 1000)
    k, updates = decider.k, decider.agent.updates
    state = problem.state
    start = time.perf_counter_ns()
    choice = decider.decide(state, problem.score, climb)
    decision_us = (time.perf_counter_ns() - start) / 1000
    cost = decider.agent.cost if decider.agent.updates > updates else None
    return Step(0, {}, choice.decision, 0.0, {}, decision_us, choice, k, cost)
