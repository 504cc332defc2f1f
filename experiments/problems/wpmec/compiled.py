"""Frames of wireless powered MEC for the compiled loop."""

import itertools
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent import DROO
from agent.validation import vector
from droo_core.arrays import Floats
from env import WPMECCritic, WPMECFrame
from env.common.features import parse, states
from env.wpmec.features import WPMEC_FEATURES, WPMECView
from env.wpmec.kernels import frames as frame_kernels
from env.wpmec.kernels.frames import Frames
from experiments.compiled.playing import CompiledProblem
from experiments.runs.table import Table

BLOCK = 4096  # maximum number of frames whose states are computed at once


class CompiledWPMEC(CompiledProblem):
    """Frames of wireless powered MEC.

    Args:
        gains: channel gains `[T, N]`.
        weights_from: first frame, from 0, -> the weights `[N]` from that frame on; 0 is among the
            keys.
    """

    kernels: ClassVar[ModuleType] = frame_kernels

    def __init__(self, gains: Floats, weights_from: Mapping[int, Floats]) -> None:
        self.gains = np.ascontiguousarray(gains, np.float64)
        self.weights_from = weights_from

    def supports(self, droo: DROO) -> bool:
        """Whether the features are known, and no device is inactive that may be."""
        features = droo.agent.features or ()
        names = {name.partition("@")[0] for name in features}
        known = bool(names) and names <= set(WPMEC_FEATURES)
        return known and ("active" not in features or bool((self.gains > 0).all()))

    def ranges(self, droo: DROO, table: Table) -> Iterator[tuple[int, int, Frames]]:  # noqa: ARG002
        """Yield ranges of frames with the same weights, `BLOCK` frames at most."""
        self._check_fits(droo.agent.net[-1])
        num_frames = len(self.gains)
        begins = {at for at in self.weights_from if at < num_frames} | {
            *range(0, num_frames, BLOCK)
        }
        for begin, end in itertools.pairwise([*sorted(begins), num_frames]):
            critic = WPMECCritic(self._weights_in(begin))
            yield (
                begin,
                end,
                Frames(
                    self._states(droo.agent.features or (), begin, end),
                    self.gains[begin:end],
                    *critic.kernel_arguments,
                    np.empty((1, critic.num_devices), np.int64),
                    np.empty(1),
                ),
            )

    def frame(self, frames: Frames, t: int) -> WPMECFrame:
        """Return a frame as the schemes take it."""
        return WPMECFrame(WPMECCritic(frames.class_weights[frames.class_of]), frames.gain[t])

    def _states(self, features: tuple[str, ...], begin: int, end: int) -> NDArray[np.float32]:
        """Return the states `[end - begin, inputs]` of frames, equal to those of the environment.

        Raises:
            ValueError: if a state is not finite in single precision.
        """
        oldest = max(age for _, age in parse(features, WPMEC_FEATURES))
        earliest = max(0, begin - oldest)
        weights = self._weights_in(np.arange(earliest, end))
        view = WPMECView(self.gains[earliest:end], weights)
        found = states(features, WPMEC_FEATURES, view)[begin - earliest :]
        return vector("states", found.ravel(), found.size).reshape(found.shape)

    def _check_fits(self, num_devices: int) -> None:
        """Check that gains and weights are for an agent's number of devices.

        Raises:
            ValueError: if their number of devices differs.
        """
        given = [("gains", self.gains), *(("weights", each) for each in self.weights_from.values())]
        for name, array in given:
            if array.shape[-1] != num_devices:
                raise ValueError(
                    f"{name} must be for the agent's {num_devices} devices, got {array.shape[-1]}"
                )

    def _weights_in(self, frames: ArrayLike) -> Floats:
        """Return the weights of one frame `[N]`, or of T frames `[T, N]`."""
        each: Floats = np.array(list(self.weights_from.values()))
        return each[np.searchsorted(list(self.weights_from), frames, side="right") - 1]
