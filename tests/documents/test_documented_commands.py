"""Every command in README and docs is parsed without an error and, in slow tests, runs.

A command is a line of a shell block, or a code span, that begins with `droo`, `make`, `python -m`
or `python examples/`. A span without required arguments, such as `droo plot`, is taken as the name
of a command; a line of a block must be complete. PLACEHOLDERS holds values for words in capitals.
"""

import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from env import WPMECCritic, default_channel, default_weights
from env.datasets import write_dataset
from env.labels import label
from experiments import cli, pretrain
from experiments.configs import DROOConfig, LyDROOConfig, PretrainConfig
from experiments.running.run import run as run_experiment
from tests.conftest import ROOT, documents

OURS = ("experiments", "benchmarks")
PLACEHOLDERS = {
    r"lydroo --data (FILE|queues\.mat)\b": "lydroo --data results/lydroo/RUN/result.mat",
    r"\b(DATA|FILE|frames\.mat)\b": "data_10.mat",
    r"\bFOLDER\b": "results/droo/RUN",
    r"\bOUTPUT\b": "written.mat",
    r"\bCOMMAND\b": "run",
    r"\b(NAME|MODULE)\b": "learning_rate",
    r"\bCHECKPOINT\b": "results/pretrain/RUN/checkpoint.safetensors",
    r"\bTIME-nN-seedS\b": "RUN",
    r"--seeds \.\.\.": "--seeds 0 1",
    r" (\.\.\.|…)(?= |$)": "",
    r"\$\w+": "10",
}
SMALL: dict[str, Any] = {"frames": 100, "seeds": (0, 1), "epochs": 2, "quick": True, "jobs": 1}
"""Settings that make a command short, if it has fields with these names."""
SMALL_STUDY: dict[str, Any] = {"scale": "smoke", "jobs": 1, "only": ("adaptive_k",)}
"""The same for a command with a scale. (test_studies.py runs all studies.)"""
FEW_FRAMES = 200
"""Number of devices in the data files of the folder in which commands run."""


class Documented(NamedTuple):
    """A command, the document that it is in, and whether it is a line of a block."""

    text: str
    document: Path
    block: bool

    def __str__(self) -> str:
        """Name of the test case."""
        return f"{self.document.relative_to(ROOT)}: {self.text}"


def found_in(document: Path) -> Iterator[Documented]:
    """Yield the commands of a document."""
    text = document.read_text(encoding="utf-8")
    fence = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
    for language, block in fence.findall(text):
        if language in {"sh", "bash", "shell", "console"}:
            for line in block.replace("\\\n", " ").splitlines():
                for command in commands_of(line):
                    yield Documented(command, document, block=True)
    for span in re.findall(r"(?<!`)`([^`]+)`", fence.sub("", text)):
        if is_command(" ".join(span.split())):
            yield Documented(" ".join(span.split()), document, block=False)


def commands_of(line: str) -> list[str]:
    """Return the commands in a line of shell, without comments, redirections and assignments."""
    line = re.sub(r"(^|\s)#.*", "", line).strip().removeprefix("$ ")
    inner = re.findall(r"[<$]\(([^)]*)\)", line)
    parts = [*re.split(r"&&|\|\||[|;]", line), *inner]
    plain = [re.sub(r"^(do +)?(\w+=\S* +)*|\s*[<>].*", "", part.strip()) for part in parts]
    return [part for part in plain if is_command(part)]


def is_command(text: str) -> bool:
    return re.match(r"(droo|make)( |$)|python (-m |examples/)", text) is not None


FOUND = [each for document in documents() for each in found_in(document)]
FOUND.sort(key=lambda each: each.block)  # if a span and a line are equal, the line is kept
DOCUMENTED = list({each.text: each for each in FOUND}.values())


def filled_in(text: str) -> list[str]:
    """Return the words of a command, with values for its placeholders."""
    for placeholder, value in PLACEHOLDERS.items():
        text = re.sub(placeholder, value, text)
    return shlex.split(text)


def words_of(documented: Documented) -> list[str]:
    """Return the words of a command; for a target of make, those of the command that it runs."""
    words = filled_in(documented.text)
    if words[0] != "make":
        return words
    done = subprocess.run(
        [*words, "--dry-run"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return shlex.split(done.stdout.splitlines()[-1])


def module_of(words: list[str]) -> str | None:
    """Return the module of a command of this project; None for another command."""
    if words[0] == "droo":
        return "experiments"
    if Path(words[0]).name == "python" and words[1] == "-m" and words[2].startswith(OURS):
        return words[2]
    return None


def start(words: list[str], monkeypatch: pytest.MonkeyPatch, *, carry_out: bool) -> None:
    """Start a command of this project in this process, until it is parsed or, if short, to its end.

    Raises:
        SystemExit: unless its exit code is 0.
    """
    settings = cli._settings

    def shortened(*of_command: Any) -> Any:
        config = settings(*of_command)
        if not carry_out:
            sys.exit()
        present = {field.name for field in fields(config)}
        small = SMALL_STUDY if "scale" in present else SMALL
        return replace(config, **{name: small[name] for name in present & small.keys()})

    module = module_of(words)
    assert module is not None
    with monkeypatch.context() as patch:
        patch.setattr(cli, "_settings", shortened)
        patch.setattr(sys, "argv", [words[0], *words[1 if words[0] == "droo" else 3 :]])
        patch.delitem(sys.modules, module, raising=False)  # or runpy warns that it is there
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as stop:
            if stop.code:
                raise


def is_complete(documented: Documented, words: list[str], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether a command has all required arguments; a code span may lack them.

    Raises:
        SystemExit: if the command cannot be parsed.
    """
    try:
        start(words, monkeypatch, carry_out=False)
    except SystemExit:
        if documented.block or len(words) != (2 if words[0] == "droo" else 3):
            raise
        start([*words, "--help"], monkeypatch, carry_out=False)
        return False
    return True


@pytest.mark.parametrize("documented", DOCUMENTED, ids=str)
def test_a_documented_command_is_understood(
    documented: Documented, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = words_of(documented)
    if module_of(words):
        is_complete(documented, words, monkeypatch)
    elif words[0] == "python":
        assert find_spec(words[2]) if words[1] == "-m" else (ROOT / words[1]).is_file()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the documented commands read."""
    folder = tmp_path_factory.mktemp("documented")
    gains = default_channel(10).sample(np.random.default_rng(0), FEW_FRAMES)
    write_dataset(folder / "data_10.mat", label(gains, WPMECCritic(default_weights(10))))
    few: dict[str, Any] = {"frames": FEW_FRAMES, "results": folder / "results"}
    for name in ("RUN", "RUN1", "RUN2"):
        for config in (DROOConfig(**few), LyDROOConfig(**few)):
            run = run_experiment(config, progress=False)
            run.rename(run.parent / name)
    labelled = PretrainConfig(data=folder / "data_10.mat", epochs=2, results=folder / "results")
    pretrain.run(labelled).rename(folder / "results/pretrain/RUN")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("documented", DOCUMENTED, ids=str)
def test_a_documented_command_runs(
    documented: Documented, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    words = words_of(documented)
    if module_of(words):
        if is_complete(documented, words, monkeypatch):
            start(words, monkeypatch, carry_out=True)
    elif words[0] == "python" and words[1] != "-m":
        environment = os.environ | {"PYTHONPATH": f"{ROOT}", "MPLBACKEND": "Agg"}
        script = [sys.executable, f"{ROOT / words[1]}", *words[2:]]
        subprocess.run(script, env=environment, check=True)


def test_commands_are_found_in_blocks_and_spans(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(
        """
Do `droo plot`, not `droo.save(path)` or ``, nor `make
report`.

```sh
pip install ".[onnx]" && droo run --data FILE  # recorded
NUMBA_CACHE_DIR=/tmp python -m experiments.droo | head
source <(droo --completion bash)
for n in 5 10; do droo run --num-devices $n; done
droo dataset a.mat \\
    --frames 3 > log
```

```python
droo = DROO(agent)
```
"""
    )
    found = [(each.text, each.block) for each in found_in(tmp_path / "page.md")]
    assert found == [
        ("droo run --data FILE", True),
        ("python -m experiments.droo", True),
        ("droo --completion bash", True),
        ("droo run --num-devices $n", True),
        ("droo dataset a.mat      --frames 3", True),
        ("droo plot", False),
        ("make report", False),
    ]


@pytest.mark.parametrize(
    "text", ["droo rnu", "droo run --fraes 3", "droo plot", "python -m experiments.run", "make rnu"]
)
def test_a_command_that_does_not_work_is_noticed(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Documented(text, ROOT / "README.md", block=True)
    with pytest.raises((SystemExit, ImportError, AssertionError)):
        is_complete(wrong, words_of(wrong), monkeypatch)


def test_every_extra_that_is_documented_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for document in documents():
        for extras in re.findall(r"pip install [^`\n]*\[([\w,]+)\]", document.read_text()):
            assert set(extras.split(",")) <= project["optional-dependencies"].keys(), document


def test_every_example_is_documented() -> None:
    everything = "".join(document.read_text() for document in documents())
    for example in (ROOT / "examples").glob("*.*"):
        assert f"examples/{example.name}" in everything
