"""Algorithms of Stable-Baselines3 on the frames of a run; they see states and rewards, no critic.

They learn online as DROO does: frame after frame, in one environment whose episode never ends.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import gymnasium
import numpy as np
import torch
from numpy.typing import ArrayLike

from droo_core.arrays import Floats, Ints
from droo_core.extras import require
from env import DiscreteDecisions, QueueingMEC
from experiments.configs import AlgorithmName

Environment: TypeAlias = Any  # a Gymnasium environment that has `state` and `score`

SETTINGS: Mapping[AlgorithmName, Mapping[str, Any]] = {
    "ppo": {"learning_rate": 3e-3, "n_steps": 256, "batch_size": 64},
    "a2c": {"learning_rate": 2e-3, "n_steps": 8, "normalize_advantage": True},
    "dqn": {
        "learning_rate": 1e-3,
        "batch_size": 128,
        "learning_starts": 500,
        "exploration_fraction": 0.3,
        "exploration_final_eps": 0.02,
    },
}
"""The best settings found; others have the library's defaults, such as two hidden layers of 64."""


@dataclass(frozen=True)
class Learning:
    """An algorithm and its settings.

    Attributes:
        algorithm: name of the algorithm.
        gamma: discount factor of the rewards of later frames.
        by_worth: whether to divide the reward of a frame with queues by the sum of Q + V w, so that
            its scale does not depend on the queues; the best decision of a frame stays the same.
    """

    algorithm: AlgorithmName
    gamma: float = 0.0
    by_worth: bool = True


class Online(gymnasium.Wrapper[Floats, Any, Floats, Any]):
    """Wrapper that records decisions, and optionally normalizes rewards by the queues.

    Args:
        env: the environment.
        by_worth: as in `Learning`.
        options: default options of `reset`.

    Attributes:
        decisions: decisions of all frames so far, `[N]` each.
    """

    def __init__(
        self, env: Environment, *, by_worth: bool, options: dict[str, Any] | None = None
    ) -> None:
        super().__init__(env)
        self.decisions: list[Ints] = []
        self._mec = env
        self._by_worth = by_worth
        self._options = options

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Reset the environment; `options` defaults to the constructor's."""
        return self.env.reset(seed=seed, options=options or self._options)

    def step(self, action: ArrayLike) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Carry out a decision `[N]`."""
        mec, worth = self._mec, 1.0
        if self._by_worth and isinstance(mec, QueueingMEC):
            worth = float((mec.data_queue + mec.parameters.tradeoff * mec.weights).sum())
        state, reward, terminated, truncated, info = self.env.step(action)
        self.decisions.append(np.array(action, dtype=np.int64))
        return state, float(reward) / worth, terminated, truncated, info


@dataclass(frozen=True, eq=False)
class Trained:
    """Result of training.

    Attributes:
        model: trained model of Stable-Baselines3.
        normalized: `VecNormalize` wrapper, which normalizes the model's observations.
        decisions: decisions taken while learning `[T, N]`.
        seconds: duration of playing and learning.
    """

    model: Any
    normalized: Any
    decisions: Ints
    seconds: float

    def decide(self, env: Environment) -> Ints:
        """Return the deterministic policy's decision `[N]` for the coming frame."""
        observation = self.normalized.normalize_obs(env.state)
        action, _ = self.model.predict(observation, deterministic=True)
        discrete = np.ndim(action) == 0
        return np.asarray(DiscreteDecisions(env).action(action) if discrete else action, np.int64)


def train(
    learning: Learning,
    env: Environment,
    frames: int,
    seed: int,
    options: dict[str, Any] | None = None,
) -> Trained:
    """Train an algorithm on frames of an environment.

    Observations and rewards are normalized by running statistics. The library seeds the global
    random generators of Python, NumPy and torch.

    Args:
        learning: the algorithm and its settings.
        env: the environment.
        frames: number of frames T to play.
        seed: seed of the initial weights and of exploration.
        options: options of the environment's `reset`.

    Raises:
        MissingExtraError: if Stable-Baselines3 is not installed.
        ValueError: if there are too many devices for DQN, whose actions are numbered decisions.
    """
    library = require("stable_baselines3", "sb3")
    vectors = require("stable_baselines3.common.vec_env", "sb3")
    torch.set_num_threads(1)  # more threads slow down networks of this size
    online = Online(env, by_worth=learning.by_worth, options=options)
    played = DiscreteDecisions(online) if learning.algorithm == "dqn" else online
    normalized = vectors.VecNormalize(vectors.DummyVecEnv([lambda: played]), gamma=learning.gamma)
    model = getattr(library, learning.algorithm.upper())(
        "MlpPolicy",
        normalized,
        gamma=learning.gamma,
        seed=seed,
        device="cpu",
        **SETTINGS[learning.algorithm],
    )
    compile_critic(env)
    start = time.perf_counter()
    # Without the callback, PPO and A2C would continue to the end of a rollout.
    model.learn(frames, callback=lambda caller, _: caller["self"].num_timesteps < frames)
    seconds = time.perf_counter() - start
    return Trained(model, normalized, np.array(online.decisions), seconds)


def compile_critic(env: Environment) -> None:
    """Compile all kernels by playing one frame, which the next reset undoes."""
    env.reset()
    env.step(np.zeros(env.num_devices, dtype=np.int64))
