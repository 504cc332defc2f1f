from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droo_core.arrays import Floats
from env import QueueingCritic, QueueingMEC, RecordedChannel, WirelessPoweredMEC
from env.common.features import MAX_AGE, Observer, parse, states
from env.queueing.features import QUEUEING_FEATURES, QueueingView
from env.wpmec.features import WPMEC_FEATURES, WPMECView

T, N = 12, 3


def some(known: Iterable[str]) -> st.SearchStrategy[list[str]]:
    """Return a strategy of lists of features, of this frame or earlier ones."""
    feature = st.tuples(st.sampled_from(sorted(known)), st.integers(0, T + 3)).map(
        lambda name_age: f"{name_age[0]}@{name_age[1]}" if name_age[1] else name_age[0]
    )
    return st.lists(feature, min_size=1, max_size=6, unique=True)


def gains_of(rng: np.random.Generator, scale: float) -> Floats:
    return rng.exponential(scale, (T, N)) * (rng.random((T, N)) > 0.2)


@settings(max_examples=60)
@given(features=some(WPMEC_FEATURES), seed=st.integers(0, 1000))
def test_states_at_once_are_those_of_wireless_powered_mec(features: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    gains, weights = gains_of(rng, 1e-6), rng.uniform(0.5, 2, (T, N))
    env = WirelessPoweredMEC(channel=RecordedChannel(gains), weights=weights[0], features=features)
    seen = [env.reset()[0]]
    for t in range(1, T):
        env.step(np.zeros(N))
        env.weights = weights[t]  # of the coming frame
        seen.append(env.state)
    assert (states(features, WPMEC_FEATURES, WPMECView(gains, weights)) == np.array(seen)).all()


def told(env: QueueingMEC) -> QueueingView:
    """Return the quantities of a frame from which the features of MEC with queues are computed."""
    frame = env.gain, env.data_queue, env.energy_queue
    return QueueingView(*frame, env.weights, *QueueingCritic(env.weights).frame(*frame).outlook())


@settings(max_examples=60)
@given(features=some(QUEUEING_FEATURES), seed=st.integers(0, 1000))
def test_states_at_once_are_those_of_mec_with_queues(features: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    gains = gains_of(rng, 1e-11)
    env = QueueingMEC(channel=RecordedChannel(gains), features=features)
    seen = [env.reset(seed=seed)[0]]
    frames = [told(env)]
    for _ in range(1, T):
        seen.append(env.step(rng.integers(0, 2, N))[0])
        frames.append(told(env))
    all_of_them = QueueingView(*(np.array(column) for column in zip(*frames, strict=True)))
    assert (all_of_them.gain == gains).all()
    assert (states(features, QUEUEING_FEATURES, all_of_them) == np.array(seen)).all()


@settings(max_examples=60)
@given(features=some(QUEUEING_FEATURES), seed=st.integers(0, 1000))
def test_an_observer_gives_the_same_states_as_a_batch(features: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.exponential(1, (7, T, N))
    observer, expected = Observer(features, QUEUEING_FEATURES), rng.exponential(1, 0)
    assert not observer
    for _ in range(2):  # the second time after clearing
        observer.clear()
        for t in range(T):
            observer.add(QueueingView(*rng.exponential(1, (7, N))))
            observer.replace(QueueingView(*frames[:, t]))
            so_far = QueueingView(*frames[:, : t + 1])
            expected = states(features, QUEUEING_FEATURES, so_far)[t]
            assert (observer.state == expected).all()
            told = observer.state
            told[:] = -1  # the caller changes the array
            assert (observer.state == expected).all()
            assert (np.array(observer.frame) == frames[:, t]).all()
    assert expected.shape == (len(features) * N,)


def test_features_by_hand() -> None:
    frames = [np.array([[1e-10, 0.0], [2e-10, 1e-20]]), np.array([[0.0, 10.0], [20.0, 0.0]])]
    frames += [np.array([[500.0, 0.0], [0.0, 7.0]]), np.array([[1.5, 1.0], [1.5, 2.0]])]
    frames += [np.array([[0.0, 3.0], [9.0, 0.0]]), np.array([[0.0, 5.0], [0.5, 0.0]])]
    frames += [np.array([[5.0, 0.0], [0.0, 0.5]])]
    expected: dict[str, Any] = {
        "gain": [[1, 0], [2, 1e-10]],
        "data_queue": [[0, 1e-3], [2e-3, 0]],
        "energy_queue": [[0.05, 0], [0, 7e-4]],
        "log_gain": [[0, -14], [np.log(2), -14]],
        "log_data_queue": [[0, np.log(11)], [np.log(21), 0]],
        "log_energy_queue": [[np.log(501), 0], [0, np.log(8)]],
        "weight": [[1.5, 1], [1.5, 2]],
        "active": [[1, 0], [1, 1]],
        "log_price": [[0, np.log(4)], [np.log(10), 0]],
        "airtime": [[0, 4], [0.5, 0]],
        "ahead": [[4, 0], [0, 0.5]],
    }
    assert set(expected) == set(QUEUEING_FEATURES)
    for name, rows in expected.items():
        assert states([name], QUEUEING_FEATURES, QueueingView(*frames)) == pytest.approx(
            np.array(rows)
        )
        older = states([f"{name}@1"], QUEUEING_FEATURES, QueueingView(*frames))
        assert older == pytest.approx(np.array([rows[0], rows[0]]))
    both = states(list(expected), QUEUEING_FEATURES, QueueingView(*frames))
    assert both[1] == pytest.approx(np.concatenate([rows[1] for rows in expected.values()]))


def test_the_least_that_a_state_can_be() -> None:
    assert Observer(["gain", "active"], WPMEC_FEATURES).lowest == 0
    assert Observer(["gain", "log_gain@4"], WPMEC_FEATURES).lowest == -np.inf
    assert Observer(["log_data_queue", "weight"], QUEUEING_FEATURES).lowest == 0


def test_before_the_first_frame_there_is_nothing_to_tell() -> None:
    observer = Observer(["gain"], WPMEC_FEATURES)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
            observer.state  # noqa: B018
        with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
            observer.frame  # noqa: B018
        observer.add(WPMECView(np.ones(2), np.ones(2)))
        assert observer.state.tolist() == [1e6, 1e6]
        observer.clear()


def test_features_are_parsed() -> None:
    names = ["gain", "weight@3", f"gain@{MAX_AGE}"]
    assert parse(names, WPMEC_FEATURES) == [("gain", 0), ("weight", 3), ("gain", MAX_AGE)]
    for wrong in ("gain@0", "gain@-1", "gain@1.5", "gain@", "gain@1001", "data_queue", "", "@1"):
        with pytest.raises(ValueError, match="features must be of gain, log_gain, weight, active"):
            parse([wrong], WPMEC_FEATURES)
    for several in ([], ["gain", "gain"], ["gain@1", "gain@01"]):
        with pytest.raises(ValueError, match="features must be distinct and at least one"):
            parse(several, WPMEC_FEATURES)
