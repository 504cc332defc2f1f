"""The problems of the experiments: a folder each, and a line each in the registry below."""

from pathlib import Path
from typing import Any

from experiments.configs import RunConfig
from experiments.problems.experiment import Experiment
from experiments.problems.queueing.experiment import QueueingExperiment
from experiments.problems.wpmec.experiment import WPMECExperiment
from experiments.runs import store

EXPERIMENTS: list[Experiment[Any]] = [
    WPMECExperiment(),
    QueueingExperiment(),
]


def register(experiment: Experiment[Any]) -> None:
    """Add an experiment to those that running, plotting, exporting and studies know."""
    EXPERIMENTS.append(experiment)


def experiment_of(config: RunConfig) -> Experiment[Any]:
    """Return the experiment of these settings.

    Raises:
        TypeError: if there is none.
    """
    for experiment in EXPERIMENTS:
        if isinstance(config, experiment.config):
            return experiment
    names = ", ".join(experiment.config.__name__ for experiment in EXPERIMENTS)
    raise TypeError(f"config must be one of {names}, got {type(config).__name__}")


def named(name: str) -> Experiment[Any]:
    """Return the experiment of this name.

    Raises:
        ValueError: if there is none.
    """
    for experiment in EXPERIMENTS:
        if experiment.name == name:
            return experiment
    names = ", ".join(experiment.name for experiment in EXPERIMENTS)
    raise ValueError(f"experiment must be one of {names}, got {name!r}")


def experiment_of_run(folder: Path) -> Experiment[Any]:
    """Return the experiment that a run folder is of, told by the columns of its frames.csv.

    Raises:
        FileNotFoundError: if it is no run folder.
        ValueError: if its columns are of no experiment.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not (folder / "frames.csv").is_file():
        raise FileNotFoundError(f"{folder} is no run folder: it has no frames.csv")
    for experiment in EXPERIMENTS:
        if store.matches(folder, experiment.schema):
            return experiment
    columns = "; or ".join(
        f"{', '.join(store.headers(experiment.schema))} of a run of {experiment.name}"
        for experiment in EXPERIMENTS
    )
    raise ValueError(f"{folder / 'frames.csv'} must have the columns {columns}")
