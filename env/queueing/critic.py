"""The critic of multi-slot MEC with queues: what a binary decision is worth, and how to do it."""

import math
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from droo_core.validation import binary, in_range, not_binary, real
from env.common.display import device_table
from env.queueing.kernels import allocation as queueing_kernels
from env.queueing.kernels import search as queueing_search_kernels

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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

    def _repr_html_(self) -> str:
        return device_table(
            f"objective {self.objective:.4g}, price of time {self.time_price:.4g}",
            {
                "computed (Mbit)": self.rate,
                "energy (J)": self.energy,
                "frequency (Mcycle/s)": self.frequency / 1e6,
                "offloading time (s)": self.offload_time,
                "power (W)": self.power,
            },
        )


class LocalOptimum(NamedTuple):
    """What local search came to.

    Attributes:
        decision: that no change of one device makes better `[N]`.
        objective: its score.
        scored: how many decisions were scored.
    """

    decision: Ints
    objective: float
    scored: int


class Critic:
    """What the critics of MEC with queues have in common: `QueueingCritic` and `MyopicCritic`.

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

    def __init__(self, weights: ArrayLike, parameters: QueueingParameters | None = None) -> None:
        self.weights = in_range("weights", weights, 0, math.inf, ("N",), open_low=True).copy()
        self.weights.flags.writeable = False
        self.parameters = parameters or QueueingParameters()
        self.kernel_arguments = (self.weights, self.parameters.constants)

    @property
    def num_devices(self) -> int:
        """N, the number of devices."""
        return len(self.weights)


class CheckedFrame:
    """What the frames of both critics have in common: `QueueingFrame` and `MyopicFrame`.

    Args:
        critic: of the problem.
        values: gains, data queues and what it is told of energy, by name, `[N]` each.

    Attributes:
        critic: the argument.
        array: the values, one below the other `[3, N]`, as the kernels want them; to be left alone.

    Raises:
        TypeError: if one holds no real numbers.
        ValueError: if its shape differs, or an entry is negative, NaN or infinite.
    """

    _kernels: ModuleType

    def __init__(self, critic: Critic, **values: ArrayLike) -> None:
        self.critic = critic
        self.array = np.empty((len(values), critic.num_devices))
        for row, (name, given) in zip(self.array, values.items(), strict=True):
            row[:] = real(name, given, row.shape)
        if not queueing_kernels.is_valid(self.array):  # in a tenth of the time of `in_range`
            for name, given in values.items():
                in_range(name, given, 0, math.inf)

    @property
    def num_devices(self) -> int:
        """N, the number of devices."""
        return self.critic.num_devices

    @property
    def gain(self) -> Floats:
        """Channel gains h `[N]`, read-only."""
        return self._row(0)

    @property
    def data_queue(self) -> Floats:
        """Data queues Q `[N]`, Mbit, read-only."""
        return self._row(1)

    def score(self, decisions: ArrayLike) -> Floats:
        """Return the value `[K]` of each decision `[K, N]`, zeros (local) and ones (offload).

        Raises:
            ValueError: if a decision has another shape or is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
        """
        checked = binary("decisions", decisions, ("K", self.num_devices))
        values = np.empty(len(checked))
        outcome = self._kernels.score(self.array, *self.critic.kernel_arguments, checked, values)
        if outcome != queueing_kernels.SOLVED:
            raise failure(outcome, "decisions", checked)
        return values

    def allocate(self, decision: ArrayLike) -> QueueingAllocation:
        """Return the best allocation of a decision `[N]`; the errors are those of `score`."""
        checked = binary("decision", decision, (self.num_devices,))
        rows = np.empty((5, self.num_devices))
        objective, price, outcome = self._kernels.allocate(
            self.array, *self.critic.kernel_arguments, checked, rows
        )
        if outcome != queueing_kernels.SOLVED:
            raise failure(outcome, "decision", checked)
        rate, energy, frequency, offload_time, power = rows
        return QueueingAllocation(objective, rate, energy, frequency, offload_time, power, price)

    def _row(self, number: int) -> Floats:
        row: Floats = self.array[number]
        row.flags.writeable = False
        return row


def failure(outcome: int, name: str, decisions: Ints) -> Exception:
    """Return what to raise where a kernel returned this outcome."""
    if outcome == queueing_kernels.NOT_BINARY:
        return not_binary(name, decisions)
    return ArithmeticError("the price of time was not found: the numbers are far out of range")


class QueueingFrame(CheckedFrame):
    """One frame of `QueueingCritic`'s: what a scheme of `env.schemes` takes in place of an env.

    Args:
        critic: of the problem.
        gain: channel gains h `[N]`.
        data_queue: Q `[N]`, Mbit.
        energy_queue: Y `[N]`.

    Raises:
        TypeError: if one of these holds no real numbers.
        ValueError: if its shape differs, or an entry is negative, NaN or infinite.
    """

    _kernels = queueing_kernels

    def __init__(
        self,
        critic: "QueueingCritic",
        gain: ArrayLike,
        data_queue: ArrayLike,
        energy_queue: ArrayLike,
    ) -> None:
        super().__init__(critic, gain=gain, data_queue=data_queue, energy_queue=energy_queue)

    @property
    def energy_queue(self) -> Floats:
        """Virtual energy queues Y `[N]`, read-only."""
        return self._row(2)

    def climb(self, decision: ArrayLike) -> LocalOptimum:
        """Change the one device whose change earns most, again and again, until none earns more.

        What `env.schemes.coordinate_descent` does, compiled.

        Args:
            decision: where to start `[N]`.

        Raises:
            ValueError: if the decision has another shape or is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
        """
        climbed = binary("decision", decision, (self.num_devices,)).copy()
        objective, scored, outcome = queueing_search_kernels.climb(
            self.array, *self.critic.kernel_arguments, climbed
        )
        if outcome != queueing_kernels.SOLVED:
            raise failure(outcome, "decision", climbed)
        return LocalOptimum(climbed, objective, scored)

    def outlook(self) -> Floats:
        """Return what the price of the frame's time means to each device by itself `[3, N]`.

        The price up to which it gains by offloading instead of computing locally, 0 if it never
        does; the time that it would take at that price, s; and the sum of the times of those that
        offload at a higher one.
        """
        return queueing_search_kernels.outlook(self.array, *self.critic.kernel_arguments)


class QueueingCritic(Critic):
    """Scores binary decisions by drift plus penalty: the frame's problem of LyDROO, exactly.

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

    def frame(
        self, gain: ArrayLike, data_queue: ArrayLike, energy_queue: ArrayLike
    ) -> QueueingFrame:
        """Return a frame, checked once for all that is to be asked of it; see `QueueingFrame`."""
        return QueueingFrame(self, gain, data_queue, energy_queue)

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
        return self.frame(gain, data_queue, energy_queue).score(decisions)

    def allocate(
        self,
        gain: ArrayLike,
        data_queue: ArrayLike,
        energy_queue: ArrayLike,
        decision: ArrayLike,
    ) -> QueueingAllocation:
        """Return the best allocation of one decision `[N]`; the rest is as for `score`."""
        return self.frame(gain, data_queue, energy_queue).allocate(decision)
