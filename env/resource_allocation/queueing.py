"""The critics of multi-slot MEC with queues: what a binary decision is worth, and how to do it."""

import math
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from env.resource_allocation import (
    myopic_kernels,
    queueing_kernels,
    queueing_search_kernels,
)
from env.validation import binary, in_range, not_binary, real

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class QueueingParameters:
    """The constants of multi-slot MEC with queues, as in the LyDROO paper; a frame lasts 1 s.

    Raises:
        TypeError: if one is no real number.
        ValueError: if one is not positive and finite; the trade-off may be 0.
    """

    tradeoff: float = 20.0
    """V: what the weighted computation rate is worth against the queues, Mbit."""
    cycles_per_bit: float = 100.0
    """phi: processor cycles to compute one bit."""
    max_frequency: float = 3e8
    """f_max: of a device's processor, cycles/s."""
    energy_coefficient: float = 1e-26
    """kappa: energy of a processor cycle over the square of its frequency, J s^2."""
    bandwidth: float = 2e6
    """W: Hz."""
    communication_overhead: float = 1.1
    """v_u: bits sent for one bit of data."""
    noise_density: float = 10**-20.4
    """Noise power at the access point for each hertz, W/Hz: -174 dBm/Hz."""
    max_power: float = 0.1
    """P_max: transmit power of a device, W."""
    energy_budget: float = 0.08
    """e_max: energy that a device may use in a frame, on average, J."""
    energy_queue_scale: float = 1000.0
    """nu: by how much an energy queue grows for a joule over the budget."""
    energy_price: float = 10.0
    """What a joule costs in the objective, over the energy queue."""

    def __post_init__(self) -> None:
        """Check the values."""
        for name, value in asdict(self).items():
            in_range(name, value, 0, math.inf, (), open_low=name != "tradeoff")

    @property
    def constants(self) -> queueing_kernels.Constants:
        """The kernels' constants."""
        return queueing_kernels.Constants(
            tradeoff=float(self.tradeoff),
            energy_price=float(self.energy_price),
            bits_per_cycle=1e-6 / self.cycles_per_bit,
            max_frequency=float(self.max_frequency),
            energy_coefficient=float(self.energy_coefficient),
            rate_per_nat=self.bandwidth * 1e-6 / (self.communication_overhead * math.log(2)),
            noise_power=self.bandwidth * self.noise_density,
            max_power=float(self.max_power),
        )


class QueueingAllocation(NamedTuple):
    """How one decision is best carried out in a frame of a second.

    Attributes:
        objective: the decision's score.
        rate: data that each device gets computed `[N]`, Mbit.
        energy: that each uses `[N]`, J.
        frequency: of each processor `[N]`, cycles/s; 0 where it offloads.
        offload_time: during which each offloads `[N]`, s; 0 where it computes locally.
        power: at which each offloads `[N]`, W.
        time_price: what a further second of offloading would be worth.
    """

    objective: float
    rate: Floats
    energy: Floats
    frequency: Floats
    offload_time: Floats
    power: Floats
    time_price: float


class Climb(NamedTuple):
    """What local search came to.

    Attributes:
        decision: that no change of one device makes better `[N]`.
        objective: its score.
        scored: how many decisions were scored.
    """

    decision: NDArray[np.int64]
    objective: float
    scored: int


class _Critic:
    """What the two critics have in common.

    Args:
        weights: w `[N]`, positive.
        parameters: the constants.

    Attributes:
        weights: as given, read-only.
        parameters: as given.

    Raises:
        ValueError: if a weight is not positive and finite.
    """

    _kernels: ModuleType
    _energy: str  # what it is told of each device's energy

    def __init__(self, weights: ArrayLike, parameters: QueueingParameters | None = None) -> None:
        self.weights = in_range("weights", weights, 0, math.inf, ("N",), open_low=True).copy()
        self.weights.flags.writeable = False
        self.parameters = parameters or QueueingParameters()
        self.kernel_arguments = (self.weights, self.parameters.constants)

    @property
    def num_devices(self) -> int:
        """N."""
        return len(self.weights)

    def check_frame(self, gain: ArrayLike, data_queue: ArrayLike, energy: ArrayLike) -> Floats:
        """Return what a frame is to the devices as one array `[3, N]`.

        Raises:
            TypeError: if a part of it holds no real numbers.
            ValueError: if its shape differs, or an entry is negative, NaN or infinite.
        """
        frame, shape = np.empty((3, self.num_devices)), (self.num_devices,)
        named = (("gain", gain), ("data_queue", data_queue), (self._energy, energy))
        for row, (name, values) in zip(frame, named, strict=True):
            row[:] = real(name, values, shape)
        if not queueing_kernels.frame_is_valid(frame):  # in a tenth of the time of `in_range`
            for name, values in named:
                in_range(name, values, 0, math.inf)
        return frame

    def score_frame(self, frame: Floats, decisions: ArrayLike) -> Floats:
        """Do what `score` does for a frame `[3, N]` that `check_frame` returned."""
        checked = binary("decisions", decisions, ("K", self.num_devices))
        values = np.empty(len(checked))
        outcome = self._kernels.score(frame, *self.kernel_arguments, checked, values)
        if outcome != queueing_kernels.SOLVED:
            raise self._failure(outcome, "decisions", checked)
        return values

    def allocate_frame(self, frame: Floats, decision: ArrayLike) -> QueueingAllocation:
        """Do what `allocate` does for a frame `[3, N]` that `check_frame` returned."""
        checked = binary("decision", decision, (self.num_devices,))
        rows = np.empty((5, self.num_devices))
        objective, price, outcome = self._kernels.allocate(
            frame, *self.kernel_arguments, checked, rows
        )
        if outcome != queueing_kernels.SOLVED:
            raise self._failure(outcome, "decision", checked)
        rate, energy, frequency, offload_time, power = rows
        return QueueingAllocation(objective, rate, energy, frequency, offload_time, power, price)

    def _failure(self, outcome: int, name: str, decisions: NDArray[np.int64]) -> Exception:
        """Return what to raise where a kernel returned this outcome."""
        if outcome == queueing_kernels.NOT_BINARY:
            return not_binary(name, decisions)
        return ArithmeticError("the price of time was not found: the numbers are far out of range")


class QueueingCritic(_Critic):
    """Scores binary decisions by drift-plus-penalty: the frame's problem of LyDROO, exactly.

    For given gains h, data queues Q, virtual energy queues Y and decision x, with a = Q + V w,
    maximise over local frequencies f, offloading times tau and powers p

        sum_i a_i r_i - c Y_i e_i,   r_i <= Q_i,   sum tau <= 1

        r_i = f_i / phi,   e_i = kappa f_i^3,   f_i <= f_max                        (x_i = 0)
        r_i = W tau_i / v_u log2(1 + p_i h_i / N0),   e_i = p_i tau_i,   p_i <= P_max    (x_i = 1)

    (LyDROO, problem P4.) `queueing_kernels` tells how: a fractional knapsack with closed forms, no
    linear program. The values are right to about 1e-12.

    Args:
        weights: w `[N]`, positive.
        parameters: the constants.

    Attributes:
        weights: as given, read-only.
        parameters: as given.
        kernel_arguments: what the kernels want to know of both.

    Raises:
        ValueError: if a weight is not positive and finite.
    """

    _kernels = queueing_kernels
    _energy = "energy_queue"

    def score(
        self,
        gain: ArrayLike,
        data_queue: ArrayLike,
        energy_queue: ArrayLike,
        decisions: ArrayLike,
    ) -> Floats:
        """Return the objective of each decision.

        Args:
            gain: channel gains h `[N]`.
            data_queue: Q `[N]`, Mbit.
            energy_queue: Y `[N]`.
            decisions: zeros (compute locally) and ones (offload) `[K, N]`.

        Returns:
            Objectives `[K]`, Mbit^2.

        Raises:
            TypeError: if an argument holds no real numbers.
            ValueError: if a shape differs, a gain or queue is negative, NaN or infinite, or a
                decision is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
        """
        return self.score_frame(self.check_frame(gain, data_queue, energy_queue), decisions)

    def allocate(
        self,
        gain: ArrayLike,
        data_queue: ArrayLike,
        energy_queue: ArrayLike,
        decision: ArrayLike,
    ) -> QueueingAllocation:
        """Return the best allocation of one decision `[N]`; the rest is as for `score`."""
        return self.allocate_frame(self.check_frame(gain, data_queue, energy_queue), decision)

    def climb(
        self,
        gain: ArrayLike,
        data_queue: ArrayLike,
        energy_queue: ArrayLike,
        decision: ArrayLike,
    ) -> Climb:
        """Change the one device whose change earns most, again and again, until none earns more.

        What `env.schemes.coordinate_descent` does, compiled; arguments and errors are those of
        `score`, `decision` being where to start `[N]`.
        """
        return self.climb_frame(self.check_frame(gain, data_queue, energy_queue), decision)

    def climb_frame(self, frame: Floats, decision: ArrayLike) -> Climb:
        """Do what `climb` does for a frame `[3, N]` that `check_frame` returned."""
        climbed = binary("decision", decision, (self.num_devices,)).copy()
        objective, scored, outcome = queueing_search_kernels.climb(
            frame, *self.kernel_arguments, climbed
        )
        if outcome != queueing_kernels.SOLVED:
            raise self._failure(outcome, "decision", climbed)
        return Climb(climbed, objective, scored)

    def outlook(self, gain: ArrayLike, data_queue: ArrayLike, energy_queue: ArrayLike) -> Floats:
        """Return what the price of a frame's time means to each device by itself.

        Returns:
            `[3, N]`: the price up to which a device gains by offloading instead of computing
            locally, 0 if it never does; the time that it would take at that price, s; and the sum
            of the times of those that offload at a higher one.

        Raises:
            TypeError: if an argument holds no real numbers.
            ValueError: if a shape differs, or an entry is negative, NaN or infinite.
        """
        return self.outlook_frame(self.check_frame(gain, data_queue, energy_queue))

    def outlook_frame(self, frame: Floats) -> Floats:
        """Do what `outlook` does for a frame `[3, N]` that `check_frame` returned."""
        return queueing_search_kernels.outlook(frame, *self.kernel_arguments)


class MyopicCritic(_Critic):
    """Scores binary decisions by what this frame alone computes, within budgets of energy.

    The myopic scheme of the LyDROO paper: the constraints are those of `QueueingCritic`, but it
    maximises sum w_i r_i with e_i <= B_i, and sees no queue but for its being the most that there
    is to compute.

    Args:
        weights: w `[N]`, positive.
        parameters: the constants.

    Attributes:
        weights: as given, read-only.
        parameters: as given.
        kernel_arguments: what the kernels want to know of both.

    Raises:
        ValueError: if a weight is not positive and finite.
    """

    _kernels = myopic_kernels
    _energy = "energy_left"

    def score(
        self, gain: ArrayLike, data_queue: ArrayLike, energy_left: ArrayLike, decisions: ArrayLike
    ) -> Floats:
        """Return the weighted sum computation rate of each decision.

        Args:
            gain: channel gains h `[N]`.
            data_queue: Q `[N]`, Mbit.
            energy_left: B, the energy that each device may use in this frame `[N]`, J.
            decisions: zeros (compute locally) and ones (offload) `[K, N]`.

        Returns:
            Weighted sums `[K]`, Mbit.

        Raises:
            TypeError: if an argument holds no real numbers.
            ValueError: if a shape differs, a gain, queue or budget is negative, NaN or infinite, or
                a decision is not binary.
        """
        return self.score_frame(self.check_frame(gain, data_queue, energy_left), decisions)

    def allocate(
        self, gain: ArrayLike, data_queue: ArrayLike, energy_left: ArrayLike, decision: ArrayLike
    ) -> QueueingAllocation:
        """Return the best allocation of one decision `[N]`; the rest is as for `score`."""
        return self.allocate_frame(self.check_frame(gain, data_queue, energy_left), decision)


class QueueingFrame:
    """One time frame by itself: what a scheme of `env.schemes` takes in place of an environment.

    Args:
        critic: of the problem.
        gain: channel gains `[N]`.
        data_queue: Q `[N]`, Mbit.
        energy_queue: Y `[N]`.

    Raises:
        TypeError: if one of these holds no real numbers.
        ValueError: if its shape differs, or an entry is negative, NaN or infinite.
    """

    def __init__(
        self,
        critic: QueueingCritic,
        gain: ArrayLike,
        data_queue: ArrayLike,
        energy_queue: ArrayLike,
    ) -> None:
        self.critic = critic
        self._frame = critic.check_frame(gain, data_queue, energy_queue)
        self.gain, self.data_queue, self.energy_queue = self._frame
        for row in (self.gain, self.data_queue, self.energy_queue):
            row.flags.writeable = False

    @property
    def num_devices(self) -> int:
        """N."""
        return self.critic.num_devices

    def score(self, decisions: ArrayLike) -> Floats:
        """Return the objectives `[K]` of decisions `[K, N]`: see `QueueingCritic.score`."""
        return self.critic.score_frame(self._frame, decisions)

    def allocate(self, decision: ArrayLike) -> QueueingAllocation:
        """Return the best allocation of a decision `[N]`: see `QueueingCritic.allocate`."""
        return self.critic.allocate_frame(self._frame, decision)

    def climb(self, decision: ArrayLike) -> Climb:
        """Return what local search makes of a decision `[N]`: see `QueueingCritic.climb`."""
        return self.critic.climb_frame(self._frame, decision)
