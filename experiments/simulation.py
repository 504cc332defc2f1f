"""The generator of frames: a decider and a problem alternate, and consumers read the steps."""

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
        frame: number of the frame, from 1.
        before: info at the start of the frame, from `reset` or the previous step.
        decision: the decision carried out `[N]`.
        reward: reward of the decision.
        info: info returned by the problem's `step`: on this frame, and on the next.
        decision_us: duration of the decision, training included, in microseconds.
        choice: an agent's decision and the scores behind it; None for a scheme.
        k: an agent's K at the start of the frame; 0 for a scheme.
        cost: training loss if the agent made a training step in this frame; otherwise None.
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
    """Play `num_frames` time frames of a problem with an agent or a scheme.

    The problem is reset at the start, and again without a seed whenever an episode ends. Between
    two frames the caller may change it.

    Args:
        decider: an agent; or a scheme, a function from the problem to a decision `[N]`.
        problem: `WirelessPoweredMEC`, or any other `env.PlayableProblem`.
        num_frames: number of frames to play.
        seed: argument of the first `reset`; None resets without a seed.
        options: argument of `reset`, as in Gymnasium; None passes none.
        climb: the problem's own, faster refinement, for `DROO.decide`; None refines by its score.

    Yields:
        A step for each frame.

    Raises:
        ValueError: if an agent is for another number of devices, or for other features than those
            of the problem's state.
    """
    if isinstance(decider, DROO):
        check_agrees(decider, problem)
    told = _reset(problem, seed, options)
    for number in range(1, num_frames + 1):
        decided = _decide(decider, problem, climb)
        before, (_, reward, terminated, truncated, told) = told, problem.step(decided.decision)
        step = decided._replace(frame=number, before=before, reward=reward, info=told)
        if terminated or truncated:  # before the caller has the step, and may change the problem
            told = _reset(problem, None, options)
        yield step


def simulate_fleet(
    fleet: Fleet,
    problems: Sequence[PlayableProblem],
    num_frames: int,
    *,
    options: Sequence[dict[str, Any] | None] | None = None,
    climbs: Sequence[Climb | None] | None = None,
) -> Iterator[list[Step]]:
    """Play time frames with a fleet, each agent in a problem of its own, as `simulate` does.

    Args:
        fleet: B agents.
        problems: problem of each agent `[B]`.
        num_frames: number of frames to play.
        options: argument of each problem's `reset` `[B]`; None passes none.
        climbs: each problem's own refinement `[B]`; None refines by the scores.

    Yields:
        The steps of the agents `[B]` for each frame.

    Raises:
        ValueError: as `simulate`, or if there are not B problems.
    """
    options = options or [None] * len(problems)
    for name, given in (("problems", problems), ("options", options)):
        if len(given) != len(fleet.agents):
            raise ValueError(f"{name} must be {len(fleet.agents)}, one an agent, got {len(given)}")
    for droo, problem in zip(fleet.agents, problems, strict=True):
        check_agrees(droo, problem)
    told = [_reset(problem, None, each) for problem, each in zip(problems, options, strict=True)]
    for number in range(1, num_frames + 1):
        begun = [(droo.k, droo.agent.updates) for droo in fleet.agents]
        start = time.perf_counter_ns()
        states, scores = zip(*((each.state, each.score) for each in problems), strict=True)
        choices = fleet.decide(states, scores, climbs)
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
    """Check that an agent fits a problem. Features are checked if the problem has `features`.

    Raises:
        ValueError: if the agent is for another number of devices, or for other features.
    """
    agent = droo.agent
    if agent.net[-1] != problem.num_devices:
        raise ValueError(
            f"the policy is for {agent.net[-1]} devices, the problem has {problem.num_devices}"
        )
    wanted, given = agent.features, getattr(problem, "features", None)
    if wanted is not None and given is not None and wanted != tuple(given):
        raise ValueError(
            f"the policy {agent.policy} needs the features ({', '.join(wanted)}), "
            f"the problem's state has ({', '.join(given)})"
        )


def _reset(
    problem: PlayableProblem, seed: int | None, options: dict[str, Any] | None
) -> dict[str, Any]:
    """Reset a problem, which need not accept options, and return its info on the first frame."""
    more: dict[str, Any] = {} if options is None else {"options": options}
    outcome: Any = problem.reset(seed=seed, **more)
    info: dict[str, Any] = outcome[1] if isinstance(outcome, tuple) else {}
    return info


def _decide(decider: Decider, problem: PlayableProblem, climb: Climb | None) -> Step:
    """Return a step with the decision for the coming frame; `simulate` fills in the rest."""
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
