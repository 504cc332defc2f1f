"""One run of a study with Stable-Baselines3: an agent learns online, and is tested afterwards."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from agent import DROO
from env import QueueingMEC, WirelessPoweredMEC, WPMECFrame
from env.schemes import certified_optima
from experiments import frames, queueing_frames, queueing_history, results
from experiments.configs import DROOConfig, RunConfig
from experiments.droo import agent_seed
from experiments.model_free import Environment, Learning, train
from experiments.queueing_history import QueueingHistory
from experiments.queueing_loop import record

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Decide = Callable[[Any], Ints]
"""From an environment to a decision `[N]` for its coming frame."""

Quantities = Mapping[str, Floats]
"""What frames came to, `[T]` each: of wireless powered MEC `rate`, normalized; of MEC with queues
`objective`, normalized, and the means over the devices of `data_queue` (Mbit) and `energy` (J)."""


class Played(NamedTuple):
    """What an agent did.

    Attributes:
        seconds: how long it played and learned.
        learning: frame by frame, while it learned.
        alone: in the test frames, what its policy decides alone, without exploring or learning.
        with_critic: the same, the best of N candidates by the critic; None without a critic.
    """

    seconds: float
    learning: Quantities
    alone: Quantities
    with_critic: Quantities | None


def play_model_free(learning: Learning, config: RunConfig, test: RunConfig) -> Played:
    """Let an algorithm of Stable-Baselines3 learn on the frames of a run, and test it.

    Args:
        learning: which algorithm, and how.
        config: of the run of DROO or LyDROO whose frames and features it gets.
        test: the same, of the test frames.

    Raises:
        MissingExtraError: if Stable-Baselines3 is not installed.
    """
    env = environment(config)
    seed = int(agent_seed(config.seed).generate_state(1)[0])
    trained = train(learning, env, config.frames or 0, seed, reset_options(config, env))
    done = quantities(config, Replay(trained.decisions))
    return Played(trained.seconds, done, quantities(test, trained.decide), None)


def play_droo(folder: Path, config: RunConfig, test: RunConfig) -> Played:
    """Return what DROO or LyDROO did in a run, and test it.

    Args:
        folder: of the run.
        config: of the run.
        test: the same, of the test frames.
    """
    torch.set_num_threads(1)
    agent = DROO.load(folder / "checkpoint.safetensors").agent

    def alone(env: Environment) -> Ints:
        return np.asarray(agent.decode(env.state)[0])

    def with_critic(env: Environment) -> Ints:
        candidates = agent.decode(env.state, env.num_devices)
        return np.asarray(candidates[env.score(candidates).argmax()])

    if isinstance(config, DROOConfig):
        done: Quantities = {"rate": results.load(folder).normalized_rate}
    else:
        done = of_history(queueing_history.load(folder))
    seconds = float(results.load_summary(folder)["seconds"])
    return Played(seconds, done, quantities(test, alone), quantities(test, with_critic))


def environment(config: RunConfig) -> Environment:
    """Return an environment that plays the frames of a run, and tells its features."""
    if isinstance(config, DROOConfig):
        return frames.replay(*frames.make_frames(config), config.features)
    return queueing_frames.make_env(config, *queueing_frames.make_frames(config))


def reset_options(config: RunConfig, env: Environment) -> dict[str, Any] | None:
    """Return with which options a run resets its environment: those of `queueing_loop.play`."""
    if isinstance(config, DROOConfig):
        return None
    assert isinstance(env, QueueingMEC)
    reserve = env.parameters.energy_queue_scale * config.energy_reserve
    return {"energy_queue": np.full(env.num_devices, reserve)}


def quantities(config: RunConfig, decide: Decide) -> Quantities:
    """Play the frames of a run, and return what they came to."""
    env = environment(config)
    if not isinstance(config, DROOConfig):
        assert isinstance(env, QueueingMEC)
        num_frames, reserve = config.frames or 0, config.energy_reserve
        history, _ = record(env, decide, num_frames, reserve, progress=False)
        return of_history(history)
    assert isinstance(env, WirelessPoweredMEC)
    env.reset()
    rate, played = np.empty(config.frames), []
    for t in range(config.frames):
        played.append(WPMECFrame(env.critic, env.gain))
        _, rate[t], *_ = env.step(decide(env))
    optimal = np.array([found.upper_bound for found in certified_optima(played)])
    return {"rate": results.normalized(rate, optimal)}


def of_history(history: QueueingHistory) -> Quantities:
    """Return what the frames of a run with queues came to."""
    return {
        "objective": history.normalized_objective,
        "data_queue": history.data_queue.mean(axis=1),
        "energy": history.energy.mean(axis=1),
    }


class Replay:
    """Decides as was decided before.

    Args:
        decisions: `[T, N]`.
    """

    def __init__(self, decisions: Ints) -> None:
        self._decisions = decisions
        self._next = 0

    def __call__(self, _: Environment) -> Ints:
        """Return the next decision `[N]`."""
        self._next += 1
        return np.asarray(self._decisions[self._next - 1])
