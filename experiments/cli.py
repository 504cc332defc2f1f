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
"""Complete files where tyro's script finds nothing, which it tells as one empty word."""


def main() -> None:
    """Carry out the command `droo` with the arguments of this process; without any, show help.

    Raises:
        SystemExit: unless all went well; docs/howto/command_line.md lists the exit codes.
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
        config_type: its settings.
        carry_out: called with them.
    """
    module = sys.modules["__main__"].__spec__.name  # type: ignore[union-attr]  # `python -m` sets it
    prog = f"python -m {module}"
    with _exit_codes(prog):
        carry_out(_settings(config_type, prog, sys.argv[1:], docstring(module)))


def _carry_out(prog: str, entry: Command | Menu, arguments: Sequence[str]) -> None:
    """Carry out a command, or that of a menu which the first argument names."""
    name = arguments[0].replace("-", "_") if arguments else ""
    if isinstance(entry, Command):
        config = _settings(entry.config, prog, arguments, entry.help)
        entry.carry_out(config)
    elif name in entry.entries:
        _carry_out(f"{prog} {name}", entry.entries[name], arguments[1:])
    else:
        # One word, for with --help among them tyro would not mind that the first is no command.
        first = arguments[:1] or ["--help"]
        tyro.cli(_union(entry), prog=prog, args=first, description=entry.help)


def _union(menu: Menu) -> Any:
    """Return the type whose subcommands are, to tyro, those of a menu."""
    entries = [
        Annotated[
            _union(entry) if isinstance(entry, Menu) else entry.config,
            tyro.conf.subcommand(name, description=entry.help.partition("\n")[0]),
        ]
        for name, entry in menu.entries.items()
    ]
    return functools.reduce(operator.or_, entries)


def _settings(config_type: type, prog: str, arguments: Sequence[str], description: str) -> Any:
    """Return the settings that the arguments ask for.

    Raises:
        ValueError: if the settings refuse a value.
        SystemExit: if tyro does not understand the arguments, or was asked for help.
    """
    # Of a class itself tyro would frame the ValueError, and call it wrong usage.
    settings = functools.partial(config_type)
    return tyro.cli(settings, prog=prog, args=arguments, description=description)


def _print_completion(shell: str) -> None:
    """Print the script by which a shell completes commands, options and their values."""
    try:
        tyro.cli(_union(MENU), prog="droo", args=["--tyro-print-completion", shell])
    finally:
        if shell == "bash":
            print(FILES_IN_BASH)


@contextmanager
def _exit_codes(prog: str) -> Iterator[None]:
    """Turn what may go wrong into a line on stderr and an exit code."""
    try:
        try:
            yield
        finally:
            print(end="", flush=True)  # or it fails after the last line of Python, uncaught
    except BrokenPipeError:
        # Whoever read, as `head`, has gone. What is left in the buffer must still go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except (ValueError, ArithmeticError, OSError, ImportError) as error:
        sys.exit(f"{prog}: error: {error}")
    except (KeyboardInterrupt, SystemError) as error:
        # An interrupt of Python code that a compiled kernel calls comes out wrapped, even twice.
        cause: BaseException | None = error
        while isinstance(cause, SystemError):
            cause = cause.__cause__
        if not isinstance(cause, KeyboardInterrupt):
            raise
        print(f"{prog}: interrupted; what was not finished is not saved", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
