"""The commands of `droo`, one line each; commands of problems and studies come from their tables.

The tables are `experiments.problems.REGISTERED` and `experiments.studies.catalogue`.
"""

import ast
import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path
from typing import Any, NamedTuple

from experiments import configs, problems
from experiments.studies import catalogue


class Command(NamedTuple):
    """A command. Its help is the docstring of its module, or the help of its study.

    Attributes:
        config: class of the settings; their fields are the options.
        module: the command's module, which has `main(config)`. It is imported only when the command
            runs, because importing torch takes a second.
        study: name of the study that the command runs; None for other commands.
    """

    config: type
    module: str
    study: str | None = None

    @property
    def help(self) -> str:
        """Help text."""
        if self.study is None:
            return docstring(self.module)
        entry = catalogue.STUDIES[self.study]
        if isinstance(entry, catalogue.OwnStudy):
            return docstring(entry.module)
        return cleandoc(entry.help)

    def carry_out(self, config: Any) -> None:
        """Run the command with these settings."""
        module = importlib.import_module(self.module)
        if self.study is None:
            module.main(config)
        else:
            module.carry_out(self.study, config)


class Menu(NamedTuple):
    """Several commands under one name.

    Attributes:
        help: help text.
        entries: name -> a command or a submenu.
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


RUNS = {
    name: Command(problems.load(registered.config), registered.script)
    for name, registered in problems.REGISTERED.items()
}
STUDIES = {
    name: Command(entry.config, "experiments.studies", name)
    for name, entry in catalogue.STUDIES.items()
}

MENU = Menu(
    "Computation offloading by deep reinforcement learning.\n\n"
    "droo COMMAND --help lists the options of a command.\n\n"
    "droo --completion {bash,zsh} prints a completion script; droo --version the version.",
    {
        # Run.
        **RUNS,
        "sweep": Command(configs.SweepConfig, "experiments.sweep"),
        "study": Menu(docstring("experiments.study"), STUDIES),
        "compare": STUDIES["comparison"],
        "baselines": STUDIES["rl_baselines"],
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
