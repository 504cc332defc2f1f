"""What the Gymnasium environments have in common."""

from collections.abc import Sequence
from typing import Any, Generic

import gymnasium
import numpy as np
from gymnasium.spaces import Box, MultiBinary
from numpy.typing import NDArray

from env.channel import ChannelModel
from env.features import Known, Observer, View

Floats = NDArray[np.float64]


class OffloadingEnv(gymnasium.Env[Floats, NDArray[np.int8]], Generic[View]):
    """Base of the problems: N devices with a channel, whose features make the state.

    Args:
        num_devices: N.
        channel: where the gains come from.
        features: what the state tells of each device.
        known: the features that there are.

    Raises:
        ValueError: if there is no such feature.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own declaration)

    def __init__(
        self,
        num_devices: int,
        channel: ChannelModel,
        features: Sequence[str],
        known: Known[View],
    ) -> None:
        self.num_devices = num_devices
        self.channel = channel
        self._observer: Observer[View] = Observer(features, known)
        self.features = self._observer.features
        self.action_space = MultiBinary(num_devices)
        size = len(self.features) * num_devices
        self.observation_space = Box(self._observer.lowest, np.inf, (size,), np.float64)

    @property
    def gain(self) -> Floats:
        """Channel gains `[N]` of the coming frame, read-only.

        Raises:
            RuntimeError: before the first `reset`.
        """
        return self._observer.frame.gain

    @property
    def state(self) -> Floats:
        """The state `[F N]` of the coming frame, as `reset` and `step` return it.

        Raises:
            RuntimeError: before the first `reset`.
        """
        return self._observer.state
