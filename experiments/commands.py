"""The commands of `droo`: a line each, and there is no other list."""

import ast
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, get_args

from experiments import configs


class Command(NamedTuple):
    """What carries out a command; the docstring of its module is its help.

    Attributes:
        config: its settings, which are its options.
        module: whose main(config) is called; imported only then, torch being slow.
    """

    config: type
    module: str

    @property
    def help(self) -> str:
        """What it does."""
        return docstring(self.module)


class Menu(NamedTuple):
    """Commands to choose one from.

    Attributes:
        help: what they are.
        entries: name -> command, or the menu that opens.
    """

    help: str
    entries: "Mapping[str, Command | Menu]"


def docstring(module: str) -> str:
    """Return what a module says of itself, without importing it and without how to start it."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("`python -m")[0].strip()


SEVERAL_SIZES = ("comparison", "policies", "transfer")
WITH_QUEUES = (
    "queueing_policies",
    "arrival_rate",
    "largest_rate",
    "tradeoff",
    "energy_budget",
    "queueing_sizes",
)
STUDIES = {
    name: Command(config, f"experiments.studies.{name}")
    for name, config in (
        dict.fromkeys(get_args(configs.StudyName), configs.StudyConfig)
        | dict.fromkeys(SEVERAL_SIZES, configs.SizesConfig)
        | dict.fromkeys(WITH_QUEUES, configs.ScaledConfig)
    ).items()
}

MENU = Menu(
    "Computation offloading by deep reinforcement learning.\n\n"
    "droo COMMAND --help lists the options of a command.\n\n"
    "droo --completion {bash,zsh} prints a completion script; droo --version the version.",
    {
        "run": Command(configs.DROOConfig, "experiments.droo"),
        "lydroo": Command(configs.LyDROOConfig, "experiments.lydroo"),
        "sweep": Command(configs.SweepConfig, "experiments.sweep"),
        "plot": Command(configs.PlotConfig, "experiments.plot"),
        "export": Command(configs.ExportConfig, "experiments.export"),
        "compare": STUDIES["comparison"],
        "baselines": Command(configs.RLBaselinesConfig, "experiments.studies.rl_baselines"),
        "study": Menu("One study: several settings, several seeds, a table and a figure.", STUDIES),
        "reproduce": Command(configs.ReproduceConfig, "experiments.reproduce"),
        "bench": Command(configs.BenchConfig, "benchmarks.report"),
        "dataset": Command(configs.DatasetConfig, "experiments.dataset"),
        "check": Command(configs.CheckConfig, "experiments.check"),
        "pretrain": Command(configs.PretrainConfig, "experiments.pretrain"),
    },
)
