"""The toy problem as a Gymnasium environment."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from droo_core.arrays import Floats, Ints
from droo_core.validation import zeros_and_ones
from env import BlockFading, ChannelModel
from env.common.environment import OffloadingEnv
from env.common.features import FeatureTable, log_gain
from env.common.rendering import Picture

CROWDING = 0.1  # slow-down of all offloading devices by each of them


class ToyView(NamedTuple):
    """Per-device quantities of a frame `[N]`."""

    gain: Floats


FEATURES: FeatureTable[ToyView] = {
    "gain": lambda frame: frame.gain,
    "log_gain": lambda frame: log_gain(frame.gain),
}


def rates_of(gain: Floats, decisions: NDArray[Any]) -> Floats:
    """Return the rate of each device `[..., N]` for decisions `[..., N]`."""
    crowd = 1 + CROWDING * decisions.sum(axis=-1, keepdims=True)
    return np.where(decisions == 1, np.log2(1 + 9 * gain) / crowd, 1.0)


def best_decision(frame: Any) -> Ints:
    """Return the optimal decision `[N]`, in which the devices with the largest gains offload."""
    n = frame.num_devices
    sets = np.tri(n + 1, n, -1, dtype=np.int64)
    candidates = np.zeros_like(sets)
    candidates[:, np.argsort(-frame.gain)] = sets
    return np.asarray(candidates[frame.score(candidates).argmax()])


def picture(gain: Floats, decision: ArrayLike | None = None) -> Picture:
    """Return the picture of a frame and of the decision carried out in it."""
    shown = None if decision is None else np.array(decision, np.int64)
    return Picture("Toy", gain, (-20.0, 10.0), shown)


class ToyMEC(OffloadingEnv[ToyView]):
    """N devices that share a band."""

    def __init__(
        self,
        num_devices: int = 10,
        *,
        channel: ChannelModel | None = None,
        features: Sequence[str] = ("gain",),
        render_mode: str | None = None,
    ) -> None:
        channel = channel or BlockFading(np.ones(num_devices), 0.0, 0.0)
        super().__init__(channel.num_devices, channel, features, FEATURES, render_mode)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Start an episode."""
        super().reset(seed=seed, options=options)
        self._restart_models()
        self._observer.add(ToyView(self._sample_gain()))
        self._picture = picture(self.gain)
        return self.state, {"channel_gain": self.gain.copy()}

    def step(self, action: ArrayLike) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Carry out a decision `[N]` and move on to the next frame."""
        decision = zeros_and_ones("decision", action, (self.num_devices,))
        rate = rates_of(self.gain, decision)
        self._picture = picture(self.gain, decision)
        self._observer.add(ToyView(self._sample_gain()))
        info = {"channel_gain": self.gain.copy(), "rate": rate}
        return self.state, float(rate.sum()), False, False, info

    def score(self, decisions: ArrayLike) -> Floats:
        """Return the sum of the rates `[K]` of decisions `[K, N]`."""
        checked = zeros_and_ones("decisions", decisions, ("K", self.num_devices))
        total: Floats = rates_of(self.gain, checked).sum(axis=-1)
        return total
