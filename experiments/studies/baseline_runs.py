"""One run of the study with Stable-Baselines3: an agent learns online, then is tested."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from agent import DROO
from env import PlayableProblem
from experiments.configs import RunConfig, resolve
from experiments.problems import experiment_of
from experiments.problems.experiment import agent_seed
from experiments.runs.folder import load_summary
from experiments.runs.run import load, play
from experiments.runs.table import Table
from experiments.simulation import Scheme
from experiments.studies.model_free import Learning, train

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Quantities = Mapping[str, Floats]
"""Name -> values of frames `[T]`: the quantity that decisions maximise, normalized by its optimum;
and means over the devices of other columns."""

AVERAGED = ("data_queue", "energy")
"""Per-device columns whose means over the devices are shown, if the problem has them."""


class Outcome(NamedTuple):
    """The result of one agent.

    Attributes:
        seconds: duration of playing and learning.
        learning: quantities of the frames in which the agent learned.
        alone: quantities of the test frames, decided by the policy alone, without exploration or
            training.
        with_critic: quantities of the test frames, decided by the best of N candidates according
            to the critic; None without a critic.
    """

    seconds: float
    learning: Quantities
    alone: Quantities
    with_critic: Quantities | None


def run_model_free(learning: Learning, config: RunConfig, test: RunConfig) -> Outcome:
    """Train an algorithm of Stable-Baselines3 on the frames of a run, and test it.

    Args:
        learning: the algorithm and its settings.
        config: settings of the run of DROO or LyDROO with the same frames and features.
        test: settings of a run with the test frames.

    Raises:
        MissingExtraError: if Stable-Baselines3 is not installed.
    """
    config = resolve(config)
    env, options = experiment_of(config).environment(config)
    seed = int(agent_seed(config.seed).generate_state(1)[0])
    trained = train(learning, env, config.frames or 0, seed, options)
    learned = played_by(Replay(trained.decisions), config)
    return Outcome(trained.seconds, learned, played_by(trained.decide, test), None)


def run_droo(folder: Path, test: RunConfig) -> Outcome:
    """Return the result of a saved run of DROO or LyDROO, after testing its policy.

    Args:
        folder: the run folder.
        test: settings of a run with the test frames.
    """
    torch.set_num_threads(1)
    agent = DROO.load(folder / "checkpoint.safetensors").agent

    def alone(env: Any) -> Ints:
        return np.asarray(agent.decode(env.state)[0])

    def with_critic(env: Any) -> Ints:
        candidates = agent.decode(env.state, env.num_devices)
        return np.asarray(candidates[env.score(candidates).argmax()])

    return Outcome(
        float(load_summary(folder)["seconds"]),
        quantities(load(folder)),
        played_by(alone, test),
        played_by(with_critic, test),
    )


def played_by(scheme: Scheme, config: RunConfig) -> Quantities:
    """Play the frames of a run with a scheme, and return their quantities."""
    config = resolve(config)
    experiment = experiment_of(config)
    task = replace(experiment.prepare(config, progress=False), decider=scheme)
    table, _ = play(experiment, task)
    return quantities(table)


def quantities(table: Table) -> Quantities:
    """Return the quantities of a run's frames, `[T]` each."""
    means = {name: table[name].mean(axis=1) for name in AVERAGED if name in table}
    return {table.schema.quantity: table.normalized, **means}


class Replay:
    """A scheme that repeats recorded decisions from the first on.

    Args:
        decisions: recorded decisions `[T, N]`.
    """

    def __init__(self, decisions: Ints) -> None:
        self._decisions = decisions
        self._next = 0

    def __call__(self, _: PlayableProblem) -> Ints:
        """Return the next decision `[N]`."""
        self._next += 1
        return np.asarray(self._decisions[self._next - 1])
