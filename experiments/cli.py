"""The command line: `droo COMMAND`, and `python -m experiments.MODULE` for each command."""

import functools
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
    """Carry out the command `droo` with the arguments of this process. Without any, print help.

    Raises:
        SystemExit: unless the exit code is 0; docs/howto/command_line.md lists the exit codes.
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
    """Carry out the module that `python -m` has started, with the arguments of this process.

    Args:
        config_type: class of its settings.
        carry_out: called with the settings.
    """
    module = _main_module()
    prog = f"python -m {module}"
    with _exit_codes(prog):
        carry_out(_settings(config_type, prog, sys.argv[1:], docstring(module)))


def run_menu(menu: Command | Menu) -> None:
    """Carry out a command of a menu, in the module that `python -m` has started."""
    prog = f"python -m {_main_module()}"
    with _exit_codes(prog):
        _carry_out(prog, menu, sys.argv[1:])


def _main_module() -> str:
    """Return the name of the module that `python -m` has started."""
    return sys.modules["__main__"].__spec__.name  # type: ignore[union-attr]  # `python -m` sets it


def _carry_out(prog: str, entry: Command | Menu, arguments: Sequence[str]) -> None:
    """Carry out a command, or the command of a menu that the first argument names."""
    name = arguments[0].replace("-", "_") if arguments else ""
    if isinstance(entry, Command):
        config = _settings(entry.config, prog, arguments, entry.help)
        entry.carry_out(config)
    elif name in entry.entries:
        _carry_out(f"{prog} {name}", entry.entries[name], arguments[1:])
    else:
        # Only the first word: with --help among them tyro accepts a first word that is no command.
        first = arguments[:1] or ["--help"]
        tyro.cli(_union(entry), prog=prog, args=first, description=entry.help)


def _union(menu: Menu) -> Any:
    """Return a menu as tyro takes subcommands: the union of their classes of settings."""
    entries = [
        Annotated[
            _union(entry) if isinstance(entry, Menu) else entry.config,
            tyro.conf.subcommand(name, description=entry.help.partition("\n")[0]),
        ]
        for name, entry in menu.entries.items()
    ]
    return functools.reduce(operator.or_, entries)


def _settings(config_type: type, prog: str, arguments: Sequence[str], description: str) -> Any:
    """Return the settings that the arguments give.

    Raises:
        ValueError: if a setting is out of range.
        SystemExit: if the arguments cannot be parsed, or ask for help.
    """
    # Of the class itself tyro would catch the ValueError, and report wrong usage.
    settings = functools.partial(config_type)
    return tyro.cli(settings, prog=prog, args=arguments, description=description)


def _print_completion(shell: str) -> None:
    """Print the script that makes a shell complete commands, options and their values."""
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
            print(end="", flush=True)  # at exit an error of flushing cannot be caught
    except BrokenPipeError:
        # The reader, such as `head`, has exited. The buffer is still flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except (ValueError, ArithmeticError, OSError, ImportError) as error:
        sys.exit(f"{prog}: error: {error}")
    except (KeyboardInterrupt, SystemError) as error:
        # If a compiled kernel calls Python, an interrupt there is wrapped, even twice.
        cause: BaseException | None = error
        while isinstance(cause, SystemError):
            cause = cause.__cause__
        if not isinstance(cause, KeyboardInterrupt):
            raise
        print(f"{prog}: interrupted; what was not finished is not saved", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
