"""The frame loop: agent and environment take turns."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from numpy.typing import ArrayLike

from agent import DROO, Choice
from agent.refinement import Climb
from agent.scoring import Score
from env import PlayableProblem, Problem


class Frame(NamedTuple):
    """What one time frame came to.

    Attributes:
        choice: the decision and what the agent knows of it.
        reward: what the environment paid for it.
        k: K when the frame began.
        cost: the training loss if a training step fell in this frame, else None.
        decision_us: how long `decide` took, the training step included, in microseconds.
    """

    choice: Choice
    reward: float
    k: int
    cost: float | None
    decision_us: float


def simulate(
    droo: DROO, problem: PlayableProblem, num_frames: int, seed: int | None = None
) -> Iterator[Frame]:
    """Yield `num_frames` time frames of an agent in a problem, which is reset first.

    It is reset again, with no seed, whenever it says that an episode is over. Between two frames it
    may be changed.

    Args:
        droo: the agent.
        problem: `WirelessPoweredMEC`, or any other one.
        num_frames: how many frames to play.
        seed: for `reset`; None resets without one.

    Raises:
        ValueError: if the agent is for another number of devices, or wants other features in the
            state than the problem gives.
    """
    check_agrees(droo, problem)
    problem.reset(seed=seed)
    for _ in range(num_frames):
        choice, k, cost, decision_us = decide(droo, problem.state, problem.score)
        _, reward, terminated, truncated, _ = problem.step(choice.decision)
        if terminated or truncated:
            problem.reset()
        yield Frame(choice, reward, k, cost, decision_us)


class Decided(NamedTuple):
    """An agent's decision, and what goes with it; `Frame` explains the attributes."""

    choice: Choice
    k: int
    cost: float | None
    decision_us: float


def decide(droo: DROO, state: ArrayLike, score: Score, climb: Climb | None = None) -> Decided:
    """Let an agent decide, and learn; the arguments are those of `DROO.decide`."""
    k, updates = droo.k, droo.agent.updates
    start = time.perf_counter_ns()
    choice = droo.decide(state, score, climb)
    decision_us = (time.perf_counter_ns() - start) / 1000
    cost = droo.agent.cost if droo.agent.updates > updates else None
    return Decided(choice, k, cost, decision_us)


def check_agrees(droo: DROO, problem: Problem) -> None:
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
