"""One run of a study with Stable-Baselines3: an agent learns online, and is tested afterwards."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from agent import DROO
from env import QueueingMEC, WirelessPoweredMEC, WPMECFrame
from env.schemes import certified_optima
from experiments.configs import DROOConfig, LyDROOConfig, RunConfig, resolve
from experiments.droo import agent_seed
from experiments.problems.queueing import frames as queueing_frames
from experiments.problems.queueing import history as queueing_history
from experiments.problems.queueing.history import QueueingHistory
from experiments.problems.queueing.loop import record, reset_options
from experiments.problems.wpmec import frames
from experiments.runs import results
from experiments.studies.model_free import Environment, Learning, train

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Decide = Callable[[Any], Ints]
"""From an environment to a decision `[N]` for its coming frame."""

Quantities = Mapping[str, Floats]
"""What frames came to, `[T]` each: of wireless powered MEC `rate`, normalized; of MEC with queues
`objective`, normalized, and the means over the devices of `data_queue` (Mbit) and `energy` (J)."""

Config = TypeVar("Config", DROOConfig, LyDROOConfig)


class Problem(ABC, Generic[Config]):
    """What a study must know of a problem.

    Attributes:
        config: the class of the settings of a run.
        normalized: which quantity is normalized by the optimum.
    """

    config: type[Config]
    normalized: str

    @abstractmethod
    def environment(self, config: Config) -> Environment:
        """Return an environment that plays the frames of a run, and tells its features."""

    @abstractmethod
    def reset_options(self, config: Config, env: Any) -> dict[str, Any] | None:
        """Return with which options a run resets its environment."""

    @abstractmethod
    def quantities(self, config: Config, decide: Decide) -> Quantities:
        """Play the frames of a run, and return what they came to."""

    @abstractmethod
    def load(self, folder: Path) -> Quantities:
        """Return what the frames of a saved run of DROO or LyDROO came to."""


class WirelessPowered(Problem[DROOConfig]):
    """Wireless powered MEC, with DROO."""

    config = DROOConfig
    normalized = "rate"

    def environment(self, config: DROOConfig) -> WirelessPoweredMEC:
        """Return an environment that plays the frames of a run, and tells its features."""
        return frames.replay(*frames.make_frames(config), resolve(config).features)

    def reset_options(self, config: DROOConfig, env: WirelessPoweredMEC) -> None:
        """Return None: there is nothing to set."""

    def quantities(self, config: DROOConfig, decide: Decide) -> Quantities:
        """Play the frames of a run, and return what they came to."""
        env = self.environment(config)
        env.reset()
        rate, played = np.empty(config.frames), []
        for t in range(config.frames):
            played.append(WPMECFrame(env.critic, env.gain))
            _, rate[t], *_ = env.step(decide(env))
        optimal = np.array([found.upper_bound for found in certified_optima(played)])
        return {"rate": results.normalized(rate, optimal)}

    def load(self, folder: Path) -> Quantities:
        """Return what the frames of a saved run of DROO came to."""
        return {"rate": results.load(folder).normalized_rate}


class WithQueues(Problem[LyDROOConfig]):
    """MEC with queues, with LyDROO."""

    config = LyDROOConfig
    normalized = "objective"

    def environment(self, config: LyDROOConfig) -> QueueingMEC:
        """Return an environment that plays the frames of a run, and tells its features."""
        return queueing_frames.make_env(config, *queueing_frames.make_frames(config))

    def reset_options(self, config: LyDROOConfig, env: QueueingMEC) -> dict[str, Any]:
        """Return with which options a run resets its environment."""
        return reset_options(env, config.energy_reserve)

    def quantities(self, config: LyDROOConfig, decide: Decide) -> Quantities:
        """Play the frames of a run, and return what they came to."""
        num_frames, reserve = config.frames or 0, config.energy_reserve
        history, _ = record(self.environment(config), decide, num_frames, reserve, progress=False)
        return self.of_history(history)

    def load(self, folder: Path) -> Quantities:
        """Return what the frames of a saved run of LyDROO came to."""
        return self.of_history(queueing_history.load(folder))

    def of_history(self, history: QueueingHistory) -> Quantities:
        """Return what the frames of a history came to."""
        return {
            "objective": history.normalized_objective,
            "data_queue": history.data_queue.mean(axis=1),
            "energy": history.energy.mean(axis=1),
        }


PROBLEMS: Mapping[str, Problem[Any]] = {"wpmec": WirelessPowered(), "queueing": WithQueues()}


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


def play_model_free(
    problem: Problem[Any], learning: Learning, config: RunConfig, test: RunConfig
) -> Played:
    """Let an algorithm of Stable-Baselines3 learn on the frames of a run, and test it.

    Args:
        problem: of the run.
        learning: which algorithm, and how.
        config: of the run of DROO or LyDROO whose frames and features it gets.
        test: the same, of the test frames.

    Raises:
        MissingExtraError: if Stable-Baselines3 is not installed.
    """
    env = problem.environment(config)
    seed = int(agent_seed(config.seed).generate_state(1)[0])
    options = problem.reset_options(config, env)
    trained = train(learning, env, config.frames or 0, seed, options)
    done = problem.quantities(config, Replay(trained.decisions))
    return Played(trained.seconds, done, problem.quantities(test, trained.decide), None)


def play_droo(problem: Problem[Any], folder: Path, test: RunConfig) -> Played:
    """Return what DROO or LyDROO did in a run, and test it.

    Args:
        problem: of the run.
        folder: of the run.
        test: the settings of the run, but of the test frames.
    """
    torch.set_num_threads(1)
    agent = DROO.load(folder / "checkpoint.safetensors").agent

    def alone(env: Environment) -> Ints:
        return np.asarray(agent.decode(env.state)[0])

    def with_critic(env: Environment) -> Ints:
        candidates = agent.decode(env.state, env.num_devices)
        return np.asarray(candidates[env.score(candidates).argmax()])

    return Played(
        float(results.load_summary(folder)["seconds"]),
        problem.load(folder),
        problem.quantities(test, alone),
        problem.quantities(test, with_critic),
    )


class Replay:
    """Decides as was decided before, from the first frame on in every copy, as `warm_up` makes one.

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
