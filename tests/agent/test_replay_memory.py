import numpy as np
import pytest
from scipy.stats import chisquare

from agent import ReplayMemory


def filled(capacity: int, rows: int) -> ReplayMemory:
    memory = ReplayMemory(capacity, 3, np.random.default_rng(0))
    for i in range(1, rows + 1):
        memory.append(np.full(2, i, dtype=np.float32), np.ones(1))
    return memory


def test_only_written_rows_are_sampled() -> None:
    batch = filled(capacity=100, rows=3).sample(1000)
    assert set(batch[:, 0].tolist()) == {1, 2, 3}


def test_the_oldest_rows_are_overwritten() -> None:
    memory = filled(capacity=4, rows=10)
    assert len(memory) == 4
    assert memory.counter == 10
    assert sorted(memory.rows[:, 0].tolist()) == [7, 8, 9, 10]


def test_rows_are_sampled_uniformly() -> None:
    counts = np.bincount(filled(capacity=8, rows=20).sample(8000)[:, 0].astype(int))[13:]
    assert chisquare(counts).pvalue > 0.001
    lopsided = counts + np.linspace(-200, 200, 8)
    assert chisquare(lopsided).pvalue < 1e-6


def test_a_row_that_does_not_fit_is_not_written() -> None:
    memory = filled(capacity=4, rows=0)
    with pytest.raises(
        ValueError, match="state and decision must have 3 entries together, got 2 and 2"
    ):
        memory.append(np.ones(2), np.ones(2))
    assert not memory.rows.any()
    with pytest.raises(ValueError, match="capacity must be at least 1, got 0"):
        filled(capacity=0, rows=0)


def test_an_empty_memory_gives_nothing() -> None:
    with pytest.raises(ValueError, match="replay memory is empty"):
        filled(capacity=4, rows=0).sample(1)
