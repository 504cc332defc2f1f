"""Base of the Gymnasium environments."""

from collections.abc import Sequence
from typing import Any, Generic

import gymnasium
import numpy as np
from gymnasium.spaces import Box, MultiBinary
from numpy.typing import NDArray

from droo_core.arrays import Floats
from env.channel import ChannelModel
from env.common.draws import Models
from env.common.features import NO_FRAME, FeatureTable, Observer, View
from env.common.rendering import Picture, Pixels, draw

NO_PICTURE = 'render needs an environment made with render_mode="rgb_array"'


class OffloadingEnv(gymnasium.Env[Floats, NDArray[np.int8]], Generic[View]):
    """Base of the environments: N devices with a channel, whose features make up the state.

    Args:
        num_devices: N.
        channel: model of the gains.
        features: names of the features that make up the state.
        table: the features that there are.
        render_mode: "rgb_array", or None for no pictures.

    Attributes:
        num_devices: the argument.
        channel: the argument.
        features: the argument, as a tuple.

    Raises:
        ValueError: if there is no such feature or render mode.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's own declaration)
        "render_modes": ["rgb_array"],
        "render_fps": 5,
    }

    def __init__(
        self,
        num_devices: int,
        channel: ChannelModel,
        features: Sequence[str],
        table: FeatureTable[View],
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode must be rgb_array or None, got {render_mode!r}")
        self.render_mode = render_mode
        self._picture: Picture | None = None
        self.num_devices = num_devices
        self.channel = channel
        self._observer: Observer[View] = Observer(features, table)
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

    def render(self) -> Pixels | None:
        """Return a picture of the frame just carried out; after `reset`, of the coming one.

        Returns:
            Pixels `[480, 640, 3]`, red, green and blue; None, with a warning, without render mode.

        Raises:
            RuntimeError: before the first `reset`.
        """
        if self.render_mode is None:
            gymnasium.logger.warn(NO_PICTURE)
            return None
        if self._picture is None:
            raise RuntimeError(NO_FRAME)
        return draw(self._picture)

    @property
    def models(self) -> Models:
        """The models that a step samples, in this order; the channel is the last."""
        return (self.channel,)

    @property
    def table(self) -> FeatureTable[View]:
        """The features that the problem offers."""
        return self._observer.table

    def _restart_models(self) -> None:
        """Discard all frames so far."""
        for model in self.models:
            model.reset()
        self._observer.clear()

    def _sample_gain(self) -> Floats:
        """Return the next frame's channel gains `[N]`, read-only, since callers receive them."""
        gain: Floats = self.channel.sample(self.np_random, 1)[0].copy()  # may be the channel's own
        gain.flags.writeable = False
        return gain
