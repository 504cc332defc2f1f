"""The registry of experiments, one entry per problem: wpmec is that of DROO, queueing of LyDROO.

A new problem is its folders in `env/` and here, a module in `experiments/configs/`, a command in
`experiments/`, its name in `env.PROBLEMS`, and an entry below: see `tests/experiments/toy/`.

Importing it is fast: the modules of an experiment are imported when it is used.
"""

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from experiments.configs import RunConfig
    from experiments.problems.experiment import Experiment


class Registration(NamedTuple):
    """An experiment; its classes are given by name, as "MODULE:CLASS".

    Attributes:
        config: name of the class of its settings.
        experiment: name of the subclass of `Experiment`.
        script: module of its command.
    """

    config: str
    experiment: str
    script: str


REGISTERED: dict[str, Registration] = {
    "run": Registration(
        "experiments.configs.wpmec:DROOConfig",
        "experiments.problems.wpmec.experiment:WPMECExperiment",
        "experiments.droo",
    ),
    "lydroo": Registration(
        "experiments.configs.queueing:LyDROOConfig",
        "experiments.problems.queueing.experiment:QueueingExperiment",
        "experiments.lydroo",
    ),
}
"""Command of `droo` -> its experiment. Its name, that of its folder of results, is an attribute."""


def load(name: str) -> Any:
    """Return a class by its name "MODULE:CLASS", importing the module."""
    module, _, member = name.partition(":")
    return getattr(importlib.import_module(module), member)


@cache
def _made(name: str) -> "Experiment[Any]":
    experiment: Experiment[Any] = load(name)()
    return experiment


def experiments() -> "list[Experiment[Any]]":
    """Return all registered experiments."""
    return [_made(registered.experiment) for registered in REGISTERED.values()]


def experiment_of(config: "RunConfig") -> "Experiment[Any]":
    """Return the experiment that these settings configure.

    Raises:
        TypeError: if no experiment has settings of this class.
    """
    for registered in REGISTERED.values():
        if isinstance(config, load(registered.config)):
            return _made(registered.experiment)
    names = ", ".join(load(registered.config).__name__ for registered in REGISTERED.values())
    raise TypeError(f"config must be one of {names}, got {type(config).__name__}")


def named(name: str) -> "Experiment[Any]":
    """Return the experiment with this name, which is also that of its results folder.

    Raises:
        ValueError: if no experiment has this name.
    """
    for experiment in experiments():
        if experiment.name == name:
            return experiment
    names = ", ".join(experiment.name for experiment in experiments())
    raise ValueError(f"experiment must be one of {names}, got {name!r}")
