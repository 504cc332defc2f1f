"""The Python blocks in README and docs run, and their links have targets.

Each block of the README is a program. The blocks of another page form one program, in their order;
a page with the comment `<!-- slow -->` runs only in `make test-all`. A block marked `py` instead of
`python` is an excerpt and does not run.
"""

import re
import runpy
from pathlib import Path

import matplotlib
import pytest

from experiments import export
from experiments.configs import DROOConfig, ExportConfig
from experiments.running.run import run as run_experiment
from tests.conftest import ROOT, documents

FENCED = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)
SLOW = "<!-- slow -->"


def python_blocks(text: str) -> list[str]:
    """Return the blocks of Python in Markdown."""
    return re.findall(r"^```python[^\n]*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def programs() -> list[object]:
    """Return the programs in the documents, as parameters of a test."""
    found: list[object] = []
    for document in documents():
        text, name = document.read_text(encoding="utf-8"), str(document.relative_to(ROOT))
        blocks = python_blocks(text)
        slow = [pytest.mark.slow] if SLOW in text else []
        if name == "README.md":
            found += [pytest.param(code, id=f"{name}-{i}") for i, code in enumerate(blocks)]
        elif blocks:
            found.append(pytest.param("\n".join(blocks), id=name, marks=slow))
    return found


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with the run droo/RUN, which some pages use, and its export."""
    folder = tmp_path_factory.mktemp("documents") / "results"
    run = run_experiment(DROOConfig(frames=300, results=folder), progress=False, draw=False)
    export.main(ExportConfig(run.rename(run.parent / "RUN"), "csv"))
    return folder


@pytest.mark.parametrize("code", programs())
def test_the_code_in_a_document_runs_as_it_stands(
    code: str, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").symlink_to(saved)
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    program = tmp_path / "program.py"  # a file, since some libraries read the source
    program.write_text(code, encoding="utf-8")
    runpy.run_path(f"{program}", run_name="__main__")


@pytest.mark.parametrize("document", documents(), ids=lambda path: f"{path.relative_to(ROOT)}")
def test_every_link_target_of_a_document_exists(document: Path) -> None:
    prose = FENCED.sub("", document.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", prose):
        assert (document.parent / target).exists(), target


def test_the_pages_of_docs_are_among_the_documents() -> None:
    assert {"README.md", "learning.md", "queues.md", "command_line.md"} <= {
        path.name for path in documents()
    }
