"""Wireless powered mobile-edge computing, many environments at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike

from droo_core.arrays import Floats, Indices, Ints
from env.common.rendering import Picture
from env.common.vector import Quantities, VectorOffloadingEnv
from env.wpmec.critic import Allocation
from env.wpmec.environment import WirelessPoweredMEC
from env.wpmec.features import WPMECView
from env.wpmec.kernels import vector as vector_kernels
from env.wpmec.picture import wpmec_picture


class VectorWirelessPoweredMEC(VectorOffloadingEnv[WPMECView]):
    """Many copies of `WirelessPoweredMEC`, stepped as one.

    `gymnasium.make_vec("WPMEC-v0", num_envs=B)` makes it. Spaces, rewards and infos are those of
    `gymnasium.vector.SyncVectorEnv`, with B in front of every shape.

    Args:
        num_envs: B.
        max_episode_steps: length at which an episode is truncated; None sets no limit.
        autoreset_mode: when the next episode starts after a truncation.
        **kwargs: those of `WirelessPoweredMEC`. Every environment gets a copy of the channel.

    Raises:
        TypeError: if `num_envs` or `max_episode_steps` is not an integer.
        ValueError: if one is below 1, there is no such autoreset mode, or `WirelessPoweredMEC`
            raises it.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **kwargs: Any,
    ) -> None:
        single = WirelessPoweredMEC(**kwargs)
        super().__init__(num_envs, single, max_episode_steps, autoreset_mode)
        self.critic = single.critic
        self._weights = np.tile(single.weights, (num_envs, 1))

    def score(self, decisions: ArrayLike) -> Floats:
        """Return the reward `[B, K]`, bit/s, of each decision `[B, K, N]` in the coming frames.

        Raises:
            ValueError: if the decisions have another shape or are not binary.
            ArithmeticError: if the equation could not be solved, for gains far outside the
                physical range.
            RuntimeError: before the first `reset`.
        """
        gain, checked = self._frames["channel_gain"], self._checked_decisions(decisions)
        values = np.empty(checked.shape[:2])
        failed = vector_kernels.score(gain, *self.critic.kernel_arguments, checked, values)
        if failed >= 0:
            self.critic.score(gain[failed], checked[failed])  # raises
        return values

    def _first_frame(self, options: Mapping[str, Any]) -> dict[str, Floats]:  # noqa: ARG002
        return {}

    def _carry_out(self, decisions: Ints, running: Indices) -> tuple[Floats, dict[str, Floats]]:
        gain = self._frames["channel_gain"]
        rewards, energy_time = np.zeros((2, self.num_envs))
        offload_time, rate = np.zeros((2, *self.shape))
        failed = vector_kernels.allocate(
            gain,
            *self.critic.kernel_arguments,
            decisions,
            running,
            rewards,
            energy_time,
            offload_time,
            rate,
        )
        if failed >= 0:
            self.critic.allocate(gain[failed], decisions[failed])  # raises
        done = {"energy_time": energy_time, "offload_time": offload_time, "rate": rate}
        return rewards, done

    def _follow(self, following: Quantities, done: dict[str, Floats], running: Indices) -> None:  # noqa: ARG002
        (following["channel_gain"][running],) = self._draws.next(running)

    def _view(self, frames: Quantities) -> WPMECView:
        return WPMECView(frames["channel_gain"], self._weights)

    def _picture(
        self, b: int, decision: Ints | None = None, reward: float = 0.0, **done: Any
    ) -> Picture:
        allocation = Allocation(**done, computation_rate=reward) if done else None
        return wpmec_picture(self._frames["channel_gain"][b], decision, allocation)
