"""The command line: `droo COMMAND`, and `python -m experiments.MODULE` for each command."""

import functools
import gc
import importlib
import operator
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any

import tyro

from experiments.commands import MENU, Command, Menu, docstring

FILES_IN_BASH = """\
_droo() { _tyro_droo; [ -n "${COMPREPLY[*]}" ] || COMPREPLY=(); }
complete -o default -F _droo droo"""
"""Completes files if tyro's script finds nothing. It then returns one empty word."""


def main() -> None:
    """Run the command `droo` with the arguments of this process. Without arguments, print the help.

    Raises:
        SystemExit: if the exit code is not 0; docs/howto/command_line.md lists the exit codes.
    """
    with _exit_codes("droo"):
        match sys.argv[1:]:
            case ["--version", *_]:
                print("droo", version("droo"))
            case ["--completion", "bash" | "zsh" as shell]:
                _print_completion(shell)
            case arguments:
                _carry_out("droo", MENU, arguments)


def run_module(config_type: type, carry_out: Callable[[Any], None]) -> None:
    """Run the module that `python -m` started, with the arguments of this process.

    Args:
        config_type: class of the module's settings.
        carry_out: called with the settings.
    """
    module = _main_module()
    prog = f"python -m {module}"
    with _exit_codes(prog):
        config = _settings(config_type, prog, sys.argv[1:], docstring(module))
        _import_for_good()
        carry_out(config)


def run_menu(menu: Command | Menu) -> None:
    """Run a command of a menu, in the module that `python -m` started."""
    prog = f"python -m {_main_module()}"
    with _exit_codes(prog):
        _carry_out(prog, menu, sys.argv[1:])


def _import_for_good(*modules: str) -> None:
    """Import the modules of a command without garbage collection, and announce compilation.

    Torch, numba and matplotlib define hundreds of thousands of objects that stay. The collector
    would search them again and again, here and later, which takes a sixth of a short command.
    """
    gc.disable()
    try:
        for module in modules:
            importlib.import_module(module)
        from droo_core.compiling import announce_compilation  # noqa: PLC0415 (imports numba)

        announce_compilation()
    finally:
        gc.freeze()
        gc.enable()


def _main_module() -> str:
    """Return the name of the module that `python -m` started."""
    return sys.modules["__main__"].__spec__.name  # type: ignore[union-attr]  # `python -m` sets it


def _carry_out(prog: str, entry: Command | Menu, arguments: Sequence[str]) -> None:
    """Run a command, or the command of a menu that the first argument names."""
    name = arguments[0].replace("-", "_") if arguments else ""
    if isinstance(entry, Command):
        config = _settings(entry.config, prog, arguments, entry.help)
        _import_for_good(entry.module)
        entry.carry_out(config)
    elif name in entry.entries:
        _carry_out(f"{prog} {name}", entry.entries[name], arguments[1:])
    else:
        # Only the first word is passed on: if --help follows, tyro accepts an unknown first word.
        first = arguments[:1] or ["--help"]
        tyro.cli(_union(entry), prog=prog, args=first, description=entry.help)


def _union(menu: Menu) -> Any:
    """Return a menu in tyro's form for subcommands: the union of their classes of settings."""
    entries = [
        Annotated[
            _union(entry) if isinstance(entry, Menu) else entry.config,
            tyro.conf.subcommand(name, description=entry.help.partition("\n")[0]),
        ]
        for name, entry in menu.entries.items()
    ]
    return functools.reduce(operator.or_, entries)


def _settings(config_type: type, prog: str, arguments: Sequence[str], description: str) -> Any:
    """Return the settings parsed from the arguments.

    Raises:
        ValueError: if a setting is out of range.
        SystemExit: if the arguments cannot be parsed, or ask for help.
    """
    # If it were given the class itself, tyro would catch its ValueError and report wrong usage.
    settings = functools.partial(config_type)
    return tyro.cli(settings, prog=prog, args=arguments, description=description)


def _print_completion(shell: str) -> None:
    """Print the script with which a shell completes commands, options and their values."""
    try:
        tyro.cli(_union(MENU), prog="droo", args=["--tyro-print-completion", shell])
    finally:
        if shell == "bash":
            print(FILES_IN_BASH)


@contextmanager
def _exit_codes(prog: str) -> Iterator[None]:
    """Turn errors into one line on stderr and an exit code."""
    try:
        try:
            yield
        finally:
            print(end="", flush=True)  # an error of the flush at exit could not be caught
    except BrokenPipeError:
        # The reader, such as `head`, has exited. The buffer is still flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except (ValueError, ArithmeticError, OSError, ImportError) as error:
        sys.exit(f"{prog}: error: {error}")
    except (KeyboardInterrupt, SystemError) as error:
        # A KeyboardInterrupt in Python code called by a compiled kernel arrives wrapped in a
        # SystemError, sometimes in two.
        cause: BaseException | None = error
        while isinstance(cause, SystemError):
            cause = cause.__cause__
        if not isinstance(cause, KeyboardInterrupt):
            raise
        print(f"{prog}: interrupted; unfinished results are not saved", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
