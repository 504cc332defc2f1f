"""The command line: `droo COMMAND`, and `python -m experiments.MODULE` for each command."""

import importlib
import sys
from collections.abc import Callable
from typing import Annotated, Any

import tyro

from experiments.configs import (
    CheckConfig,
    DatasetConfig,
    DROOConfig,
    LyDROOConfig,
    PlotConfig,
    PretrainConfig,
    ReproduceConfig,
    SweepConfig,
)

Command = (
    Annotated[DROOConfig, tyro.conf.subcommand("run")]
    | Annotated[SweepConfig, tyro.conf.subcommand("sweep")]
    | Annotated[LyDROOConfig, tyro.conf.subcommand("lydroo")]
    | Annotated[PlotConfig, tyro.conf.subcommand("plot")]
    | Annotated[DatasetConfig, tyro.conf.subcommand("dataset")]
    | Annotated[CheckConfig, tyro.conf.subcommand("check")]
    | Annotated[PretrainConfig, tyro.conf.subcommand("pretrain")]
    | Annotated[ReproduceConfig, tyro.conf.subcommand("reproduce")]
)

# The module whose main(config) carries out each command; imported only then, torch being slow.
MODULES: dict[type, str] = {
    DROOConfig: "experiments.droo",
    SweepConfig: "experiments.sweep",
    LyDROOConfig: "experiments.lydroo",
    PlotConfig: "experiments.plot",
    DatasetConfig: "experiments.dataset",
    CheckConfig: "experiments.check",
    PretrainConfig: "experiments.pretrain",
    ReproduceConfig: "experiments.reproduce",
}


def main() -> None:
    """Carry out the command `droo` with the arguments of this process; without any, show help."""

    def carry_out(config: Any) -> None:
        importlib.import_module(MODULES[type(config)]).main(config)

    _execute(Command, carry_out, "droo", sys.argv[1:] or ["--help"])


def run_module(
    config_type: type, carry_out: Callable[[Any], None], name: str | None = None
) -> None:
    """Carry out one experiment, of these settings, with the arguments of this process.

    Args:
        config_type: the settings.
        carry_out: called with them.
        name: of the module, if it is not the one of a command: its docstring begins the help.
    """
    module = MODULES[config_type] if name is None else f"experiments.{name}"
    text = None if name is None else sys.modules["__main__"].__doc__
    description = text and text.rpartition("`python -m")[0].strip()
    _execute(config_type, carry_out, f"python -m {module}", sys.argv[1:], description)


def _execute(
    config_type: Any,
    carry_out: Callable[[Any], None],
    prog: str,
    arguments: list[str],
    description: str | None = None,
) -> None:
    try:
        config = tyro.cli(
            config_type,
            prog=prog,
            args=arguments,
            description=description,
            config=(tyro.conf.FlagConversionOff,),
        )
        carry_out(config)
    except (ValueError, ArithmeticError, OSError, ImportError) as error:
        sys.exit(f"{prog}: error: {error}")
    except (KeyboardInterrupt, SystemError) as error:
        # An interrupt of Python code that a compiled kernel calls comes out wrapped, even twice.
        cause: BaseException | None = error
        while isinstance(cause, SystemError):
            cause = cause.__cause__
        if not isinstance(cause, KeyboardInterrupt):
            raise
        sys.exit(f"{prog}: interrupted; what was not finished is not saved")
