"""One run of the study with Stable-Baselines3: an agent learns online, then is tested."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from agent import DROO
from droo_core.arrays import Floats, Ints
from env.schemes import Frame, Scheme
from experiments.configs import RunConfig, resolve
from experiments.problems import experiment_of
from experiments.problems.experiment import Task, agent_seed
from experiments.running.run import load, play
from experiments.runs.folder import load_summary
from experiments.runs.table import Table
from experiments.studies.model_free import Learning, train

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
    task = task_of(config)
    seed = int(agent_seed(config.seed).generate_state(1)[0])
    trained = train(learning, task.problem, task.num_frames, seed, task.options)
    learned = played_by(Replay(trained.decisions), task)
    return Outcome(trained.seconds, learned, played_by(trained.decide, task_of(test)), None)


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

    task = task_of(test)
    return Outcome(
        float(load_summary(folder)["seconds"]),
        quantities(load(folder)),
        played_by(alone, task),
        played_by(with_critic, task),
    )


def task_of(config: RunConfig) -> Task[Any]:
    """Return a run that is ready to be played."""
    config = resolve(config)
    return experiment_of(config).prepare(config)


def played_by(scheme: Scheme, task: Task[Any]) -> Quantities:
    """Play the frames of a run with a scheme, and return their quantities."""
    table, _ = play(experiment_of(task.config), replace(task, decider=scheme))
    return quantities(table)


def quantities(table: Table) -> Quantities:
    """Return the quantities of a run's frames, `[T]` each."""
    means = {name: table.per_frame(name) for name in AVERAGED if name in table}
    return {table.schema.quantity: table.normalized, **means}


class Replay:
    """A scheme that repeats recorded decisions from the first on.

    Args:
        decisions: recorded decisions `[T, N]`.
    """

    def __init__(self, decisions: Ints) -> None:
        self._decisions = decisions
        self._next = 0

    def __call__(self, _: Frame) -> Ints:
        """Return the next decision `[N]`."""
        self._next += 1
        return np.asarray(self._decisions[self._next - 1])
