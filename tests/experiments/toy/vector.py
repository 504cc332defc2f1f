"""The vector environment of the toy problem."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike

from droo_core.arrays import Floats, Indices, Ints
from env.common.rendering import Picture
from env.common.vector import Quantities, VectorOffloadingEnv
from tests.experiments.toy.environment import ToyMEC, ToyView, picture, rates_of


class VectorToyMEC(VectorOffloadingEnv[ToyView]):
    """Many copies of `ToyMEC`, stepped as one."""

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_envs, ToyMEC(**kwargs), max_episode_steps, autoreset_mode)

    def score(self, decisions: ArrayLike) -> Floats:
        """Return the reward `[B, K]` of each decision `[B, K, N]`."""
        checked = self._checked_decisions(decisions)
        total: Floats = rates_of(self.gain[:, None], checked).sum(axis=-1)
        return total

    def _first_frame(self, options: Mapping[str, Any]) -> dict[str, Floats]:  # noqa: ARG002
        return {}

    def _carry_out(self, decisions: Ints, running: Indices) -> tuple[Floats, dict[str, Floats]]:
        rate = np.zeros(self.shape)
        rate[running] = rates_of(self.gain, decisions)[running]
        return rate.sum(axis=-1), {"rate": rate}

    def _follow(self, following: Quantities, done: dict[str, Floats], running: Indices) -> None:  # noqa: ARG002
        (following["channel_gain"][running],) = self._draws.next(running)

    def _view(self, frames: Quantities) -> ToyView:
        return ToyView(frames["channel_gain"])

    def _picture(
        self,
        b: int,
        decision: Ints | None = None,
        reward: float = 0.0,  # noqa: ARG002
        **done: Any,  # noqa: ARG002
    ) -> Picture:
        return picture(self._frames["channel_gain"][b], decision)
