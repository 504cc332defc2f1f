"""Arrival models: new data of each device from frame to frame, in Mbit."""

import math
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from droo_core.validation import in_range
from env.common.models import FrameModel, NoiseDriven, Recording

Arrivals = NDArray[np.float64]


class ArrivalModel(FrameModel, Protocol):
    """A model of the arrivals.

    Any object is one with `num_devices`; `reset()`, which discards all earlier frames; and
    `sample(rng, num_frames)`, which returns the arrivals in the next frames, Mbit
    `[num_frames, N]`.
    """


class _Independent(NoiseDriven):
    """Base of arrivals that are independent from frame to frame."""

    def __init__(self, mean: ArrayLike) -> None:
        self.mean = in_range("mean", mean, 0, math.inf, ("N",)).copy()
        self.num_devices = len(self.mean)

    def reset(self) -> None:
        """Do nothing: no frame depends on another."""


class ExponentialArrivals(_Independent):
    """Exponential arrivals, as in the LyDROO paper.

    Args:
        mean: Mbit a frame `[N]`.

    Raises:
        TypeError: if `mean` holds anything but real numbers.
        ValueError: if it is not a vector, or an entry is negative, NaN or infinite.
    """

    def noise(self, rng: np.random.Generator, num_frames: int) -> Arrivals:
        """Return standard exponential numbers `[num_frames, N]`."""
        return rng.standard_exponential((num_frames, self.num_devices))

    def of_noise(self, noise: Arrivals) -> Arrivals:
        """Return arrivals `[T, N]`, Mbit, for given noise `[T, N]`."""
        return self.mean * noise


class PoissonBatches(_Independent):
    """Batches of equal size, Poisson-distributed in number.

    Args:
        mean: Mbit a frame `[N]`.
        batch: size of a batch, Mbit.

    Raises:
        TypeError: if an argument holds anything but real numbers.
        ValueError: if `mean` is not a vector, an entry is negative, NaN or infinite, or `batch` is
            not positive and finite.
    """

    def __init__(self, mean: ArrayLike, batch: float = 1.0) -> None:
        super().__init__(mean)
        self.batch = float(in_range("batch", batch, 0, math.inf, (), open_low=True))

    def noise(self, rng: np.random.Generator, num_frames: int) -> NDArray[np.int64]:
        """Return the numbers of batches `[num_frames, N]`."""
        return rng.poisson(self.mean / self.batch, (num_frames, self.num_devices))

    def of_noise(self, noise: NDArray[np.int64]) -> Arrivals:
        """Return arrivals `[T, N]`, Mbit, for given numbers of batches `[T, N]`."""
        return np.asarray(self.batch * noise, dtype=np.float64)


class RecordedArrivals(Recording):
    """Recorded arrivals, played frame by frame in a cycle.

    Args:
        arrivals: Mbit `[T, N]`.

    Raises:
        TypeError: if `arrivals` holds anything but real numbers.
        ValueError: if it has another shape, or an entry is negative, NaN or infinite.
    """

    def __init__(self, arrivals: ArrayLike) -> None:
        super().__init__("arrivals", arrivals)
