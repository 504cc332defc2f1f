import pickle
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import (
    NormalizeObservation,
    NormalizeReward,
    RecordEpisodeStatistics,
)
from numpy.typing import NDArray

from env import (
    ExponentialArrivals,
    PoissonBatches,
    QueueingParameters,
    RecordedArrivals,
    RecordedChannel,
    WPMECParameters,
    rayleigh,
    rician,
)
from env.common.vector import VectorOffloadingEnv
from env.queueing.features import QUEUEING_FEATURES
from env.wpmec.features import WPMEC_FEATURES
from env.wpmec.vector import VectorWirelessPoweredMEC

N = 4
QUEUES = tuple(name for name in QUEUEING_FEATURES if name != "gain")
MYOPIC = ("gain", "data_queue", "log_energy_queue@2", "weight")
rng = np.random.default_rng(7)
GAINS, ARRIVALS = rng.exponential(1e-6, (5, N)), rng.exponential(3.0, (7, N))


class Walk:
    """A custom channel with another kind of random draws, which cannot be drawn in advance."""

    num_devices = N

    def __init__(self) -> None:
        self.level = np.ones(N)

    def reset(self) -> None:
        self.level = np.ones(N)

    def sample(self, rng: np.random.Generator, num_frames: int) -> NDArray[np.float64]:
        gains = np.empty((num_frames, N))
        for t in range(num_frames):
            self.level *= rng.uniform(0.5, 2.0, N) if rng.random() < 0.5 else 1.0
            gains[t] = 1e-6 * self.level
        return gains


class Drift:
    """A custom channel that returns its internal array, and must be sampled frame by frame."""

    num_devices = N

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.level = np.full((1, N), 1e-6)

    def sample(self, rng: np.random.Generator, num_frames: int) -> NDArray[np.float64]:
        assert num_frames == 1
        self.level *= rng.uniform(0.5, 2.0, N)
        return self.level


class Bursts(ExponentialArrivals):
    """A subclass of the project's arrivals with another `sample`."""

    def sample(self, rng: np.random.Generator, num_frames: int) -> NDArray[np.float64]:
        return rng.integers(0, 2, (num_frames, N)) * super().sample(rng, num_frames)


class Louder(RecordedChannel):
    """A recording with additional state."""

    def __init__(self) -> None:
        super().__init__(GAINS)
        self.played = [0]

    def of_noise(self, noise: NDArray[np.float64]) -> NDArray[np.float64]:
        self.played[0] += len(noise)
        louder = np.arange(self.played[0] - len(noise), self.played[0])[:, None] + 1
        return super().of_noise(noise) * louder


CASES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "wpmec": ("WPMEC-v0", lambda: {"num_devices": N}),
    "features": (
        "WPMEC-v0",
        lambda: {"num_devices": N, "features": (*WPMEC_FEATURES, "log_gain@1", "gain@3")},
    ),
    "correlated": (
        "WPMEC-v0",
        lambda: {
            "channel": rician(np.full(N, 1e-6), 0.2, 0.9),
            "weights": [1.0, 2.0, 0.5, 1.0],
            "parameters": WPMECParameters(transmit_power=1.0),
            "features": ("gain@1", "gain"),
        },
    ),
    "recorded": ("WPMEC-v0", lambda: {"channel": RecordedChannel(GAINS)}),
    "a user's": ("WPMEC-v0", lambda: {"channel": Walk()}),
    "its own array": ("WPMEC-v0", lambda: {"channel": Drift(), "features": ("gain@1", "gain")}),
    "a state of its own": ("WPMEC-v0", lambda: {"channel": Louder()}),
    "bursts": ("QueueingMEC-v0", lambda: {"num_devices": N, "arrivals": Bursts(np.full(N, 3.0))}),
    "queueing": ("QueueingMEC-v0", lambda: {"num_devices": N}),
    "queueing, features": (
        "QueueingMEC-v0",
        lambda: {
            "channel": rayleigh(np.full(N, 1e-11), 0.5),
            "arrivals": PoissonBatches(np.full(N, 2.0), 0.5),
            "parameters": QueueingParameters(tradeoff=5.0),
            "features": (*QUEUES, "gain@2", "log_price@1"),
        },
    ),
    "queueing, recorded": (
        "QueueingMEC-v0",
        lambda: {
            "channel": RecordedChannel(1e-5 * GAINS),
            "arrivals": RecordedArrivals(ARRIVALS),
            "weights": [2.0, 1.0, 1.0, 3.0],
        },
    ),
    "queueing, a user's": (
        "QueueingMEC-v0",
        lambda: {"channel": Walk(), "arrivals": ExponentialArrivals(np.full(N, 3.0))},
    ),
    "myopic": (
        "QueueingMEC-v0",
        lambda: {"num_devices": N, "allocation": "myopic", "features": MYOPIC},
    ),
}


def both(
    name: str,
    num_envs: int = 3,
    max_episode_steps: int | None = None,
    mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    render_mode: str | None = None,
) -> tuple[Any, SyncVectorEnv]:
    """Return a native vector environment, and a SyncVectorEnv of single ones with equal models."""
    problem, arguments = CASES[name]
    more: dict[str, Any] = {"max_episode_steps": max_episode_steps} if max_episode_steps else {}
    more |= {"render_mode": render_mode} if render_mode else {}
    native: Any = gymnasium.make_vec(
        problem, num_envs, "vector_entry_point", autoreset_mode=mode, **more, **arguments()
    )
    assert isinstance(native, VectorOffloadingEnv)

    def single() -> gymnasium.Env[Any, Any]:
        return gymnasium.make(problem, **more, **arguments())

    return native, SyncVectorEnv([single] * num_envs, autoreset_mode=mode)


def assert_same(one: Any, other: Any) -> None:
    """Check that observations, rewards, ends and infos are equal bit for bit."""
    assert type(one) is type(other)
    if isinstance(one, Mapping):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, tuple):
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif one.dtype == object:
        for a, b in zip(one, other, strict=True):
            assert (a is None and b is None) or (a == b).all()
    else:
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert (one == other).all()


def play(native: Any, sync: SyncVectorEnv, num_steps: int, seed: int = 0) -> None:
    """Take the same random steps in both, and compare."""
    rng = np.random.default_rng(seed)
    for _ in range(num_steps):
        actions = rng.integers(0, 2, (native.num_envs, N), dtype=np.int8)
        assert_same(native.step(actions), sync.step(actions))


@pytest.mark.parametrize("name", CASES)
def test_step_for_step_it_is_its_single_environments(name: str) -> None:
    native, sync = both(name)
    for attribute in (
        "single_observation_space",
        "observation_space",
        "single_action_space",
        "action_space",
        "num_envs",
        "metadata",
    ):
        assert getattr(native, attribute) == getattr(sync, attribute)
    assert_same(native.reset(seed=5), sync.reset(seed=5))
    play(native, sync, 70)  # more frames than are drawn in advance
    # The random stream continues after the last frame played, not after the last one drawn.
    assert_same(native.reset(), sync.reset())
    play(native, sync, 10)
    assert_same(native.reset(seed=[3, None, 5]), sync.reset(seed=[3, None, 5]))
    play(native, sync, 3)
    assert native.np_random_seed == sync.np_random_seed
    for ours, theirs in zip(native.np_random, sync.np_random, strict=True):
        assert ours.bit_generator.state == theirs.bit_generator.state
    play(native, sync, 3)


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("name", ["features", "correlated", "queueing, features", "myopic"])
def test_episodes_end_and_start_as_those_of_single_environments(
    name: str, mode: AutoresetMode
) -> None:
    native, sync = both(name, max_episode_steps=3, mode=mode)
    assert_same(native.reset(seed=5), sync.reset(seed=5))
    play(native, sync, 2)
    # From this step on the episodes end at different times.
    for some in ([True, False, True], [False, True, False]):
        mask = np.array(some)
        queues = {"data_queue": np.arange(N)} if "queue" in name else {}
        ours = native.reset(seed=[8, 9, 10], options={"reset_mask": mask} | queues)
        assert_same(ours, sync.reset(seed=[8, 9, 10], options={"reset_mask": mask} | queues))
        if mode != AutoresetMode.DISABLED:
            play(native, sync, 8)
            continue
        rng = np.random.default_rng(0)
        for _ in range(8):
            actions = rng.integers(0, 2, (3, N))
            stepped = native.step(actions)
            assert_same(stepped, sync.step(actions))
            if stepped[3].any():
                options = {"reset_mask": stepped[3]}
                assert_same(native.reset(options=dict(options)), sync.reset(options=options))


@pytest.mark.parametrize(
    ("name", "mode"),
    [("wpmec", AutoresetMode.SAME_STEP), ("queueing", AutoresetMode.NEXT_STEP)],
)
def test_its_pictures_are_those_of_its_single_environments(name: str, mode: AutoresetMode) -> None:
    native, sync = both(name, 2, max_episode_steps=2, mode=mode, render_mode="rgb_array")
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        native.render()
    assert_same(native.reset(seed=0), sync.reset(seed=0))
    play(native, sync, 1)
    for each in (native, sync):
        each.reset(options={"reset_mask": np.array([True, False])})
    play(native, sync, 1 if mode == AutoresetMode.SAME_STEP else 2)
    # Now one environment has carried out a frame, and the other has been reset.
    assert_same(native.render(), sync.render())


@pytest.mark.parametrize("name", ["wpmec", "queueing", "myopic"])
def test_decisions_are_scored_in_all_environments_at_once(name: str) -> None:
    native, sync = both(name)
    native.reset(seed=0)
    sync.reset(seed=0)
    play(native, sync, 5)
    decisions = np.random.default_rng(0).integers(0, 2, (3, 6, N))
    scores = native.score(decisions)
    for b, single in enumerate(sync.envs):
        assert (scores[b] == single.get_wrapper_attr("score")(decisions[b])).all()
    best = decisions[np.arange(3), scores.argmax(axis=1)]
    np.testing.assert_allclose(native.step(best)[1], scores.max(axis=1), rtol=1e-12)


@pytest.mark.parametrize("name", ["wpmec", "queueing", "myopic"])
def test_bad_decisions_are_named_and_nothing_changes(name: str) -> None:
    native, sync = both(name, max_episode_steps=2)
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        native.step(np.zeros((3, N)))
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        native.score(np.zeros((3, 1, N)))
    native.reset(seed=0)
    sync.reset(seed=0)
    bad = np.zeros((3, N))
    bad[1, 2] = 2
    for value in (bad, bad.astype(np.int64), bad / 4):
        with pytest.raises(ValueError, match="must hold zeros and ones only, got "):
            native.step(value)
    with pytest.raises(ValueError, match=rf"actions must have shape \[3, {N}\], got \[{N}\]"):
        native.step(bad[0])
    with pytest.raises(ValueError, match="must hold zeros and ones only, got 2"):
        native.score(np.stack([bad, bad]).transpose(1, 0, 2).astype(int))
    with pytest.raises(ValueError, match=rf"decisions must have shape \[3, K, {N}\]"):
        native.score(bad)
    play(native, sync, 2)
    # The decision for an environment that is about to be reset is ignored; its shape is checked.
    with pytest.raises(ValueError, match="actions must have shape"):
        native.step(bad[0])
    assert_same(native.step(bad / 4), sync.step(np.zeros((3, N))))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seed": [1, 2]}, ValueError, "seed must have num_envs = 3 entries, got 2"),
        ({"seed": [9, -1, 2]}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": 1.5}, TypeError, r"seed must be an integer, or one for each, got 1\.5"),
        ({"options": {"reset_mask": [True] * 3}}, TypeError, "reset_mask must be an array of bool"),
        ({"options": {"reset_mask": np.ones(2, bool)}}, ValueError, r"reset_mask must have shape"),
        ({"options": {"reset_mask": np.zeros(3, bool)}}, ValueError, "must have a True, got none"),
        ({"options": {"data_queue": -np.ones(N)}}, ValueError, "data_queue must be finite"),
        ({"options": {"speed": 1}}, ValueError, "options must be of data_queue, energy_queue"),
    ],
)
def test_a_bad_reset_is_named_and_nothing_changes(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    native, sync = both("queueing")
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        native.reset(options={"reset_mask": np.array([True, False, True])})
    native.reset(seed=0)
    sync.reset(seed=0)
    with pytest.raises(error, match=message):
        native.reset(**arguments)
    play(native, sync, 2)


def test_bad_arguments_are_named() -> None:
    for arguments, message in (
        ({"num_envs": 0}, "num_envs must be at least 1, got 0"),
        ({"max_episode_steps": 0}, "max_episode_steps must be at least 1, got 0"),
        ({"autoreset_mode": "Never"}, "'Never' is not a valid AutoresetMode"),
        ({"num_devices": 3, "weights": [1, 2]}, "weights must have num_devices = 3 entries, got 2"),
        ({"render_mode": "human"}, "render_mode must be rgb_array or None, got 'human'"),
    ):
        with pytest.raises(ValueError, match=message):
            VectorWirelessPoweredMEC(**arguments)


def test_without_autoreset_an_episode_that_has_ended_must_be_reset() -> None:
    native, _ = both("wpmec", max_episode_steps=1, mode=AutoresetMode.DISABLED)
    native.reset(seed=0)
    native.step(np.zeros((3, N)))
    with pytest.raises(RuntimeError, match="an episode has ended"):
        native.step(np.zeros((3, N)))


def test_changing_returned_arrays_does_not_change_the_environment() -> None:
    native, sync = both("queueing, features")
    infos = native.reset(seed=0)[1]
    sync.reset(seed=0)
    for _ in range(3):
        for array in (*infos.values(), native.gain, native.data_queue, native.state):
            array[:] = 0
        stepped = native.step(np.ones((3, N)))
        assert_same(stepped, sync.step(np.ones((3, N))))
        infos = stepped[4]


@pytest.mark.parametrize("problem", ["WPMEC-v0", "QueueingMEC-v0"])
def test_gymnasiums_wrappers_take_it(problem: str) -> None:
    made = gymnasium.make_vec(problem, 3, max_episode_steps=4)  # by default the native one
    assert isinstance(made, VectorOffloadingEnv)
    assert pickle.loads(pickle.dumps(made.spec)) == made.spec
    wrapped = RecordEpisodeStatistics(NormalizeReward(NormalizeObservation(made)))
    observed, _ = wrapped.reset(seed=0)
    assert np.isfinite(observed).all()
    rewards = []
    for _ in range(4):
        _, reward, _, truncated, infos = wrapped.step(wrapped.action_space.sample())
        rewards.append(reward)
    assert truncated.all()
    assert infos["episode"]["l"].tolist() == [4, 4, 4]
    np.testing.assert_allclose(infos["episode"]["r"], np.sum(rewards, axis=0), rtol=1e-5)


@pytest.mark.parametrize("mode", ["sync", "vector_entry_point"])
@pytest.mark.parametrize("problem", ["WPMEC-v0", "QueueingMEC-v0"])
def test_make_vec_makes_it_in_every_mode(problem: str, mode: str) -> None:
    made = gymnasium.make_vec(problem, 2, mode, num_devices=3)
    observations, _ = made.reset(seed=[1, 2])  # type: ignore[arg-type]
    single = gymnasium.make(problem, num_devices=3)
    for seed, observation in zip((1, 2), observations, strict=True):
        assert (observation == single.reset(seed=seed)[0]).all()
    made.close()
