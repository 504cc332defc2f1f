"""Multi-slot mobile-edge computing with queues, many environments at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike

from droo_core.arrays import Floats, Indices, Ints
from env.common.rendering import Picture
from env.common.vector import Quantities, VectorOffloadingEnv
from env.queueing.bases import QueueingAllocation
from env.queueing.environment import COMING, DONE, QueueingMEC
from env.queueing.features import QueueingView
from env.queueing.kernels import vector as vector_kernels
from env.queueing.kernels.allocation import is_valid
from env.queueing.myopic import MyopicCritic
from env.queueing.picture import queueing_picture
from env.queueing.queues import Queues, first_queues


class VectorQueueingMEC(VectorOffloadingEnv[QueueingView]):
    """Many copies of `QueueingMEC`, stepped as one.

    `gymnasium.make_vec("QueueingMEC-v0", num_envs=B)` makes it. Spaces, rewards and infos are those
    of `gymnasium.vector.SyncVectorEnv`, with B in front of every shape.

    Args:
        num_envs: B.
        max_episode_steps: length at which an episode is truncated; None sets no limit.
        autoreset_mode: when the next episode starts after a truncation.
        **kwargs: those of `QueueingMEC`. Every environment gets copies of channel and arrivals.

    Raises:
        TypeError: if `num_envs` or `max_episode_steps` is not an integer.
        ValueError: if one is below 1, there is no such autoreset mode, or `QueueingMEC` raises it.
    """

    info_names = COMING

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **kwargs: Any,
    ) -> None:
        single = QueueingMEC(**kwargs)
        super().__init__(num_envs, single, max_episode_steps, autoreset_mode)
        self.critic = single.critic
        self.parameters = single.parameters
        self._weights = np.tile(single.weights, (num_envs, 1))
        self._looks_ahead = single.looks_ahead
        self._no_outlook = np.zeros((3, *self.shape))
        myopic = isinstance(single.critic, MyopicCritic)
        self._third = "energy_left" if myopic else "energy_queue"  # row of the kernel argument
        self._allocate, self._score = (
            (vector_kernels.allocate_myopic, vector_kernels.score_myopic)
            if myopic
            else (vector_kernels.allocate, vector_kernels.score)
        )

    @property
    def data_queue(self) -> Floats:
        """Data queues Q `[B, N]` at the start of the coming frames, Mbit.

        Raises:
            RuntimeError: before the first `reset`.
        """
        return self._frames["data_queue"].copy()

    @property
    def energy_queue(self) -> Floats:
        """Virtual energy queues Y `[B, N]` at the start of the coming frames.

        Raises:
            RuntimeError: before the first `reset`.
        """
        return self._frames["energy_queue"].copy()

    def score(self, decisions: ArrayLike) -> Floats:
        """Return the reward `[B, K]` of each decision `[B, K, N]` in the coming frames.

        Raises:
            ValueError: if the decisions have another shape or are not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
            RuntimeError: before the first `reset`.
        """
        arrays, checked = self._for_kernels(self._frames), self._checked_decisions(decisions)
        values = np.empty(checked.shape[:2])
        failed = self._score(arrays, *self.critic.kernel_arguments, checked, values)
        if failed >= 0:
            self.critic.frame(*arrays[failed]).score(checked[failed])  # raises
        return values

    def _first_frame(self, options: Mapping[str, Any]) -> dict[str, Floats]:
        return first_queues(options, self.num_devices, self.parameters)._asdict()

    def _carry_out(self, decisions: Ints, running: Indices) -> tuple[Floats, dict[str, Floats]]:
        arrays = self._for_kernels(self._frames)
        rewards = np.zeros(self.num_envs)
        allocations = np.zeros((self.num_envs, len(DONE), self.num_devices))
        failed = self._allocate(
            arrays, *self.critic.kernel_arguments, decisions, running, rewards, allocations
        )
        if failed >= 0:
            self.critic.frame(*arrays[failed]).allocate(decisions[failed])  # raises
        return rewards, {name: allocations[:, row].copy() for row, name in enumerate(DONE)}

    def _follow(self, following: Quantities, done: dict[str, Floats], running: Indices) -> None:
        arrival, gain = self._draws.next(running)
        queues = Queues(*(following[name][running] for name in Queues._fields))
        rate, energy = done["rate"][running], done["energy"][running]
        queues = queues.after(rate, energy, arrival, self.parameters)
        for name, values in {"channel_gain": gain, **queues._asdict()}.items():
            following[name][running] = values
        done["arrival"] = np.zeros(self.shape)
        done["arrival"][running] = arrival

    def _view(self, frames: Quantities) -> QueueingView:
        arrays, outlook = self._for_kernels(frames), self._no_outlook
        if not is_valid(arrays):
            for of_one in arrays:
                self.critic.frame(*of_one)  # raises for the first that is not
        if self._looks_ahead:
            outlook = vector_kernels.outlook(arrays, *self.critic.kernel_arguments)
        gain, data_queue, energy_queue = (frames[name] for name in COMING)
        return QueueingView(gain, data_queue, energy_queue, self._weights, *outlook)

    def _picture(
        self, b: int, decision: Ints | None = None, reward: float = 0.0, **done: Any
    ) -> Picture:
        gain, data_queue, energy_queue = (self._frames[name][b] for name in COMING)
        allocation = QueueingAllocation(reward, **done, time_price=np.nan) if done else None
        return queueing_picture(gain, data_queue, energy_queue, decision, allocation)

    def _for_kernels(self, frames: Quantities) -> Floats:
        """Return frames as a kernel argument `[B, 3, N]`."""
        return np.stack(
            [frames[name] for name in ("channel_gain", "data_queue", self._third)], axis=1
        )
