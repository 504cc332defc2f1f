"""Wrappers of the environments, for reinforcement learning that wants other spaces."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete, MultiBinary
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

Observation = NDArray[np.float64]
Bits = NDArray[np.int8]

# 65,536 actions: beyond, a network with an output for each is out of the question.
MOST_DEVICES = 16


class DiscreteDecisions(
    gymnasium.ActionWrapper[Observation, np.int64, Bits], RecordConstructorArgs
):
    """Numbers the 2^N decisions of an environment, as DQN and tabular methods want them.

    ## Action space
    `Discrete(2^N)`: the action, written as a binary number of N digits, is the decision, its first
    digit that of device 0. So of four devices 6 is 0110: devices 1 and 2 offload.

    Args:
        env: an environment whose action space is `MultiBinary(N)`.

    Raises:
        TypeError: if its action space is another.
        ValueError: if N > 16.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)
        space = env.action_space
        if not isinstance(space, MultiBinary) or not isinstance(space.n, int):
            raise TypeError(f"env must have the action space MultiBinary(N), got {space}")
        if space.n > MOST_DEVICES:
            raise ValueError(
                f"env must have at most {MOST_DEVICES} devices, for 2^N actions, got {space.n}"
            )
        self.action_space = Discrete(2**space.n)
        self._place = np.arange(space.n)[::-1]  # of each device's digit, from the right

    def action(self, action: np.int64) -> Bits:
        """Return the decision `[N]` of an action.

        Raises:
            ValueError: if there is no such action.
        """
        if not self.action_space.contains(action):
            raise ValueError(f"action must be in {self.action_space}, got {action!r}")
        return (action >> self._place & 1).astype(np.int8)
