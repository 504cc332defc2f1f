"""The critic of wireless powered MEC: what a binary decision is worth, and how to carry it out."""

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from droo_core.validation import binary, in_range, not_binary, real
from env.common.display import device_table
from env.wpmec.kernels import allocation as wpmec_kernels

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class WPMECParameters:
    """The physical constants of wireless powered MEC, as in the DROO paper.

    Raises:
        ValueError: if one is not positive and finite.
    """

    harvesting_efficiency: float = 0.7
    """mu: energy harvested over energy received."""
    transmit_power: float = 3.0
    """P: radio-frequency power of the access point, W."""
    cycles_per_bit: float = 100.0
    """phi: processor cycles to compute one bit."""
    energy_coefficient: float = 1e-26
    """k: energy of a processor cycle over the square of its frequency, J s^2."""
    noise_power: float = 1e-10
    """N0: noise power at the access point, W."""
    bandwidth: float = 2e6
    """B: Hz."""
    communication_overhead: float = 1.1
    """v_u: bits sent for one bit of data."""

    def __post_init__(self) -> None:
        """Check the values."""
        for name, value in asdict(self).items():
            in_range(name, value, 0, math.inf, (), open_low=True)

    @property
    def constants(self) -> tuple[float, float, float]:
        """The kernels' constants: mu P / N0, (mu P / k)^(1/3) / phi and B / (v_u ln 2)."""
        power = self.harvesting_efficiency * self.transmit_power
        return (
            power / self.noise_power,
            float(np.cbrt(power / self.energy_coefficient)) / self.cycles_per_bit,
            self.bandwidth / (self.communication_overhead * math.log(2)),
        )


class Allocation(NamedTuple):
    """How one decision is best carried out; times are fractions of the frame.

    Attributes:
        energy_time: a, during which the access point broadcasts energy.
        offload_time: tau `[N]`, during which each device offloads; 0 where it computes locally.
        rate: computation rate `[N]` of each device, bit/s, unweighted.
        computation_rate: the weighted sum of the rates, bit/s: the decision's score.
    """

    energy_time: float
    offload_time: Floats
    rate: Floats
    computation_rate: float

    def _repr_html_(self) -> str:
        return device_table(
            f"energy time {self.energy_time:.4g} of the frame, "
            f"computation rate {self.computation_rate / 1e6:.4g} Mbit/s (weighted)",
            {"offloading time": self.offload_time, "rate (Mbit/s)": self.rate / 1e6},
        )


class WPMECCritic:
    """Scores binary offloading decisions by solving their resource allocation exactly.

    For given gains and decision x, maximise over the energy time a and the offloading times tau

        sum_i w_i [(1 - x_i) r_L,i + x_i r_O,i],   a + sum tau <= 1,   a, tau >= 0

        r_L,i = (mu P / k)^(1/3) / phi (h_i a)^(1/3)
        r_O,i = B tau_i / v_u log2(1 + mu P a h_i^2 / (tau_i N0))

    (DROO, problem P2). `wpmec_kernels` tells how. The values are right to the last few digits.

    Args:
        weights: w `[N]`, positive.
        parameters: the physical constants.

    Attributes:
        weights: as given, read-only.
        parameters: as given.
        kernel_arguments: what the kernels want to know of both: the weight class of each device
            `[N]`, the weight of each class `[C]`, and `parameters.constants`.

    Raises:
        ValueError: if a weight is not positive and finite.
    """

    def __init__(self, weights: ArrayLike, parameters: WPMECParameters | None = None) -> None:
        self.weights = in_range("weights", weights, 0, math.inf, ("N",), open_low=True).copy()
        self.weights.flags.writeable = False  # the classes below would not follow a change
        self.parameters = parameters or WPMECParameters()
        class_weights, class_of = np.unique(self.weights, return_inverse=True)
        self.kernel_arguments = (class_of, class_weights, self.parameters.constants)

    @property
    def num_devices(self) -> int:
        """N, the number of devices."""
        return len(self.weights)

    def score(self, gain: ArrayLike, decisions: ArrayLike) -> Floats:
        """Return the weighted sum computation rate of each decision.

        Args:
            gain: channel gains h `[N]`, non-negative.
            decisions: zeros (compute locally) and ones (offload) `[K, N]`.

        Returns:
            Rates `[K]`, bit/s.

        Raises:
            TypeError: if `gain` holds no real numbers.
            ValueError: if a shape differs, a gain is negative, NaN or infinite, or a decision is
                not binary.
            ArithmeticError: if the equation could not be solved, for gains far outside the
                physical range.
        """
        decisions = binary("decisions", decisions, ("K", self.num_devices))
        gain = real("gain", gain, (self.num_devices,))
        values = np.empty(len(decisions))
        error = wpmec_kernels.score(gain, *self.kernel_arguments, decisions, values)
        if not 0 <= error <= wpmec_kernels.ACCEPTED:
            raise self._failure(error, gain, "decisions", decisions)
        return values

    def allocate(self, gain: ArrayLike, decision: ArrayLike) -> Allocation:
        """Return the best allocation of one decision.

        Args:
            gain: channel gains h `[N]`, non-negative.
            decision: zeros and ones `[N]`.

        Raises:
            TypeError: if `gain` holds no real numbers.
            ValueError: if a shape differs, a gain is negative, NaN or infinite, or the decision is
                not binary.
            ArithmeticError: if the equation could not be solved, for gains far outside the
                physical range.
        """
        decision = binary("decision", decision, (self.num_devices,))
        gain = real("gain", gain, (self.num_devices,))
        offload_time, rate = np.empty(self.num_devices), np.empty(self.num_devices)
        value, energy_time, error = wpmec_kernels.allocate(
            gain, *self.kernel_arguments, decision, offload_time, rate
        )
        if not 0 <= error <= wpmec_kernels.ACCEPTED:
            raise self._failure(error, gain, "decision", decision)
        return Allocation(energy_time, offload_time, rate, value)

    def check_gain(self, gain: ArrayLike) -> Floats:
        """Return channel gains as an array `[N]`.

        Raises:
            TypeError: if they are no real numbers.
            ValueError: if the shape differs, or one is negative, NaN or infinite.
        """
        return in_range("gain", gain, 0, math.inf, (self.num_devices,))

    def _failure(self, error: float, gain: Floats, name: str, decisions: Ints) -> Exception:
        """Return what to raise where a kernel returned this error."""
        if error == wpmec_kernels.NOT_BINARY:
            return not_binary(name, decisions)
        if error == wpmec_kernels.BAD_GAIN:
            self.check_gain(gain)
        return ArithmeticError(f"the multiplier was found only to a relative error of {error:g}")


class WPMECFrame:
    """One time frame by itself: what a scheme of `env.schemes` takes in place of an environment.

    Args:
        critic: of the problem.
        gain: channel gains `[N]`.

    Raises:
        TypeError: if the gains are no real numbers.
        ValueError: if their shape differs, or one is negative, NaN or infinite.
    """

    def __init__(self, critic: WPMECCritic, gain: ArrayLike) -> None:
        self.critic = critic
        self.gain = critic.check_gain(gain).copy()
        self.gain.flags.writeable = False

    @property
    def num_devices(self) -> int:
        """N, the number of devices."""
        return self.critic.num_devices

    def score(self, decisions: ArrayLike) -> Floats:
        """Return the rates `[K]`, bit/s, of decisions `[K, N]`: see `WPMECCritic.score`."""
        return self.critic.score(self.gain, decisions)

    def allocate(self, decision: ArrayLike) -> Allocation:
        """Return the best allocation of a decision `[N]`: see `WPMECCritic.allocate`."""
        return self.critic.allocate(self.gain, decision)
