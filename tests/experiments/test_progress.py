"""The progress bar."""

from collections.abc import Iterator

import numpy as np
import pytest

from experiments.consumers import progress
from experiments.consumers.recorder import Block
from experiments.problems.wpmec.schema import SCHEMA
from experiments.runs.table import Table

FRAMES = 3 * progress.EVERY


def blocks() -> Iterator[Block]:
    for t in range(FRAMES):
        yield Block(t, t + 1, [], 1.0)


@pytest.mark.parametrize("show", [False, True])
def test_nothing_is_averaged_for_a_bar_that_is_not_on_a_terminal(
    show: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    averaged: list[object] = []

    def watched(*given: object) -> dict[str, str]:
        averaged.append(given)
        return {}

    monkeypatch.setattr(progress, "_watched", watched)
    table = Table(SCHEMA, {"decision": np.zeros((FRAMES, 2), np.int64)})
    passed = list(progress.with_progress(blocks(), table, show=show))
    assert [block.end for block in passed] == list(range(1, FRAMES + 1))
    assert averaged == []
