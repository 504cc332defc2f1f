import pickle
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
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
from env.features import QUEUEING_FEATURES, WPMEC_FEATURES
from env.vector import VectorOffloadingEnv

N = 4
QUEUES = tuple(name for name in QUEUEING_FEATURES if name != "gain")
MYOPIC = ("gain", "data_queue", "log_energy_queue@2", "weight")
rng = np.random.default_rng(7)
GAINS, ARRIVALS = rng.exponential(1e-6, (5, N)), rng.exponential(3.0, (7, N))


class Walk:
    """A channel of a user's: no noise to draw ahead of, and chance of another kind."""

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
) -> tuple[Any, SyncVectorEnv]:
    """A vector environment, and single ones with models of their own that Gymnasium puts together."""
    problem, arguments = CASES[name]
    steps = {"max_episode_steps": max_episode_steps} if max_episode_steps else {}
    native = gymnasium.make_vec(
        problem,
        num_envs,
        "vector_entry_point",
        **(arguments() | steps | ({} if mode == AutoresetMode.NEXT_STEP else {"autoreset_mode": mode})),
    )
    assert isinstance(native, VectorOffloadingEnv)

    def single() -> gymnasium.Env[Any, Any]:
        return gymnasium.make(problem, **steps, **arguments())

    return native, SyncVectorEnv([single] * num_envs, autoreset_mode=mode)


def assert_same(one: Any, other: Any) -> None:
    """Observations, rewards, ends and infos are the same, bit for bit."""
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
    """Take random steps in both, and compare."""
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
    play(native, sync, 70)  # more than are drawn at once
    # Chance goes on where it was, though more had been drawn.
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
    # From here on the episodes end at different times.
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


