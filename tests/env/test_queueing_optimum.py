"""The optimal decision with queues, against full enumeration."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat

from droo_core.arrays import Floats
from env import (
    QueueingCritic,
    QueueingFrame,
    QueueingMEC,
    QueueingParameters,
    WirelessPoweredMEC,
    default_queueing_channel,
    default_queueing_weights,
)
from env.schemes import (
    certified_lyapunov_optimum,
    certify_lyapunov_frames,
    coordinate_descent,
    full_enumeration,
    greedy,
    lyapunov_optimum,
)
from tests import reference
from tests.conftest import published


def everything(frame: QueueingFrame) -> Floats:
    """Return the value of every decision `[2^N]`."""
    return frame.score(list(itertools.product((0, 1), repeat=frame.num_devices)))


def usual_frame(rng: np.random.Generator, num_devices: int) -> QueueingFrame:
    """Return a frame as in the paper's experiments."""
    critic = QueueingCritic(rng.uniform(0.5, 2, num_devices))
    gain = default_queueing_channel(num_devices).sample(rng, 1)[0]
    data, energy = rng.exponential((5, 300), (num_devices, 2)).T
    return QueueingFrame(critic, gain, data, energy)


def any_frame(rng: np.random.Generator, num_devices: int) -> QueueingFrame:
    """Return a frame outside the paper's regime: any gain, queue, worth of rates; ties; zeros."""
    n = num_devices
    parameters = QueueingParameters(
        tradeoff=rng.choice([0.0, 10 ** rng.uniform(-1, 4)]),
        cycles_per_bit=10 ** rng.uniform(1, 4),
        bandwidth=10 ** rng.uniform(4, 8),
        max_power=10 ** rng.uniform(-3, 1),
    )
    critic = QueueingCritic(rng.choice([rng.uniform(0.1, 3, n), np.ones(n)]), parameters)
    low, high = np.sort(rng.uniform([-16, -3, -3], [-6, 3, 6], (2, 3)), axis=0)[..., None]
    frame = 10 ** rng.uniform(low, high, (3, n))
    for row in frame:
        if rng.random() < 0.2:
            row[rng.random(n) < 0.3] = 0
        if rng.random() < 0.2:
            row[:] = row[0]
    return QueueingFrame(critic, *frame)


def check_optimal(frame: QueueingFrame) -> None:
    found, values = certified_lyapunov_optimum(frame), everything(frame)
    best = values.max()
    assert found.objective == pytest.approx(best, rel=1e-10)
    assert found.upper_bound >= best * (1 - 1e-10)
    assert found.upper_bound <= best * (1 + 1e-10)
    assert found.upper_bound >= found.objective
    assert frame.score(found.decision[None])[0] == pytest.approx(found.objective, rel=1e-12)
    assert set(found.decision.tolist()) <= {0, 1}
    assert 1 <= found.nodes <= 2 ** (frame.num_devices + 1)
    assert (lyapunov_optimum(frame) == found.decision).all()
    assert frame.score(full_enumeration(frame)[None])[0] == best


def test_the_optimum_in_the_papers_regime() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        check_optimal(usual_frame(rng, int(rng.integers(1, 9))))


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32), num_devices=st.integers(1, 8))
def test_the_optimum_of_any_frame(seed: int, num_devices: int) -> None:
    check_optimal(any_frame(np.random.default_rng(seed), num_devices))


def test_the_optimum_of_a_small_frame_by_independent_means() -> None:
    rng = np.random.default_rng(1)
    for _ in range(3):
        frame = usual_frame(rng, 4)
        parts = (frame.gain, frame.data_queue, frame.energy_queue)
        values = {
            decision: reference.queueing_objective(
                parts, frame.critic.weights, np.array(decision), QueueingParameters()
            )
            for decision in itertools.product((0, 1), repeat=4)
        }
        found = certified_lyapunov_optimum(frame)
        assert tuple(found.decision) == max(values, key=lambda decision: values[decision])
        assert found.objective == pytest.approx(max(values.values()), rel=1e-10)


def test_frames_with_nothing_to_decide() -> None:
    critic = QueueingCritic([1.0, 1.5, 1.0])
    gain, zero = np.full(3, 1e-11), np.zeros(3)
    empty = certified_lyapunov_optimum(QueueingFrame(critic, gain, zero, np.ones(3)))
    assert empty.objective == empty.upper_bound == 0
    deaf = certified_lyapunov_optimum(QueueingFrame(critic, zero, np.ones(3), zero))
    assert deaf.decision.tolist() == [0, 0, 0]
    assert deaf.objective == pytest.approx(21 + 31 + 21)


def test_more_nodes_give_a_smaller_gap_and_no_bound_is_wrong() -> None:
    # Among equal devices the bound can be fractional in any of them: the search has many branches.
    n = 10
    for data, energy, average in ((8.0, 500.0, 1e-11), (30.0, 2000.0, 3e-12), (9.0, 50.0, 1e-12)):
        critic = QueueingCritic(np.ones(n))
        gain = np.full(n, average)
        frame = QueueingFrame(critic, gain, np.full(n, data), np.full(n, energy))
        decisions = np.tri(
            n + 1, n, -1, dtype=np.int64
        )  # only the number of offloading devices matters
        best = frame.score(decisions).max()
        previous = np.inf
        for max_nodes in (1, 2, 3, 5, 10, 100, 1000, 100_000):
            found = certified_lyapunov_optimum(frame, max_nodes=max_nodes)
            assert found.nodes <= max_nodes
            assert found.objective <= best * (1 + 1e-12)
            assert best * (1 - 1e-10) <= found.upper_bound <= previous
            assert frame.score(found.decision[None])[0] == pytest.approx(found.objective)
            previous = found.upper_bound * (1 + 1e-12)
        assert found.objective == pytest.approx(best, rel=1e-10)
        assert found.nodes > 1  # so that the search did stop early


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32), max_nodes=st.integers(1, 4))
def test_a_search_that_stops_early_bounds_every_decision(seed: int, max_nodes: int) -> None:
    frame = any_frame(np.random.default_rng(seed), 7)
    found, best = certified_lyapunov_optimum(frame, max_nodes=max_nodes), everything(frame).max()
    assert found.objective <= best * (1 + 1e-12)
    assert best * (1 - 1e-10) <= found.upper_bound
    assert frame.score(found.decision[None])[0] == pytest.approx(found.objective, rel=1e-12)


def test_many_devices() -> None:
    rng = np.random.default_rng(0)
    for n, frames in ((30, 50), (100, 10), (300, 2)):
        for _ in range(frames):
            frame = usual_frame(rng, n)
            found = certified_lyapunov_optimum(frame)
            assert found.upper_bound <= found.objective * (1 + 1e-10)
            # A necessary condition: no single flip is better.
            flips = found.decision ^ np.eye(n, dtype=np.int64)
            assert frame.score(flips).max() <= found.upper_bound


def test_no_scheme_decides_better() -> None:
    rng = np.random.default_rng(2)
    for _ in range(30):
        frame = usual_frame(rng, 20)
        found = certified_lyapunov_optimum(frame)
        for scheme in (coordinate_descent, greedy):
            assert frame.score(scheme(frame)[None])[0] <= found.objective * (1 + 1e-10)


def test_never_below_the_published_objective() -> None:
    run = loadmat(published("data/lydroo_result_10.mat"))
    critic = QueueingCritic(default_queueing_weights(10))
    better = []
    for t in range(1, 500):  # in the first frame all queues are empty
        frame = QueueingFrame(
            critic, run["input_h"][t], run["data_queue"][t], run["energy_queue"][t]
        )
        found, objective = certified_lyapunov_optimum(frame), run["objective"][0, t]
        decided = frame.score(run["off_mode"][t][None])[0]
        assert found.objective >= objective * (1 - 1e-6)
        assert decided >= objective * (1 - 1e-6)
        assert found.objective >= decided * (1 - 1e-11)
        better.append(found.objective / objective - 1)
    assert np.mean(better) < 0.2  # the published agent learns to decide nearly as well
    assert np.mean(np.array(better) > 1e-4) > 0.1


def test_an_environment_is_a_frame() -> None:
    env = QueueingMEC(6)
    env.reset(seed=0, options={"data_queue": np.arange(6.0), "energy_queue": np.full(6, 50.0)})
    found = certified_lyapunov_optimum(env)
    assert found.objective == pytest.approx(env.score(full_enumeration(env)[None])[0], rel=1e-10)
    assert env.step(found.decision)[1] == pytest.approx(found.objective, rel=1e-12)


def test_the_frame_is_left_as_it_was() -> None:
    frame = usual_frame(np.random.default_rng(0), 8)
    before = [part.copy() for part in (frame.gain, frame.data_queue, frame.energy_queue)]
    first = certified_lyapunov_optimum(frame)
    again = certified_lyapunov_optimum(frame)
    assert first.objective == again.objective
    assert (first.decision == again.decision).all()
    for part, kept in zip((frame.gain, frame.data_queue, frame.energy_queue), before, strict=True):
        assert (part == kept).all()


def test_frames_of_other_problems_are_refused() -> None:
    wpmec = WirelessPoweredMEC(3)
    wpmec.reset(seed=0)
    myopic = QueueingMEC(3, allocation="myopic")
    myopic.reset(seed=0)
    others: list[Any] = [wpmec, myopic, object(), None]
    for other in others:
        for scheme in (certified_lyapunov_optimum, lyapunov_optimum):
            with pytest.raises(TypeError, match="frame must be a QueueingMEC"):
                scheme(other)


def test_bad_arguments_are_named() -> None:
    frame = usual_frame(np.random.default_rng(0), 3)
    with pytest.raises(ValueError, match="max_nodes must be at least 1, got 0"):
        certified_lyapunov_optimum(frame, max_nodes=0)
    with pytest.raises(TypeError, match="max_nodes must be an integer"):
        certified_lyapunov_optimum(frame, max_nodes=1.5)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        certified_lyapunov_optimum(QueueingMEC(3))


def test_devices_that_are_alike_take_few_nodes() -> None:
    frame = QueueingFrame(
        QueueingCritic(np.ones(30)), np.full(30, 1e-11), np.full(30, 1.3), np.full(30, 70.0)
    )
    found = certified_lyapunov_optimum(frame, max_nodes=500)
    assert found.gap < 1e-10
    number = found.decision.sum()
    others = np.arange(30)[:, None] > np.arange(30)[None]  # 0, 1, ... 29 devices offload
    assert found.objective >= frame.score(others.astype(int)).max() * (1 - 1e-12)
    assert 0 < number < 30


@pytest.mark.parametrize("num_devices", [10, 30, 100])
def test_a_few_nodes_are_enough_whatever_the_number_of_devices(num_devices: int) -> None:
    rng = np.random.default_rng(1)
    critic = QueueingCritic(default_queueing_weights(num_devices))
    gains = default_queueing_channel(num_devices).sample(rng, 200)
    nodes = [
        certified_lyapunov_optimum(
            critic.frame(gain, rng.exponential(20, num_devices), rng.exponential(100, num_devices))
        ).nodes
        for gain in gains
    ]
    assert 2 < np.mean(nodes) < 6


@pytest.mark.parametrize("max_nodes", [2, 1_000_000])
def test_frames_are_certified_together_as_one_by_one(max_nodes: int) -> None:
    rng = np.random.default_rng(4)
    frames = [usual_frame(rng, 12).array for _ in range(100)]
    critic = QueueingCritic(default_queueing_weights(12))
    together = certify_lyapunov_frames(critic, *np.stack(frames, 1), max_nodes=max_nodes)
    for t, frame in enumerate(frames):
        again = certified_lyapunov_optimum(QueueingFrame(critic, *frame), max_nodes=max_nodes)
        assert (together.decisions[t] == again.decision).all()
        assert tuple(values[t] for values in together[1:]) == again[1:]
        assert {type(value) for value in again[1:4]} == {float}


def test_frames_to_be_certified_together_are_checked() -> None:
    critic, frames = QueueingCritic(np.ones(2)), np.ones((5, 2))
    with pytest.raises(ValueError, match="energy_queues must be finite and in"):
        certify_lyapunov_frames(critic, frames, frames, -frames)
    with pytest.raises(ValueError, match=r"data_queues must have shape \[5, 2\], got \[4, 2\]"):
        certify_lyapunov_frames(critic, frames, frames[:4], frames)
    with pytest.raises(ValueError, match="max_nodes must be at least 1"):
        certify_lyapunov_frames(critic, frames, frames, frames, max_nodes=0)
