"""The critic of wireless powered MEC: scores decisions and allocates resources."""

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from droo_core.arrays import Floats, Ints
from droo_core.validation import binary, in_range, not_binary, real
from env.common.critic import WeightedCritic
from env.common.display import device_table
from env.common.local_search import LocalOptimum
from env.wpmec.dataset import Dataset
from env.wpmec.kernels import allocation as allocation_kernels
from env.wpmec.kernels import climb as climb_kernels
from env.wpmec.parameters import WPMECParameters


class Allocation(NamedTuple):
    """Best resource allocation of one decision; times are fractions of the frame.

    Attributes:
        energy_time: a, time in which the access point broadcasts energy.
        offload_time: tau `[N]`, time in which each device offloads; 0 where it computes locally.
        rate: computation rate `[N]` of each device, bit/s, unweighted.
        computation_rate: weighted sum of the rates, bit/s: the decision's score.
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


class WPMECCritic(WeightedCritic):
    """Scores binary offloading decisions by solving their resource allocation exactly.

    For given gains and decision x, maximise over the energy time a and the offloading times tau

        sum_i w_i [(1 - x_i) r_L,i + x_i r_O,i],   a + sum tau <= 1,   a, tau >= 0

        r_L,i = (mu P / k)^(1/3) / phi (h_i a)^(1/3)
        r_O,i = B tau_i / v_u log2(1 + mu P a h_i^2 / (tau_i N0))

    (DROO, problem P2). `env.wpmec.kernels.solver` explains how. The values are right to the last
    few digits.

    Args:
        weights: w `[N]`, positive.
        parameters: the physical constants; None takes the paper's.

    Attributes:
        weights: as given, read-only.
        parameters: as given.
        kernel_arguments: kernel arguments derived from both: the weight class of each device
            `[N]`, the weight of each class `[C]`, and `parameters.constants`.
        labelled: class of labelled frames, for `env.labels`.

    Raises:
        ValueError: if a weight is not positive and finite.
    """

    labelled: ClassVar[type[Dataset]] = Dataset

    def __init__(self, weights: ArrayLike, parameters: WPMECParameters | None = None) -> None:
        super().__init__(weights)
        self.parameters = parameters or WPMECParameters()
        class_weights, class_of = np.unique(self.weights, return_inverse=True)
        self.kernel_arguments = (class_of, class_weights, self.parameters.constants)

    def frame(self, gain: ArrayLike) -> "WPMECFrame":
        """Return the frame with channel gains `[N]`: see `WPMECFrame`."""
        return WPMECFrame(self, gain)

    def score(self, gain: ArrayLike, decisions: ArrayLike) -> Floats:
        """Return the weighted sum computation rate of each decision.

        Args:
            gain: channel gains h `[N]`, non-negative.
            decisions: zeros (compute locally) and ones (offload) `[K, N]`.

        Returns:
            Rates `[K]`, bit/s.

        Raises:
            TypeError: if `gain` holds anything but real numbers.
            ValueError: if a shape differs, a gain is negative, NaN or infinite, or a decision is
                not binary.
            ArithmeticError: if the equation could not be solved, for gains far outside the
                physical range.
        """
        decisions = binary("decisions", decisions, ("K", self.num_devices))
        gain = real("gain", gain, (self.num_devices,))
        values = np.empty(len(decisions))
        error = allocation_kernels.score(gain, *self.kernel_arguments, decisions, values)
        self._check_solved(error, gain, "decisions", decisions)
        return values

    def allocate(self, gain: ArrayLike, decision: ArrayLike) -> Allocation:
        """Return the best allocation of one decision.

        Args:
            gain: channel gains h `[N]`, non-negative.
            decision: zeros and ones `[N]`.

        Raises:
            TypeError: if `gain` holds anything but real numbers.
            ValueError: if a shape differs, a gain is negative, NaN or infinite, or the decision is
                not binary.
            ArithmeticError: if the equation could not be solved, for gains far outside the
                physical range.
        """
        decision = binary("decision", decision, (self.num_devices,))
        gain = real("gain", gain, (self.num_devices,))
        offload_time, rate = np.empty(self.num_devices), np.empty(self.num_devices)
        value, energy_time, error = allocation_kernels.allocate(
            gain, *self.kernel_arguments, decision, offload_time, rate
        )
        self._check_solved(error, gain, "decision", decision)
        return Allocation(energy_time, offload_time, rate, value)

    def climb(self, gain: ArrayLike, decision: ArrayLike) -> LocalOptimum:
        """Change the one device whose change gains most, again and again, until none gains.

        The compiled form of `env.schemes.coordinate_descent`.

        Args:
            gain: channel gains h `[N]`, non-negative.
            decision: initial decision `[N]`, zeros and ones.

        Returns:
            The decision reached, its rate in bit/s, and the number of decisions scored.

        Raises:
            TypeError: if `gain` holds anything but real numbers.
            ValueError: if a shape differs, a gain is negative, NaN or infinite, or the decision is
                not binary.
            ArithmeticError: if the equation could not be solved, for gains far outside the
                physical range.
        """
        n = self.num_devices
        start = binary("decision", decision, (n,))
        gain = real("gain", gain, (n,))
        rewards = np.empty(n)
        error = allocation_kernels.score(gain, *self.kernel_arguments, start[None], rewards[:1])
        self._check_solved(error, gain, "decision", start)
        climbed, neighbours = start.copy(), np.empty((n, n), np.int64)
        reward, scored, error = climb_kernels.climb(
            gain, *self.kernel_arguments, climbed, rewards[0], neighbours, rewards
        )
        self._check_solved(error, gain, "decision", start)
        return LocalOptimum(climbed, float(reward), 1 + scored)

    def check_gain(self, gain: ArrayLike) -> Floats:
        """Return channel gains as an array `[N]`.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: if the shape differs, or a gain is negative, NaN or infinite.
        """
        return in_range("gain", gain, 0, np.inf, (self.num_devices,))

    def _check_solved(self, error: float, gain: Floats, name: str, decisions: Ints) -> None:
        """Check the error that a kernel returned.

        Raises:
            ValueError: if it stands for a decision that is not binary, or an invalid gain.
            ArithmeticError: if it is too large.
        """
        if 0 <= error <= allocation_kernels.ACCEPTED:
            return
        if error == allocation_kernels.NOT_BINARY:
            raise not_binary(name, decisions)
        if error == allocation_kernels.BAD_GAIN:
            self.check_gain(gain)
        raise ArithmeticError(f"the multiplier was found only to a relative error of {error:g}")


class WPMECFrame:
    """One time frame by itself, which the schemes of `env.schemes` take like an environment.

    Args:
        critic: of the problem.
        gain: channel gains `[N]`.

    Raises:
        TypeError: if the gains are not real numbers.
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

    def climb(self, decision: ArrayLike) -> LocalOptimum:
        """Return the local optimum above a decision `[N]`: see `WPMECCritic.climb`."""
        return self.critic.climb(self.gain, decision)
