"""Models that an environment samples frame by frame: the contract, and common bases."""

import copy
import math
from abc import ABC, abstractmethod
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from droo_core.arrays import Floats
from droo_core.validation import in_range


class FrameModel(Protocol):
    """A model of one quantity of each device, which may depend on earlier frames."""

    num_devices: int

    def reset(self) -> None:
        """Discard all earlier frames."""

    def sample(self, rng: np.random.Generator, num_frames: int) -> Floats:
        """Return the quantity in the next frames `[num_frames, N]`."""


class NoiseDriven(ABC):
    """Base of channel and arrival models that separate random numbers from their transformation.

    The noise of T frames drawn at once equals that of T single frames, and so do the frames. So a
    caller that must draw the noise frame by frame can still transform it all at once.
    """

    num_devices: int

    def sample(self, rng: np.random.Generator, num_frames: int) -> Floats:
        """Return the next frames `[num_frames, N]`, the same whether drawn at once or singly."""
        return self.of_noise(self.noise(rng, num_frames))

    @abstractmethod
    def noise(self, rng: np.random.Generator, num_frames: int) -> NDArray[Any]:
        """Return the random numbers `[num_frames, ...]` of the next frames."""

    @abstractmethod
    def of_noise(self, noise: NDArray[Any]) -> Floats:
        """Return the next frames `[T, N]` for given noise `[T, ...]`."""


class Recording(NoiseDriven):
    """Recorded numbers `[T, N]`, played frame by frame in a cycle."""

    def __init__(self, name: str, values: ArrayLike) -> None:
        self._values = in_range(name, values, 0, math.inf, ("T", "N")).copy()
        self.num_devices = self._values.shape[1]
        self._next = 0

    def reset(self) -> None:
        """Return to the first frame."""
        self._next = 0

    def noise(self, rng: np.random.Generator, num_frames: int) -> Floats:  # noqa: ARG002 (not random)
        """Return an empty array `[num_frames, 0]`: nothing is random."""
        return np.empty((num_frames, 0))

    def of_noise(self, noise: Floats) -> Floats:
        """Return the next T recorded frames `[T, N]`, T being the length of the noise."""
        frames = np.arange(self._next, self._next + len(noise)) % len(self._values)
        self._next = (self._next + len(noise)) % len(self._values)
        return self._values[frames]

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy all but the recorded numbers, which are large and constant."""
        memo[id(self._values)] = self._values
        copied = copy.copy(self)
        vars(copied).update(copy.deepcopy(vars(self), memo))
        return copied
