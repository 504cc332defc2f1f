"""The frame loop: agent and environment take turns."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent import DROO, Choice
from agent.scoring import Climb, Score
from env import WirelessPoweredMEC


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
    droo: DROO, env: WirelessPoweredMEC, num_frames: int, seed: int | None = None
) -> Iterator[Frame]:
    """Yield `num_frames` time frames of an agent in an environment, which is reset first.

    Between two frames the environment may be changed.

    Raises:
        ValueError: if the agent wants other features in the state than the environment gives.
    """
    check_features(droo, env)
    env.reset(seed=seed)
    for _ in range(num_frames):
        choice, k, cost, decision_us = decide(droo, env.state, env.score)
        _, reward, *_ = env.step(choice.decision)
        yield Frame(choice, reward, k, cost, decision_us)


class Decided(NamedTuple):
    """An agent's decision, and what goes with it; `Frame` explains the attributes."""

    choice: Choice
    k: int
    cost: float | None
    decision_us: float


def decide(
    droo: DROO, state: NDArray[np.float64], score: Score, climb: Climb | None = None
) -> Decided:
    """Let an agent decide, and learn; the arguments are those of `DROO.decide`."""
    k, updates = droo.k, droo.agent.updates
    start = time.perf_counter_ns()
    choice = droo.decide(state, score, climb)
    decision_us = (time.perf_counter_ns() - start) / 1000
    cost = droo.agent.cost if droo.agent.updates > updates else None
    return Decided(choice, k, cost, decision_us)


def check_features(droo: DROO, env: WirelessPoweredMEC) -> None:
    """Check that a policy which knows the features of its state gets them.

    Raises:
        ValueError: if the environment gives others; the message names both.
    """
    wanted = droo.agent.features
    if wanted is not None and wanted != env.features:
        raise ValueError(
            f"the policy {droo.agent.policy} wants the state ({', '.join(wanted)}), "
            f"the environment gives ({', '.join(env.features)})"
        )
