import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from droo_core.arrays import Floats
from env import QueueingParameters
from experiments.problems.queueing.schema import SCHEMA
from experiments.problems.queueing.stability import Drift, drift, held, report, verdict
from experiments.runs.table import Table


def remembering(memory: float, shape: tuple[int, int], seed: int = 0) -> Floats:
    """Return stationary series of variance 1 with exponential autocorrelation.

    Args:
        memory: correlation time in frames.
        shape: number of series and of frames.
        seed: seed of the noise.
    """
    keep = np.exp(-1 / memory)
    noise = np.random.default_rng(seed).standard_normal((shape[0], shape[1] + 2000))
    series: Floats = lfilter([np.sqrt(1 - keep**2)], [1, -keep], noise, axis=1)[:, 2000:]
    return series


@pytest.mark.parametrize("memory", [1, 20, 100])
def test_the_interval_covers_the_drift_at_its_confidence_level(memory: float) -> None:
    slope = 0.001
    found = [drift(x + slope * np.arange(10_000)) for x in remembering(memory, (400, 10_000))]
    covered = np.mean([each.low <= slope <= each.high for each in found])
    assert 0.92 <= covered <= 0.98  # 0.95 +- 2.7 standard errors


@pytest.mark.parametrize(("memory", "covered"), [(300, 0.92), (1000, 0.82), (3000, 0.70)])
def test_long_correlation_makes_the_interval_too_narrow(memory: float, covered: float) -> None:
    found = [drift(x) for x in remembering(memory, (400, 10_000))]
    assert np.mean([each.low <= 0 <= each.high for each in found]) == pytest.approx(
        covered, abs=0.06
    )


def test_wider_intervals_cover_more_often() -> None:
    series = remembering(20, (400, 2000))
    assert np.mean([drift(x, 0.5).low <= 0 <= drift(x, 0.5).high for x in series]) < 0.6


@given(st.floats(-10, 10), st.floats(-100, 100), st.integers(24, 500))
def test_a_straight_line_drifts_by_its_slope(slope: float, start: float, frames: int) -> None:
    found = drift(start + slope * np.arange(frames))
    assert found == pytest.approx(Drift(slope, slope, slope), abs=1e-6)


def test_only_the_last_half_counts() -> None:
    queue = np.concatenate([np.arange(500.0), np.full(500, 500.0)])
    assert drift(queue) == pytest.approx(Drift(0, 0, 0), abs=1e-12)


def test_a_queue_below_its_capacity_is_stable_and_one_above_is_not() -> None:
    rng = np.random.default_rng(0)
    arrivals = rng.exponential(3, 10_000)

    def queue(served: float) -> Floats:
        length = np.zeros(len(arrivals))
        for t in range(1, len(arrivals)):
            length[t] = max(length[t - 1] + arrivals[t - 1] - served, 0)
        return length

    assert verdict(queue(4.0), 0.03) == "stable"
    assert verdict(queue(2.7), 0.03) == "unstable"
    assert verdict(queue(3.0)[:200], 0.03, tests=20) == "undecided"
    assert verdict(np.zeros(100), 0.03) == "stable"


def test_a_queue_that_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match="queue must have at least 24 frames, got 23"):
        drift(np.zeros(23))
    with pytest.raises(ValueError, match="queue must be finite"):
        drift(np.full(100, np.nan))
    with pytest.raises(ValueError, match="confidence"):
        drift(np.zeros(100), 1.5)


def test_a_constraint_holds_in_the_frames_whose_mean_so_far_is_within() -> None:
    values = np.array([[1.0, 3.0], [3.0, 1.0], [1.0, 1.0], [0.0, 3.0]])
    assert held(values, 2.0) == 0.75
    assert held(values[:, :1], 2.0) == 1.0


def history(data_queue: Floats, energy: Floats) -> Table:
    frames, devices = data_queue.shape
    columns = {
        "arrival": np.full((frames, devices), 3.0),
        "data_queue": data_queue,
        "energy_queue": np.zeros((frames, devices)),
        "energy": energy,
        "decision": np.zeros((frames, devices), dtype=np.int64),
    }
    return Table(SCHEMA, columns, agent=False)


def test_the_report_gives_the_worst_verdict_of_all_queues() -> None:
    steady = 5 + remembering(5, (3, 2000)).T
    energy = np.full((2000, 3), 0.05)
    told = report(history(steady, energy), QueueingParameters())
    assert told["stability"] == "stable"
    assert told["energy_budget_held"] == 1.0
    assert told["largest_mean_energy"] == pytest.approx(0.05)

    growing = steady + np.outer(np.arange(2000), [0, 0.5, 0])
    energy[:1000, 2] = 0.2
    told = report(history(growing, energy), QueueingParameters())
    assert told["stability"] == "unstable"
    assert (told["unstable_data_queues"], told["unstable_energy_queues"]) == (1, 0)
    assert told["largest_data_queue_drift"] == pytest.approx(0.5, rel=0.02)
    assert told["data_queue_drift_low"] < 0.5 / 3 < told["data_queue_drift_high"]
    assert told["energy_budget_held"] == 0.0


def test_a_short_run_is_undecided() -> None:
    wandering = 50 + 10 * remembering(100, (3, 300)).T
    told = report(history(wandering, np.zeros((300, 3))), QueueingParameters())
    assert told["stability"] == "undecided"
    assert told["undecided_queues"] >= 1


def test_a_queue_that_comes_to_rest_is_not_called_unstable() -> None:
    filling = 100 * (1 - np.exp(-np.arange(2000) / 400)) + remembering(2, (1, 2000))[0]
    assert drift(filling).low > 0
    assert verdict(filling, 0.001) == "undecided"
    assert verdict(0.05 * np.arange(2000) + filling, 0.001) == "unstable"


def test_a_small_mean_with_a_wide_interval_is_undecided() -> None:
    wandering = 50 + 10 * remembering(100, (50, 300))
    for queue in wandering:
        if abs(drift(queue).mean) < 0.01 < drift(queue).high:
            assert verdict(queue, 0.01) == "undecided"
            break
    else:
        pytest.fail("none of the series is of that kind")


def test_more_tests_need_a_larger_drift_to_call_a_queue_unstable() -> None:
    queue = 0.003 * np.arange(600) + remembering(3, (1, 600), seed=1)[0]
    assert drift(queue).low > 0 > drift(queue, 1 - 0.05 / 1000).low
    assert verdict(queue, 0.001) == "unstable"
    assert verdict(queue, 0.001, tests=1000) == "undecided"


def test_energy_queues_are_not_tested_if_decisions_ignore_them() -> None:
    run = history(5 + remembering(5, (2, 2000)).T, np.full((2000, 2), 0.05))
    run["energy_queue"][:] = np.outer(np.arange(2000), [5.0, 0.0])
    assert report(run, QueueingParameters())["unstable_energy_queues"] == 1
    told = report(run, QueueingParameters(), virtual=False)
    assert (told["stability"], told["unstable_energy_queues"]) == ("stable", 0)
