"""The command `droo`: help, modules of the commands, exit codes, completion."""

import importlib
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

from agent.networks import POLICIES
from droo_core import extras
from experiments import cli, dataset
from experiments.commands import MENU, STUDIES, Command, Menu, docstring
from experiments.studies import catalogue
from tests.conftest import ROOT, command

COMMANDS = {
    **{name: entry for name, entry in MENU.entries.items() if isinstance(entry, Command)},
    **{f"study {name}": entry for name, entry in STUDIES.items()},
}


def droo(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """Run `droo` in this process; return its exit code, or the message that makes it 1."""
    monkeypatch.setattr(sys, "argv", ["droo", *arguments])
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


def summary(entry: Command | Menu) -> str:
    """Return the line of a command in the help of a menu, which is a sentence."""
    return entry.help.splitlines()[0]


def listed(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """Return command -> line of the commands in the help of a menu."""
    text = " ".join(capsys.readouterr().out.translate(str.maketrans("│╰╯─", "    ")).split())
    return [(name, line) for name, _, line in (at.partition(" ") for at in text.split(" • ")[1:])]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ([], "pretrain"),
        (["study"], "learning_rate"),
        (["run", "--help"], "--learning-rate"),
        (["study", "on_off", "--help"], "--scale"),
        (["reproduce", "--help"], "--scale"),
    ],
)
def test_help_answers_without_what_is_slow_to_import(arguments: list[str], shown: str) -> None:
    code = """
import sys
from experiments import cli
sys.argv = ["droo", *sys.argv[1:]]
try:
    cli.main()
finally:
    print({"torch", "numba", "scipy", "matplotlib", "gymnasium"} & sys.modules.keys())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert shown in done.stdout
    assert done.stdout.endswith("set()\n")


UNUSED = {
    "joblib",
    "matplotlib.pyplot",
    "onnx",
    "pandas",
    "scipy.io",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.sparse",
    "scipy.special",
    "scipy.stats",
    "stable_baselines3",
    "tensorboard",
    "torch.utils.tensorboard",
    "experiments.problems.queueing.experiment",
}
"""Modules that are slow to import, and of no use to a run with the default settings."""


def test_a_run_imports_nothing_slow_that_it_does_not_use(tmp_path: Path) -> None:
    code = """
import sys
from experiments import cli
modules, results = sys.argv[1].split(), sys.argv[2]
sys.argv = ["droo", "run", "--frames", "20", "--num-devices", "3", "--results", results]
cli.main()
print({*modules} & sys.modules.keys(), "matplotlib.figure" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, " ".join(UNUSED), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("set() True\n")


def test_compilation_is_announced_once_and_loading_from_the_cache_is_not(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text("""
from droo_core.compiling import announce_compilation
from droo_core.jit import kernel_of

@kernel_of(__file__)
def twice(x):
    return 2 * x

announce_compilation()
announce_compilation()
print(twice(1), twice(1.5))
""")
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "kernels.py"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "2 3.0\n"
        said.append(done.stderr)
    assert re.fullmatch(rf"Compiling .*{re.escape(str(tmp_path / 'cache'))}.*\n", said[0])
    assert said[1] == ""


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_help_has_a_line_for_each_command(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert droo(monkeypatch, *arguments) == 0
    assert listed(capsys) == [(name, summary(entry)) for name, entry in MENU.entries.items()]
    assert droo(monkeypatch, "study") == 0
    assert listed(capsys) == [(name, summary(entry)) for name, entry in STUDIES.items()]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Arguments with which a command parses its settings; the command then stops."""
    asked: list[tuple[object, ...]] = []

    def settings(*arguments: object) -> None:
        asked.append(arguments)
        sys.exit()

    monkeypatch.setattr(cli, "_settings", settings)
    return asked


def python_m(monkeypatch: pytest.MonkeyPatch, module: str, *arguments: str) -> None:
    """Run a module in this process like `python -m`, for a command that stops."""
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_a_function_of_its_settings(name: str) -> None:
    entry = COMMANDS[name]
    module = importlib.import_module(entry.module)
    function = module.main if entry.study is None else module.carry_out
    assert issubclass(entry.config, get_type_hints(function)["config"])
    assert summary(COMMANDS[name])[-1] in ".?"  # a sentence of one line


@pytest.mark.parametrize("name", [name for name in COMMANDS if COMMANDS[name].study is None])
def test_a_command_is_a_module_that_takes_its_settings(
    name: str, monkeypatch: pytest.MonkeyPatch, asked: list[tuple[object, ...]]
) -> None:
    config, module, _ = COMMANDS[name]
    assert droo(monkeypatch, name, "--seed", "1") == 0
    python_m(monkeypatch, module, "--seed", "1")
    assert asked == [
        (config, f"droo {name}", ["--seed", "1"], docstring(module)),
        (config, f"python -m {module}", ["--seed", "1"], docstring(module)),
    ]


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_a_command_of_the_module_of_studies(
    name: str, monkeypatch: pytest.MonkeyPatch, asked: list[tuple[object, ...]]
) -> None:
    entry = STUDIES[name]
    assert droo(monkeypatch, "study", name, "--seed", "1") == 0
    python_m(monkeypatch, "experiments.study", name, "--seed", "1")
    assert asked == [
        (entry.config, f"droo study {name}", ["--seed", "1"], entry.help),
        (entry.config, f"python -m experiments.study {name}", ["--seed", "1"], entry.help),
    ]


@pytest.mark.parametrize(
    ("name", "study"), [("compare", "comparison"), ("baselines", "rl_baselines")]
)
def test_two_studies_are_commands_of_their_own(
    name: str, study: str, monkeypatch: pytest.MonkeyPatch, asked: list[tuple[object, ...]]
) -> None:
    entry = STUDIES[study]
    assert droo(monkeypatch, name, "--seed", "1") == 0
    assert asked == [(entry.config, f"droo {name}", ["--seed", "1"], entry.help)]


def test_a_file_in_the_folder_of_experiments_is_a_command() -> None:
    modules = {entry.module for entry in COMMANDS.values()}
    machinery = {"__init__", "__main__", "cli", "commands", "simulation"}
    for file in (ROOT / "experiments").glob("*.py"):
        if file.stem not in machinery | {"study"}:
            assert f"experiments.{file.stem}" in modules


DESCRIBED = {
    "run": "The main experiment: DROO online on wireless powered MEC.",
    "study learning_rate": catalogue.CURVES["learning_rate"].help.splitlines()[0],
    "study comparison": "DROO and all schemes on the same frames: how good and how fast are they?",
    "bench": "Measure the speed of everything",
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_the_help_of_a_command_is_the_docstring_of_its_module_or_study(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert droo(monkeypatch, *name.split(), "--help") == 0
    help_text = capsys.readouterr().out
    assert DESCRIBED[name] in help_text
    assert "`python -m" not in help_text
    assert help_text.startswith(f"usage: droo {name} ")


def test_the_table_of_the_documentation_has_a_row_for_each_command() -> None:
    page = (ROOT / "docs/howto/command_line.md").read_text()
    rows = re.findall(r"^\| `droo ([\w-]+)` \| (.*) \|$", page, re.MULTILINE)
    assert rows == [(name, summary(entry)) for name, entry in MENU.entries.items()]


def test_hyphens_and_underscores_are_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    helps = set()
    for name in ("learning-rate", "learning_rate"):
        assert droo(monkeypatch, "study", name, "--help") == 0
        helps.add(capsys.readouterr().out)
    assert len(helps) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "Unrecognized options: rnu"),
        (["rnu", "--help"], "Available subcommands: run, lydroo, "),
        (["study", "speed"], "Available subcommands: quantizers, "),
        (["--frames", "3"], "misplaced options:"),
        (["--completion", "csh"], "Unrecognized options: --completion"),
        (["run", "--fraes", "3"], "Unrecognized options: --fraes"),
        (["run", "--frames", "few"], "--frames"),
        (["run", "--preset", "worst"], "invalid choice 'worst'"),
        (["plot", "--window"], "window"),
    ],
)
def test_a_wrong_command_line_exits_with_2(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert droo(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert not printed.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--frames", "0"], "frames must be at least 1, got 0"),
        (["run", "--policy", "mpl"], f"policy must be one of {', '.join(POLICIES)}, got 'mpl'"),
        (["reproduce", "speed"], f"only must be of {', '.join(STUDIES)}, got 'speed'"),
        (["plot"], "runs must name at least one run folder"),
        (["check", "absent.mat"], "[Errno 2] No such file or directory: 'absent.mat'"),
    ],
)
def test_a_wrong_value_or_file_is_one_line(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert droo(monkeypatch, *arguments) == f"droo: error: {message}"  # which exits with 1


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr(dataset, "main", lambda _: extras.require("onnx", "onnx"))
    assert str(droo(monkeypatch, "dataset", "a.mat")).startswith(
        'droo: error: onnx is not installed; it comes with pip install "droo[onnx]"'
    )


def test_an_error_in_another_process_has_an_exit_code_and_no_traceback() -> None:
    done = command("experiments", "run", "--frames", "0")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("droo: error: ")


def test_a_closed_pipe_ends_a_command_without_an_error_message() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "experiments", "run", "--help"],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "version", lambda name: f"1.2.3 of {name}")
    assert droo(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == "droo 1.2.3 of droo\n"


COMPLETE = """
source "$1"
shift
complete -p droo
while [ $# -gt 0 ]; do
    COMP_WORDS=($1 "$2") COMP_CWORD=$(set -- $1; echo $#) COMPREPLY=()
    "$(complete -p droo | sed 's/.*-F \\([^ ]*\\) .*/\\1/')"
    echo "${#COMPREPLY[@]} ${COMPREPLY[@]}"
    shift 2
done
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_and_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert droo(monkeypatch, "--completion", "bash") == 0
    (tmp_path / "droo").write_text(capsys.readouterr().out)
    asked = {
        ("droo", "re"): "1 reproduce",
        ("droo study", "learn"): "1 learning_rate",
        ("droo run --seed 1 --preset", "p"): "1 published",
        ("droo plot", "a"): "0 ",  # so that bash completes files
    }
    words = [word for pair in asked for word in pair]
    done = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", tmp_path / "droo", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    how, *completed = done.stdout.splitlines()
    assert " -o default " in how
    assert completed == list(asked.values())


def test_zsh_has_a_completion_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert droo(monkeypatch, "--completion", "zsh") == 0
    assert capsys.readouterr().out.startswith("#compdef droo\n")
