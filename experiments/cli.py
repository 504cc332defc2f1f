"""The command line: `droo COMMAND`, and `python -m experiments.MODULE` for each command."""

import argparse
import functools
import importlib
import operator
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any

import tyro

from experiments.commands import MENU, Menu, docstring

SHELLS = ("bash", "zsh")
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
        parser = _parser("droo", MENU)
        parser.add_argument("--version", action="store_true", help="show the version and exit")
        parser.add_argument(
            "--completion", choices=SHELLS, help="print the completion script of a shell and exit"
        )
        options = parser.parse_args()
        if options.version:
            print("droo", version("droo"))
        elif options.completion:
            _print_completion(options.completion)
        else:
            _open(MENU, parser, options)


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


def _open(menu: Menu, parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Carry out the command that was chosen from a menu, or open the menu that was."""
    if options.command is None:
        parser.print_help()
        return
    prog, entry = f"{parser.prog} {options.command}", menu.entries[options.command]
    if isinstance(entry, Menu):
        inner = _parser(prog, entry)
        _open(entry, inner, inner.parse_args(options.arguments))
    else:
        config = _settings(entry.config, prog, options.arguments, entry.help)
        importlib.import_module(entry.module).main(config)


def _parser(prog: str, menu: Menu) -> argparse.ArgumentParser:
    """Return what reads the name of a command and leaves the rest to it."""
    names = {name.replace("-", "_"): name for name in menu.entries}
    parser = argparse.ArgumentParser(
        prog,
        usage=f"{prog} COMMAND [OPTION ...]",
        description=_listing(menu),
        epilog=f"{prog} COMMAND --help lists the options of a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "command",
        nargs="?",
        metavar="COMMAND",
        choices=menu.entries,
        type=lambda name: names.get(name.replace("-", "_"), name),
        help=argparse.SUPPRESS,
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _listing(menu: Menu) -> str:
    """Return the text that lists the commands of a menu."""
    width = shutil.get_terminal_size().columns
    column = max(map(len, menu.entries)) + 4
    lines = [textwrap.fill(menu.help, width)]
    for title, entries in menu.groups.items():
        lines += ["", f"{title}:"]
        for name, entry in entries.items():
            begin = f"  {name}".ljust(column)
            about = entry.help.partition("\n")[0]
            lines.append(textwrap.fill(begin + about, width, subsequent_indent=" " * column))
    return "\n".join(lines)


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

    def union(menu: Menu) -> Any:
        entries = [
            Annotated[
                union(entry) if isinstance(entry, Menu) else entry.config,
                tyro.conf.subcommand(name, description=entry.help.partition("\n")[0]),
            ]
            for name, entry in menu.entries.items()
        ]
        return functools.reduce(operator.or_, entries)

    try:
        tyro.cli(union(MENU), prog="droo", args=["--tyro-print-completion", shell])
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
