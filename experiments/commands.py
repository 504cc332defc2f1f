"""The commands of `droo`, one line each. There is no other list."""

import ast
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from experiments import configs
from experiments.studies import tables


class Command(NamedTuple):
    """A command. Its help is the docstring of its module.

    Attributes:
        config: class of its settings, which are its options.
        module: its module, which has `main(config)`; imported when the command is carried out,
            because torch takes a second to import.
    """

    config: type
    module: str

    @property
    def help(self) -> str:
        """Help text."""
        return docstring(self.module)


class Menu(NamedTuple):
    """Several commands under one name.

    Attributes:
        help: help text.
        entries: name -> command, or another menu.
    """

    help: str
    entries: "Mapping[str, Command | Menu]"


def docstring(module: str) -> str:
    """Return the docstring of a module up to "`python -m", without importing the module."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("`python -m")[0].strip()


STUDIES = {
    name: Command(getattr(configs, entry.config), entry.module)
    for name, entry in tables.STUDIES.items()
}

MENU = Menu(
    "Computation offloading by deep reinforcement learning.\n\n"
    "droo COMMAND --help lists the options of a command.\n\n"
    "droo --completion {bash,zsh} prints a completion script; droo --version the version.",
    {
        # Run.
        "run": Command(configs.DROOConfig, "experiments.droo"),
        "lydroo": Command(configs.LyDROOConfig, "experiments.lydroo"),
        "sweep": Command(configs.SweepConfig, "experiments.sweep"),
        "study": Menu(docstring("experiments.study"), STUDIES),
        "compare": STUDIES["comparison"],
        "baselines": Command(configs.RLBaselinesConfig, "experiments.studies.rl_baselines"),
        "reproduce": Command(configs.ReproduceConfig, "experiments.reproduce"),
        # Analyse.
        "plot": Command(configs.PlotConfig, "experiments.plot"),
        "export": Command(configs.ExportConfig, "experiments.export"),
        # Data.
        "dataset": Command(configs.DatasetConfig, "experiments.dataset"),
        "check": Command(configs.CheckConfig, "experiments.check"),
        "pretrain": Command(configs.PretrainConfig, "experiments.pretrain"),
        # Tools.
        "bench": Command(configs.BenchConfig, "benchmarks.report"),
    },
)
