import itertools
import re
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import ArrayLike

from agent import DROO, Choice
from tests.conftest import ROOT
from tests.documents.test_documents import python_blocks

README = (ROOT / "README.md").read_text()
EXAMPLES = python_blocks(README)


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
    assert len(EXAMPLES) == 8


def test_every_module_that_the_readme_names_is_there() -> None:
    for path in re.findall(r"`((?:agent|env|experiments)/[\w/]+\.py)`", README):
        assert (ROOT / path).is_file()
