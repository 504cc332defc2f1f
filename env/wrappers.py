"""Wrappers of the environments, for reinforcement learning in other action spaces."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete, MultiBinary
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

Observation = NDArray[np.float64]
Bits = NDArray[np.int8]

MAX_DEVICES = 16  # 65,536 actions, each an output of a network


class DiscreteDecisions(
    gymnasium.ActionWrapper[Observation, np.int64, Bits], RecordConstructorArgs
):
    """Numbers the 2^N decisions of an environment, for DQN and tabular methods.

    ## Action space
    `Discrete(2^N)`: the action as a binary number of N digits is the decision; its first digit
    belongs to device 0. With four devices 6 is 0110: devices 1 and 2 offload.

    Args:
        env: an environment whose action space is `MultiBinary(N)`.

    Raises:
        TypeError: if its action space differs.
        ValueError: if N > 16.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)
        space = env.action_space
        if not isinstance(space, MultiBinary) or not isinstance(space.n, int):
            raise TypeError(f"env must have the action space MultiBinary(N), got {space}")
        if space.n > MAX_DEVICES:
            raise ValueError(
                f"env must have at most {MAX_DEVICES} devices, for 2^N actions, got {space.n}"
            )
        self.action_space = Discrete(2**space.n)
        self._bit = np.arange(space.n)[::-1]  # position of each device's bit, from the right

    def action(self, action: np.int64) -> Bits:
        """Return the decision `[N]` of an action.

        Raises:
            ValueError: if there is no such action.
        """
        if not self.action_space.contains(action):
            raise ValueError(f"action must be in {self.action_space}, got {action!r}")
        return (action >> self._bit & 1).astype(np.int8)
