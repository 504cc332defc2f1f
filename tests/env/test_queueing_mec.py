from typing import Any, Literal

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat
from scipy.stats import kstest, ncx2

import env as problems
from droo_core.arrays import Floats
from env import (
    ExponentialArrivals,
    MyopicCritic,
    PoissonBatches,
    QueueingMEC,
    QueueingParameters,
    RecordedArrivals,
    RecordedChannel,
    default_queueing_channel,
    default_queueing_weights,
    rayleigh,
    rician,
)
from env.schemes import coordinate_descent, lyapunov_optimum
from tests.conftest import published


def test_gymnasium_makes_it_with_its_arguments() -> None:
    made = gymnasium.make("QueueingMEC-v0", num_devices=3, max_episode_steps=2)
    made.reset(seed=0)
    assert made.action_space == gymnasium.spaces.MultiBinary(3)
    assert made.observation_space.shape == (9,)
    assert made.step(np.zeros(3))[2:4] == (False, False)
    assert made.step(np.zeros(3))[2:4] == (False, True)
    assert problems.QueueingMEC is type(made.unwrapped)


@pytest.mark.parametrize("allocation", ["lyapunov", "myopic"])
def test_the_reward_is_the_score_of_the_decision(
    allocation: Literal["lyapunov", "myopic"],
) -> None:
    env = QueueingMEC(6, allocation=allocation)
    state, _ = env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(50):
        decision = rng.integers(0, 2, 6)
        score, done = env.score(decision[None])[0], env.allocate(decision)
        data, energy = env.data_queue, env.energy_queue
        state, reward, terminated, truncated, info = env.step(decision)
        assert type(reward) is float
        assert reward == score == done.objective
        if allocation == "lyapunov":
            by_hand = (data + 20 * env.weights) @ done.rate - 10 * energy @ done.energy
        else:
            by_hand = env.weights @ done.rate
        assert reward == pytest.approx(by_hand, rel=1e-9, abs=1e-12)
        assert not terminated
        assert not truncated
        assert (state == env.state).all()
        assert env.observation_space.contains(state)
        for name in ("rate", "energy", "frequency", "offload_time", "power"):
            assert (info[name] == getattr(done, name)).all()
        for name in ("data_queue", "energy_queue"):
            assert (info[name] == getattr(env, name)).all()
        assert (info["channel_gain"] == env.gain).all()


def simulate(
    parameters: QueueingParameters, start: tuple[Floats, Floats], steps: list[dict[str, Any]]
) -> list[tuple[Floats, Floats]]:
    """Return the queues frame by frame, computed by hand from the info of each step."""
    data, energy = start
    queues = []
    for step in steps:
        data = np.array(
            [
                max(q - r + a, 0.0)
                for q, r, a in zip(data, step["rate"], step["arrival"], strict=True)
            ]
        )
        nu, budget = parameters.energy_queue_scale, parameters.energy_budget
        energy = np.array(
            [max(y + nu * (e - budget), 0.0) for y, e in zip(energy, step["energy"], strict=True)]
        )
        queues.append((data, energy))
    return queues


@settings(max_examples=30)
@given(
    seed=st.integers(0, 1000),
    budget=st.sampled_from([0.001, 0.08, 1.0]),
    scale=st.sampled_from([1.0, 1000.0]),
    allocation=st.sampled_from(["lyapunov", "myopic"]),
)
def test_queues_follow_their_recursions(
    seed: int, budget: float, scale: float, allocation: Literal["lyapunov", "myopic"]
) -> None:
    rng = np.random.default_rng(seed)
    parameters = QueueingParameters(energy_budget=budget, energy_queue_scale=scale)
    env = QueueingMEC(
        4, parameters=parameters, arrivals=PoissonBatches(np.ones(4)), allocation=allocation
    )
    start = rng.exponential(3, 4), rng.exponential(100, 4)
    env.reset(seed=seed, options=dict(zip(("data_queue", "energy_queue"), start, strict=True)))
    steps = [env.step(rng.integers(0, 2, 4))[4] for _ in range(40)]
    for step, (data, energy) in zip(steps, simulate(parameters, start, steps), strict=True):
        np.testing.assert_allclose(step["data_queue"], data, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(step["energy_queue"], energy, rtol=1e-12, atol=1e-9)
        assert (step["data_queue"] >= 0).all()
        assert (step["energy_queue"] >= 0).all()
        assert (step["rate"] <= 1e6).all()


def test_queues_by_hand() -> None:
    gain = np.full((2, 2), 1e-10)
    env = QueueingMEC(
        channel=RecordedChannel(gain), arrivals=RecordedArrivals([[2.0, 0.0], [7.0, 1.0]])
    )
    env.reset(options={"data_queue": [1.0, 5.0]})
    # Free energy: 1 Mbit at 100 Mcycle/s, and 3 of 5 Mbit at 300.
    state, reward, *_, info = env.step([0, 0])
    assert reward == pytest.approx(1 * (1 + 30) + 3 * (5 + 20))
    assert info["energy"] == pytest.approx([0.01, 0.27])
    assert info["arrival"].tolist() == [2, 0]
    assert env.data_queue == pytest.approx([2, 2])
    assert env.energy_queue == pytest.approx([0, 190])  # 1000 (0.01 - 0.08) < 0
    assert state == pytest.approx([1, 1, 2e-4, 2e-4, 0, 0.019])
    # All data of the first device at once, since its energy has no price.
    info = env.step([1, 0])[4]
    assert info["rate"][0] == 2
    assert env.data_queue[0] == 7
    assert env.energy_queue[0] == max(1000 * (info["energy"][0] - 0.08), 0)


def test_the_state_is_laid_out_as_published() -> None:
    env = QueueingMEC(5)
    assert env.features == ("gain", "data_queue", "energy_queue")
    state, info = env.reset(seed=0)
    assert (info["data_queue"] == 0).all()
    assert (info["energy_queue"] == 0).all()
    for _ in range(20):
        expected = [info["channel_gain"] * 1e10, info["data_queue"] / 1e4]
        expected.append(info["energy_queue"] / 1e4)
        np.testing.assert_allclose(state, np.concatenate(expected), rtol=1e-14)
        state, *_, info = env.step(np.zeros(5))
    assert state[5:].all()


def test_the_state_contains_the_features_asked_for() -> None:
    gains = np.array([[1e-10, 2e-10], [3e-10, 0.0], [5e-10, 1e-20]])
    features = (
        "log_gain",
        "log_data_queue",
        "log_energy_queue",
        "weight",
        "active",
        "gain",
        "gain@2",
        "data_queue@1",
        "energy_queue@1",
        "log_data_queue@2",
    )
    env = QueueingMEC(
        channel=RecordedChannel(gains),
        weights=[1.0, 3.0],
        arrivals=RecordedArrivals(np.full((1, 2), 100.0)),
        features=features,
    )
    assert env.features == features
    assert env.observation_space.shape == (20,)
    states = [env.reset(options={"data_queue": [4.0, 0.0], "energy_queue": [0.0, 9.0]})[0]]
    queues = [(env.data_queue, env.energy_queue)]
    for _ in range(2):
        states.append(env.step([0, 1])[0])
        queues.append((env.data_queue, env.energy_queue))
    for t, state in enumerate(states):
        (data, energy), (data1, energy1) = queues[t], queues[max(t - 1, 0)]
        rows = state.reshape(10, 2)
        logs = [[0, np.log(2)], [np.log(3), -14], [np.log(5), -14]][t]
        assert rows[0] == pytest.approx(logs)
        assert rows[1] == pytest.approx(np.log(1 + data))
        assert rows[2] == pytest.approx(np.log(1 + energy))
        assert rows[3].tolist() == [1, 3]
        assert rows[4].tolist() == [[1, 1], [1, 0], [1, 1]][t]
        assert rows[5] == pytest.approx(gains[t] * 1e10)
        # Features of frames before the first repeat those of the first.
        assert rows[6] == pytest.approx([1, 2])
        assert rows[7] == pytest.approx(data1 / 1e4)
        assert rows[8] == pytest.approx(energy1 / 1e4)
        assert rows[9] == pytest.approx(np.log(1 + queues[max(t - 2, 0)][0]))
    assert (env.reset()[0].reshape(10, 2)[7:] == 0).all()  # nothing is left of the last episode


@pytest.mark.parametrize(
    "features",
    [(), ("gain", "gain"), ("speed",), ("data_queue@",), ("gain@0",), ("gain@99999",), ("Gain",)],
)
def test_a_wrong_feature_is_named(features: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="features must be"):
        QueueingMEC(3, features=features)


def episode(env: QueueingMEC, seed: int | None, frames: int = 20) -> list[Any]:
    """Return all states, rewards and infos of an episode."""
    state, info = env.reset(seed=seed)
    told: list[Any] = [state.tolist(), {name: row.tolist() for name, row in info.items()}]
    for t in range(frames):
        state, reward, *_, info = env.step(np.arange(env.num_devices) % 2 == t % 2)
        told += [state.tolist(), reward, {name: row.tolist() for name, row in info.items()}]
    return told


@pytest.mark.parametrize("allocation", ["lyapunov", "myopic"])
def test_the_same_seed_gives_the_same_episode(allocation: Literal["lyapunov", "myopic"]) -> None:
    env = QueueingMEC(4, channel=rician(np.full(4, 1e-11), 0.3, 0.9), allocation=allocation)
    first, again, other = episode(env, 1), episode(env, 1), episode(env, 2)
    assert first == again
    assert first != other
    assert episode(QueueingMEC(4), 1) == episode(QueueingMEC(4), 1) != episode(QueueingMEC(4), 2)
    # Without a seed the random stream continues.
    assert episode(env, None) != episode(env, None)


def test_reset_restarts_recordings() -> None:
    rng = np.random.default_rng(0)
    gains, arrivals = rng.exponential(1e-11, (5, 3)), rng.exponential(3, (4, 3))
    env = QueueingMEC(channel=RecordedChannel(gains), arrivals=RecordedArrivals(arrivals))
    for _ in range(2):
        env.reset()
        for t in range(11):
            assert (env.gain == gains[t % 5]).all()
            assert (env.step([1, 0, 1])[4]["arrival"] == arrivals[t % 4]).all()


def test_an_episode_starts_with_the_queues_asked_for() -> None:
    env, data = QueueingMEC(3), np.array([1.0, 2.0, 3.0])
    _, info = env.reset(seed=0, options={"data_queue": data, "energy_queue": [4, 5, 6]})
    data[:] = 7
    assert env.data_queue.tolist() == info["data_queue"].tolist() == [1, 2, 3]
    assert env.energy_queue.tolist() == [4, 5, 6]
    env.reset(options={"data_queue": [1, 0, 0]})
    assert env.energy_queue.tolist() == [0, 0, 0]
    env.reset(options={})
    assert env.data_queue.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"queue": [1, 2, 3]}, ValueError, "options must be of data_queue, energy_queue, got 'qu"),
        ({"data_queue": [1, 2]}, ValueError, r"data_queue must have shape \[3\], got \[2\]"),
        ({"data_queue": [1, 2, -3]}, ValueError, "data_queue must be finite"),
        ({"energy_queue": [1, 2, np.nan]}, ValueError, "energy_queue must be finite"),
        ({"energy_queue": [1, 2, np.inf]}, ValueError, "energy_queue must be finite"),
        ({"energy_queue": ["a"] * 3}, TypeError, "energy_queue must hold real numbers"),
    ],
)
def test_bad_options_are_named_and_nothing_changes(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    env, twin = QueueingMEC(3), QueueingMEC(3)
    for each in (env, twin):
        each.reset(seed=0)
        each.step([0, 1, 1])
    with pytest.raises(error, match=message):
        env.reset(seed=5, options={"data_queue": [1.0, 1.0, 1.0]} | options)
    assert (env.state == twin.state).all()
    assert (env.step([1, 0, 1])[0] == twin.step([1, 0, 1])[0]).all()


def test_the_published_run_replays() -> None:
    run = loadmat(published("data/lydroo_result_10.mat"))
    gains, arrivals, modes = run["input_h"], run["data_arrival"], run["off_mode"]
    names = ("data_queue", "energy_queue")
    agreeing = 0
    for t in range(499):  # every frame from the published queues
        env = QueueingMEC(
            channel=RecordedChannel(gains[t : t + 2]),
            arrivals=RecordedArrivals(arrivals[t : t + 1]),
        )
        state, _ = env.reset(options={name: run[name][t] for name in names})
        np.testing.assert_allclose(state[:10], gains[t] * 1e10, rtol=1e-12)
        _, reward, *_, info = env.step(modes[t])
        assert reward >= run["objective"][0, t] * (1 - 1e-6)
        # The published allocation falls short of the optimum; otherwise decisions may tie.
        same = np.abs(info["rate"] - run["rate"][t]) < 1e-4
        same &= np.abs(info["energy"] - run["energy_consumption"][t]) < 1e-5
        agreeing += int(same.sum())
        for name, close in zip(names, (2e-4, 2e-2), strict=True):
            np.testing.assert_allclose(info[name][same], run[name][t + 1][same], atol=close)
    assert agreeing > 0.8 * 4990


def test_the_published_run_from_its_first_frame() -> None:
    run = loadmat(published("data/lydroo_result_10.mat"))
    env = QueueingMEC(
        channel=RecordedChannel(run["input_h"]), arrivals=RecordedArrivals(run["data_arrival"])
    )
    env.reset()
    data, energy = np.zeros((500, 10)), np.zeros((500, 10))
    for t in range(500):
        data[t], energy[t] = env.data_queue, env.energy_queue
        env.step(run["off_mode"][t])
    assert data.mean() == pytest.approx(run["data_queue"].mean(), rel=0.05)
    assert energy.mean() == pytest.approx(run["energy_queue"].mean(), rel=0.05)
    assert np.corrcoef(data.ravel(), run["data_queue"].ravel())[0, 1] > 0.99
    assert np.corrcoef(energy.ravel(), run["energy_queue"].ravel())[0, 1] > 0.99


def test_budgets_are_kept_and_queues_short_with_good_decisions() -> None:
    env = QueueingMEC(10)
    env.reset(seed=0)
    energy, data = [], []
    for _ in range(3000):
        info = env.step(lyapunov_optimum(env))[4]
        energy.append(info["energy"])
        data.append(info["data_queue"])
    assert np.mean(energy[500:], axis=0).max() < 0.08 * 1.02
    assert np.mean(data[500:1500]) < 40
    assert np.mean(data[2000:]) < 40
    # The negative control: with bad decisions queues grow without bound.
    env.reset(seed=0)
    data = [env.step(np.zeros(10))[4]["data_queue"] for _ in range(1000)]
    assert np.mean(data[-100:]) > 100


def test_optimal_decisions_keep_queues_shorter_than_the_published_run() -> None:
    run = loadmat(published("data/lydroo_result_10.mat"))
    env = QueueingMEC(
        channel=RecordedChannel(run["input_h"]), arrivals=RecordedArrivals(run["data_arrival"])
    )
    env.reset()
    data = [env.step(lyapunov_optimum(env))[4]["data_queue"] for _ in range(499)]
    assert np.mean(data) < 0.6 * run["data_queue"].mean()


@pytest.mark.parametrize("budget", [0.001, 0.08])
def test_the_myopic_allocation_keeps_within_all_budgets_so_far(budget: float) -> None:
    env = QueueingMEC(6, allocation="myopic", parameters=QueueingParameters(energy_budget=budget))
    assert isinstance(env.critic, MyopicCritic)
    rng = np.random.default_rng(0)
    for seed in (0, 1):
        env.reset(seed=seed)
        spent, most = np.zeros(6), 0.0
        for t in range(300):
            decision = rng.integers(0, 2, 6)
            left = budget * (t + 1) - spent
            expected = MyopicCritic(env.weights, env.parameters).score(
                env.gain, env.data_queue, np.maximum(left, 0), decision[None]
            )[0]
            assert env.score(decision[None])[0] == pytest.approx(expected, rel=1e-6, abs=1e-9)
            spent += env.step(decision)[4]["energy"]
            assert (spent <= budget * (t + 1) * (1 + 1e-12)).all()
            most = max(most, float((spent / (budget * (t + 1))).max()))
        assert most > 0.9  # the budget is used


@pytest.mark.parametrize("allocation", ["lyapunov", "myopic"])
def test_the_local_optimum_of_an_environment(allocation: Literal["lyapunov", "myopic"]) -> None:
    env = QueueingMEC(6, allocation=allocation)
    with pytest.raises(RuntimeError, match="reset"):
        env.climb(np.zeros(6))
    env.reset(seed=0, options={"data_queue": np.full(6, 5.0)})
    for _ in range(10):
        found = env.climb(np.zeros(6))
        assert found.decision.tolist() == coordinate_descent(env).tolist()
        assert found.reward == pytest.approx(env.score(found.decision[None])[0], rel=1e-12)
        neighbours = env.score(found.decision ^ np.eye(6, dtype=np.int64))
        assert neighbours.max() <= found.reward + 1e-11 * abs(found.reward)
        assert found.scored % 6 == 1
        env.step(found.decision)
    with pytest.raises(ValueError, match="decision must hold zeros and ones only, got 3"):
        env.climb([0, 0, 0, 0, 0, 3])


def test_the_number_of_devices_comes_from_any_argument_that_implies_it() -> None:
    assert QueueingMEC().num_devices == 10
    assert QueueingMEC(weights=[1, 2, 3]).num_devices == 3
    assert QueueingMEC(channel=rayleigh([1e-11, 1e-11])).num_devices == 2
    assert QueueingMEC(arrivals=ExponentialArrivals([1.0] * 4)).num_devices == 4


def test_arguments_that_disagree_are_named() -> None:
    with pytest.raises(ValueError, match="weights must have num_devices = 4 entries, got 3"):
        QueueingMEC(4, weights=[1, 2, 3])
    with pytest.raises(ValueError, match="channel must have num_devices = 4 entries, got 2"):
        QueueingMEC(4, channel=rayleigh([1e-11, 1e-11]))
    with pytest.raises(ValueError, match="arrivals must have num_devices = 4 entries, got 1"):
        QueueingMEC(4, arrivals=PoissonBatches([1.0]))
    with pytest.raises(ValueError, match="arrivals must have num_devices = 2 entries, got 1"):
        QueueingMEC(channel=rayleigh([1e-11, 1e-11]), arrivals=PoissonBatches([1.0]))
    with pytest.raises(ValueError, match="weights must have num_devices = 1 entries, got 2"):
        QueueingMEC(arrivals=PoissonBatches([1.0]), weights=[1, 2])
    with pytest.raises(ValueError, match="num_devices must be at least 1, got 0"):
        QueueingMEC(0)
    with pytest.raises(TypeError, match=r"num_devices must be an integer of at least 1, got 2\.5"):
        QueueingMEC(2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="allocation must be lyapunov or myopic, got 'greedy'"):
        QueueingMEC(3, allocation="greedy")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="weights must be finite"):
        QueueingMEC(weights=[1.0, 0.0])


def test_the_default_weights_and_arrivals_are_the_published_ones() -> None:
    assert default_queueing_weights(5).tolist() == [1.5, 1, 1.5, 1, 1.5]
    assert QueueingMEC(3).weights.tolist() == [1.5, 1, 1.5]
    assert QueueingMEC(3).parameters == QueueingParameters()
    arrivals = QueueingMEC(3).arrivals
    assert isinstance(arrivals, ExponentialArrivals)
    assert arrivals.mean.tolist() == [3, 3, 3]
    golden = np.load(published("golden/lydroo_scores.npz"))
    assert (golden["weights"] == default_queueing_weights(10)).all()


def test_the_default_channel_is_the_published_one() -> None:
    distance = np.linspace(120, 255, 10)
    mean = 3 * (299_792_458 / (4 * np.pi * 915e6 * distance)) ** 3
    gains = default_queueing_channel(10).sample(np.random.default_rng(0), 20_000)
    np.testing.assert_allclose(gains.mean(axis=0), mean, rtol=0.03)
    recorded = loadmat(published("data/lydroo_result_10.mat"))["input_h"]
    # With 30 % of the power in the line of sight, 2 gain / 0.7 is noncentral chi-square.
    fading = ncx2(2, 0.6 / 0.7).cdf
    for sample in (gains, recorded):
        assert kstest((sample / mean * 2 / 0.7).ravel(), fading).pvalue > 0.01
    # The negative control: the same test rejects other shares, and Rayleigh fading.
    for share in (0.2, 0.4):
        other = ncx2(2, 2 * share / (1 - share)).cdf
        assert kstest((gains / mean * 2 / (1 - share)).ravel(), other).pvalue < 1e-6
    faded = rayleigh(mean).sample(np.random.default_rng(0), 20_000)
    assert kstest((faded / mean * 2 / 0.7).ravel(), fading).pvalue < 1e-6


def test_a_bad_decision_is_named_and_the_frame_stays() -> None:
    env = QueueingMEC(3)
    before, _ = env.reset(seed=0, options={"data_queue": [1, 2, 3]})
    with pytest.raises(ValueError, match="decision must hold zeros and ones only, got 2"):
        env.step([0, 1, 2])
    with pytest.raises(ValueError, match=r"decision must have shape \[3\], got \[2\]"):
        env.step([0, 1])
    assert (env.state == before).all()


def test_a_frame_cannot_be_changed_from_outside() -> None:
    env = QueueingMEC(3)
    state, info = env.reset(seed=0, options={"data_queue": [1, 2, 3]})
    before, kept = env.score([[0, 1, 1]]), state.copy()
    for name in info:
        info[name] += 1e6
    state[:] = 7
    for array in (env.gain, env.data_queue, env.energy_queue):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert env.score([[0, 1, 1]]) == before
    assert (env.state == kept).all()


def test_nothing_is_known_before_the_first_reset() -> None:
    env = QueueingMEC(3)
    for name in ("gain", "data_queue", "energy_queue", "state"):
        with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
            getattr(env, name)
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        env.score([[0, 0, 0]])
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        env.allocate([0, 0, 0])
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        env.step([0, 0, 0])
