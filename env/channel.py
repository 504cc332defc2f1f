"""Channel models: placement of the devices, path loss, and fading from frame to frame.

A gain is a power gain: received over transmitted power, dimensionless.
"""

import math
from typing import Protocol

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy.constants import speed_of_light

from droo_core.validation import in_range, positive_int
from env.common.models import FrameModel, NoiseDriven, Recording

__all__ = [
    "BlockFading",
    "ChannelModel",
    "NoiseDriven",
    "RecordedChannel",
    "jakes_correlation",
    "linear_placement",
    "path_loss_gain",
    "rayleigh",
    "rician",
]

Gains = NDArray[np.float64]


class ChannelModel(FrameModel, Protocol):
    """A model of the channel gains.

    Any object is one with `num_devices`; `reset()`, which discards all earlier frames; and
    `sample(rng, num_frames)`, which returns the gains `[num_frames, N]` of the next frames.
    """


def linear_placement(num_devices: int, nearest: float = 2.5, farthest: float = 5.2) -> Gains:
    """Return distances `[N]` in m, evenly spaced from the nearest to the farthest device."""
    num_devices = positive_int("num_devices", num_devices)
    in_range("nearest", nearest, 0, math.inf, open_low=True)
    in_range("farthest", farthest, nearest, math.inf)
    return np.linspace(nearest, farthest, num_devices)


def path_loss_gain(
    distance: ArrayLike,
    *,
    antenna_gain: float = 3.0,
    carrier_frequency: float = 915e6,
    exponent: float = 2.8,
) -> Gains:
    """Return the average channel gain `A_d (c / (4 pi f_c d))^d_e` (DROO, numerical results).

    Args:
        distance: d, distances `[N]` in m.
        antenna_gain: A_d. The paper says 4.11; the data published with it agree with 3.
        carrier_frequency: f_c in Hz.
        exponent: d_e, the path-loss exponent.

    Raises:
        ValueError: if an argument is not positive and finite.
    """
    distance = in_range("distance", distance, 0, math.inf, open_low=True)
    in_range("antenna_gain", antenna_gain, 0, math.inf, open_low=True)
    in_range("carrier_frequency", carrier_frequency, 0, math.inf, open_low=True)
    in_range("exponent", exponent, 0, math.inf, open_low=True)
    gain: Gains = (
        antenna_gain * (speed_of_light / (4 * math.pi * carrier_frequency * distance)) ** exponent
    )
    return gain


def jakes_correlation(doppler_frequency: float, frame_length: float) -> float:
    """Return the correlation J0(2 pi f_d T) of the amplitudes of successive frames (Jakes).

    Args:
        doppler_frequency: f_d in Hz: speed over wavelength.
        frame_length: T in s.
    """
    in_range("doppler_frequency", doppler_frequency, 0, math.inf)
    in_range("frame_length", frame_length, 0, math.inf)
    return float(scipy.special.j0(2 * math.pi * doppler_frequency * frame_length))


class BlockFading(NoiseDriven):
    """Fading that is constant within a frame: Rayleigh, Rician, and either correlated in time.

    The gain is `average_gain |sqrt(L) + sqrt(1 - L) g|^2`, with L the power fraction of the line of
    sight and g a complex amplitude, standard normal in every frame. With L = 0 that is Rayleigh
    fading: average gain x Exp(1). From frame to frame g follows the Gauss-Markov process
    `g' = rho g + sqrt(1 - rho^2) w`, w being fresh noise; with rho = 0 frames are independent.

    Args:
        average_gain: average channel gains `[N]`.
        line_of_sight: L, in [0, 1].
        correlation: rho, in [-1, 1]; see `jakes_correlation`.

    Raises:
        ValueError: if an argument is out of range.
    """

    def __init__(
        self, average_gain: ArrayLike, line_of_sight: float = 0.0, correlation: float = 0.0
    ) -> None:
        self.average_gain = in_range("average_gain", average_gain, 0, math.inf, ("N",)).copy()
        self.num_devices = len(self.average_gain)
        self.line_of_sight = float(in_range("line_of_sight", line_of_sight, 0, 1, ()))
        self.correlation = float(in_range("correlation", correlation, -1, 1, ()))
        self._amplitude: NDArray[np.complex128] | None = None

    def reset(self) -> None:
        """Discard the amplitudes: the next frame is independent of all earlier ones."""
        self._amplitude = None

    def noise(self, rng: np.random.Generator, num_frames: int) -> Gains:
        """Return standard normal numbers `[num_frames, N, 2]`."""
        return rng.standard_normal((num_frames, self.num_devices, 2))

    def of_noise(self, noise: Gains) -> Gains:
        """Return the gains `[T, N]` of the next frames for given noise `[T, N, 2]`."""
        amplitude = (noise * math.sqrt(0.5)).view(np.complex128)[..., 0]
        if self.correlation != 0:
            self._correlate(amplitude)
        direct, scattered = math.sqrt(self.line_of_sight), math.sqrt(1 - self.line_of_sight)
        amplitude = direct + scattered * amplitude
        gains: Gains = self.average_gain * (amplitude.real**2 + amplitude.imag**2)
        return gains

    def _correlate(self, amplitude: NDArray[np.complex128]) -> None:
        """Correlate independent amplitudes `[T, N]` in time; overwrites the array."""
        innovation = math.sqrt(1 - self.correlation**2)
        previous = self._amplitude
        for t in range(len(amplitude)):
            if previous is not None:
                amplitude[t] = self.correlation * previous + innovation * amplitude[t]
            previous = amplitude[t]
        self._amplitude = None if previous is None else previous.copy()


def rayleigh(average_gain: ArrayLike, correlation: float = 0.0) -> BlockFading:
    """Return Rayleigh fading, the DROO paper's channel: no line of sight.

    Args:
        average_gain: average channel gains `[N]`.
        correlation: as for `BlockFading`.
    """
    return BlockFading(average_gain, 0.0, correlation)


def rician(
    average_gain: ArrayLike, line_of_sight: float = 0.3, correlation: float = 0.0
) -> BlockFading:
    """Return Rician fading, the LyDROO paper's channel: a line of sight and scattered paths.

    Args:
        average_gain: average channel gains `[N]`.
        line_of_sight: power fraction of the line of sight, in [0, 1].
        correlation: as for `BlockFading`.
    """
    return BlockFading(average_gain, line_of_sight, correlation)


class RecordedChannel(Recording):
    """Recorded gains, played frame by frame in a cycle.

    Args:
        gains: channel gains `[T, N]`.

    Raises:
        ValueError: if `gains` has another shape, or an entry is negative, NaN or infinite.
    """

    def __init__(self, gains: ArrayLike) -> None:
        super().__init__("gains", gains)
