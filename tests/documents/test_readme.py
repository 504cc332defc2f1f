"""Statements of the README hold, and files named in documents exist."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from agent import DROO, Choice
from tests.conftest import ROOT, documents
from tests.documents.test_documents import python_blocks

README = (ROOT / "README.md").read_text()
EXAMPLES = python_blocks(README)
HOUSE = (ROOT / "docs/house.md").read_text()


@pytest.mark.parametrize("options", ["", ", refine_every=32, learn_when_wrong=True"])
def test_the_embedded_agent_learns_as_the_readme_says(
    options: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = np.array(list(itertools.product([0, 1], repeat=6)))
    normalized = []
    decide = DROO.decide

    def recorded(self: DROO, state: ArrayLike, score: Callable[..., ArrayLike]) -> Choice:
        choice = decide(self, state, score)
        normalized.append(choice.reward / np.max(score(everything)))
        return choice

    monkeypatch.setattr(DROO, "decide", recorded)
    (embedded,) = (example for example in EXAMPLES if "def score" in example)
    code = embedded.replace("seed=0))", f"seed=0){options})")
    exec(code, {})
    if options:
        (always,) = re.findall(r"it has (\d+\.\d) % from the first frames on", README)
        assert np.mean(normalized[:100]) >= float(always) / 100
        assert np.mean(normalized) >= float(always) / 100
        return
    start, end = re.findall(r"starts at (\d+) % of the optimum and ends at (\d+) %", README)[0]
    assert np.mean(normalized[:100]) == pytest.approx(int(start) / 100, abs=0.01)
    assert np.mean(normalized[-500:]) == pytest.approx(int(end) / 100, abs=0.01)


def test_the_examples_are_found() -> None:
    assert len(EXAMPLES) == 1
    assert sum(len(python_blocks(document.read_text())) for document in documents()) >= 23


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 160
    assert len(re.findall(r"^!\[", README, re.MULTILINE)) == 1


def test_every_page_can_be_reached_from_the_readme() -> None:
    found, left = set(), {ROOT / "README.md"}
    while left:
        page = left.pop()
        found.add(page)
        links = re.findall(r"\]\((?!https?:)([\w./]+\.md)", page.read_text())
        left |= {(page.parent / link).resolve() for link in links} - found
    assert {page for page in documents() if page.name != "measurements.md"} <= found


@pytest.mark.parametrize("document", documents(), ids=lambda path: f"{path.relative_to(ROOT)}")
def test_every_file_of_the_code_that_a_document_names_is_there(document: Path) -> None:
    named = r"`((?:agent|benchmarks|docs|droo_core|env|examples|experiments|tests)/[\w/.]*)`"
    for path in re.findall(named, document.read_text()):
        here = ROOT / path
        assert here.exists() or here.with_suffix(".py").exists(), path


def tree() -> list[Path]:
    """Return the files and folders in the tree of docs/house.md."""
    (block,) = re.findall(r"^```\n(agent/.*?)^```", HOUSE, flags=re.DOTALL | re.MULTILINE)
    found: list[Path] = []
    above: list[str] = []
    for line in block.splitlines():
        indent, name = re.findall(r"^( *)(\S+)  ", line)[0]
        above = [*above[: len(indent) // 2], name]
        found.append(ROOT.joinpath(*above))
    return found


def test_the_tree_of_the_house_is_that_of_the_code() -> None:
    assert [path for path in tree() if not path.exists()] == []


@pytest.mark.parametrize("package", ["agent", "droo_core", "env", "experiments"])
def test_the_tree_of_the_house_has_every_module_and_folder_of_a_package(package: str) -> None:
    inside = {
        path
        for path in (ROOT / package).iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    unnamed = {path for path in inside if path.name not in {"__init__.py", "__main__.py"}}
    assert unnamed - set(tree()) == set()
