"""The command line: `droo COMMAND`, and `python -m experiments.MODULE` for each command."""

import importlib
import sys
from typing import Annotated, Any

import tyro

from experiments.configs import DROOConfig, PlotConfig, SweepConfig

Command = (
    Annotated[DROOConfig, tyro.conf.subcommand("run")]
    | Annotated[SweepConfig, tyro.conf.subcommand("sweep")]
    | Annotated[PlotConfig, tyro.conf.subcommand("plot")]
)

# The module whose main(config) carries out each command; imported only then, torch being slow.
MODULES: dict[type, str] = {
    DROOConfig: "experiments.droo",
    SweepConfig: "experiments.sweep",
    PlotConfig: "experiments.plot",
}


def main() -> None:
    """Carry out the command `droo` with the arguments of this process."""
    _execute(Command, "droo")


def run_module(config_type: type) -> None:
    """Carry out the experiment whose settings these are, with the arguments of this process."""
    _execute(config_type, f"python -m {MODULES[config_type]}")


def list_experiments() -> None:
    """Print every experiment and its command."""
    for config_type, module in MODULES.items():
        summary = (config_type.__doc__ or "").splitlines()[0]
        print(f"python -m {module:18}  {summary}")
    print("\nEach takes --help.")


def _execute(config_type: Any, prog: str) -> None:
    try:
        config = tyro.cli(config_type, prog=prog, config=(tyro.conf.FlagConversionOff,))
        importlib.import_module(MODULES[type(config)]).main(config)
    except (ValueError, ArithmeticError, OSError) as error:
        sys.exit(f"{prog}: error: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{prog}: interrupted; a run that was not finished is not saved")
