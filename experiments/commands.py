"""The commands of `droo`: a line each, and there is no other list."""

import ast
import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from experiments import configs
from experiments.studies.tables import STUDIES as ENTRIES


class Command(NamedTuple):
    """What carries out a command; the docstring of its module is its help.

    Attributes:
        config: its settings, which are its options.
        module: whose main(config) is called; imported only then, torch being slow.
        study: name of a study, which `experiments.studies` carries out; None of another command.
    """

    config: type
    module: str
    study: str | None = None

    @property
    def help(self) -> str:
        """What it does."""
        return docstring(self.module) if self.study is None else ENTRIES[self.study].help

    def carry_out(self, config: Any) -> None:
        """Carry it out with these settings."""
        module = importlib.import_module(self.module)
        if self.study is None:
            module.main(config)
        else:
            module.carry_out(self.study, config)


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


STUDIES = {
    name: Command(entry.config, "experiments.studies", name) for name, entry in ENTRIES.items()
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
        "baselines": STUDIES["rl_baselines"],
        "study": Menu("One study: several settings, several seeds, a table and a figure.", STUDIES),
        "reproduce": Command(configs.ReproduceConfig, "experiments.reproduce"),
        "bench": Command(configs.BenchConfig, "benchmarks.report"),
        "dataset": Command(configs.DatasetConfig, "experiments.dataset"),
        "check": Command(configs.CheckConfig, "experiments.check"),
        "pretrain": Command(configs.PretrainConfig, "experiments.pretrain"),
    },
)
