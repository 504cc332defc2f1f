import gymnasium
import numpy as np
import pytest

import env as problems
from env import RecordedChannel, WirelessPoweredMEC, rayleigh


def test_gymnasium_makes_it_with_its_arguments() -> None:
    made = gymnasium.make("WPMEC-v0", num_devices=3, max_episode_steps=2)
    made.reset(seed=0)
    assert made.action_space == gymnasium.spaces.MultiBinary(3)
    assert made.step(np.zeros(3))[3] is False
    assert made.step(np.zeros(3))[3] is True
    assert problems.WirelessPoweredMEC is type(made.unwrapped)


def test_the_reward_is_the_score_of_the_decision() -> None:
    env = WirelessPoweredMEC(6)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        decision = rng.integers(0, 2, 6)
        score, allocation = env.score(decision[None])[0], env.allocate(decision)
        _, reward, terminated, truncated, info = env.step(decision)
        assert reward == score == allocation.computation_rate
        assert not terminated
        assert not truncated
        assert info["energy_time"] == allocation.energy_time
        assert (info["offload_time"] == allocation.offload_time).all()
        assert (info["rate"] == allocation.rate).all()


def test_the_state_is_the_scaled_gain_of_the_coming_frame() -> None:
    gains = np.array([[1e-6, 2e-6], [3e-6, 4e-6]])
    env = WirelessPoweredMEC(channel=RecordedChannel(gains))
    state, info = env.reset()
    assert state == pytest.approx([1, 2])
    assert (info["channel_gain"] == gains[0]).all()
    assert env.step([0, 1])[0] == pytest.approx([3, 4])
    assert (env.gain == gains[1]).all()


def test_the_state_contains_the_features_asked_for() -> None:
    gains = np.array([[1e-6, 2e-6], [3e-6, 0.0], [5e-6, 6e-6]])
    features = ("log_gain", "weight", "active", "gain@1", "weight@2")
    env = WirelessPoweredMEC(channel=RecordedChannel(gains), weights=[1.0, 1.5], features=features)
    assert env.features == features
    assert env.observation_space.shape == (10,)
    # Features of frames before the first repeat those of the first.
    first, _ = env.reset()
    assert first == pytest.approx([0, np.log(2), 1, 1.5, 1, 1, 1, 2, 1, 1.5])
    second = env.step([0, 1])[0]
    assert second == pytest.approx([np.log(3), -14, 1, 1.5, 1, 0, 1, 2, 1, 1.5])
    env.weights = np.array([2.0, 3.0])
    assert env.state == pytest.approx([np.log(3), -14, 2, 3, 1, 0, 1, 2, 1, 1.5])
    assert env.step([0, 1])[0] == pytest.approx([np.log(5), np.log(6), 2, 3, 1, 1, 3, 0, 1, 1.5])
    assert env.reset()[0] == pytest.approx([0, np.log(2), 2, 3, 1, 1, 1, 2, 2, 3])


@pytest.mark.parametrize(
    "features", [(), ("gain", "gain"), ("speed",), ("gain@",), ("gain@0",), ("gain@99999",)]
)
def test_a_wrong_feature_is_named(features: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="features must be"):
        WirelessPoweredMEC(3, features=features)
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        WirelessPoweredMEC(3).state  # noqa: B018


def test_a_frame_cannot_be_changed_from_outside() -> None:
    env = WirelessPoweredMEC(3)
    _, info = env.reset(seed=0)
    before = env.score([[0, 1, 1]])
    info["channel_gain"] *= 1e6
    with pytest.raises(ValueError, match="read-only"):
        env.gain[0] = 1
    assert env.score([[0, 1, 1]]) == before


def test_the_same_seed_gives_the_same_frames() -> None:
    env = WirelessPoweredMEC(4, channel=rayleigh(np.full(4, 1e-6), correlation=0.9))
    episodes = []
    for seed in (1, 1, 2):
        state, _ = env.reset(seed=seed)
        episodes.append([state.tolist()] + [env.step(np.ones(4))[0].tolist() for _ in range(5)])
    assert episodes[0] == episodes[1] != episodes[2]


def test_the_number_of_devices_comes_from_any_argument_that_implies_it() -> None:
    assert WirelessPoweredMEC().num_devices == 10
    assert WirelessPoweredMEC(weights=[1, 2, 3]).num_devices == 3
    assert WirelessPoweredMEC(channel=rayleigh([1e-6, 1e-6])).num_devices == 2


def test_arguments_that_disagree_are_named() -> None:
    with pytest.raises(ValueError, match="weights must have num_devices = 4 entries, got 3"):
        WirelessPoweredMEC(4, weights=[1, 2, 3])
    with pytest.raises(ValueError, match="channel must have num_devices = 4 entries, got 2"):
        WirelessPoweredMEC(4, channel=rayleigh([1e-6, 1e-6]))
    with pytest.raises(ValueError, match="num_devices must be at least 1, got 0"):
        WirelessPoweredMEC(0)
    with pytest.raises(TypeError, match=r"num_devices must be an integer of at least 1, got 2\.5"):
        WirelessPoweredMEC(2.5)  # type: ignore[arg-type]


def test_a_bad_decision_is_named_and_the_frame_stays() -> None:
    env = WirelessPoweredMEC(3)
    env.reset(seed=0)
    gain = env.gain.copy()
    with pytest.raises(ValueError, match="decision must hold zeros and ones only, got 2"):
        env.step([0, 1, 2])
    assert (env.gain == gain).all()


def test_nothing_is_scored_before_the_first_reset() -> None:
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        WirelessPoweredMEC(3).score([[0, 0, 0]])
