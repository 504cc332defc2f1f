"""Allocations, and the bases of both critics of multi-slot MEC and of their frames."""

import math
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from droo_core.arrays import Floats, Ints
from droo_core.validation import binary, in_range, not_binary, real
from env.common import local_search
from env.common.critic import WeightedCritic
from env.common.display import device_table
from env.common.local_search import LocalOptimum
from env.queueing.kernels import allocation
from env.queueing.parameters import QueueingParameters


class QueueingAllocation(NamedTuple):
    """Best resource allocation of one decision in a frame of a second.

    Attributes:
        objective: the decision's score.
        rate: computed data of each device `[N]`, Mbit.
        energy: energy used by each device `[N]`, J.
        frequency: processor frequencies `[N]`, cycles/s; 0 where a device offloads.
        offload_time: offloading times `[N]`, s; 0 where a device computes locally.
        power: transmit powers `[N]`, W; 0 where a device computes locally.
        time_price: marginal value of offloading time, objective per s.
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


class Critic(WeightedCritic):
    """Base of the critics of MEC with queues: devices with weights, and constants."""

    def __init__(self, weights: ArrayLike, parameters: QueueingParameters | None = None) -> None:
        super().__init__(weights)
        self.parameters = parameters or QueueingParameters()
        self.kernel_arguments = (self.weights, self.parameters.constants)


class CheckedFrame:
    """Base of the frames: three quantities of each device, checked once.

    Args:
        critic: of the problem.
        **values: channel gains, data queues (Mbit), and energy queues or budgets (J), by name,
            `[N]` each.

    Attributes:
        critic: the argument.
        array: the values `[3, N]`, a kernel argument; not to be written to.

    Raises:
        TypeError: if a value holds anything but real numbers.
        ValueError: if its shape differs, or an entry is negative, NaN or infinite.
    """

    _kernels: ModuleType

    def __init__(self, critic: Critic, **values: ArrayLike) -> None:
        self.critic = critic
        self.array = np.empty((len(values), critic.num_devices))
        for row, (name, given) in zip(self.array, values.items(), strict=True):
            row[:] = real(name, given, row.shape)
        if not allocation.is_valid(self.array):  # takes a tenth of the time of `in_range`
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
        """Return the score `[K]` of each decision `[K, N]`, zeros (local) and ones (offload).

        Raises:
            ValueError: if a decision has another shape or is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
        """
        checked = binary("decisions", decisions, ("K", self.num_devices))
        values = np.empty(len(checked))
        outcome = self._kernels.score(self.array, *self.critic.kernel_arguments, checked, values)
        check_solved(outcome, "decisions", checked)
        return values

    def allocate(self, decision: ArrayLike) -> QueueingAllocation:
        """Return the best allocation of a decision `[N]`; the errors are those of `score`."""
        checked = binary("decision", decision, (self.num_devices,))
        rows = np.empty((5, self.num_devices))
        objective, price, outcome = self._kernels.allocate(
            self.array, *self.critic.kernel_arguments, checked, rows
        )
        check_solved(outcome, "decision", checked)
        rate, energy, frequency, offload_time, power = rows
        return QueueingAllocation(objective, rate, energy, frequency, offload_time, power, price)

    def climb(self, decision: ArrayLike) -> LocalOptimum:
        """Change the one device whose change gains most, again and again, until none gains.

        This is `env.schemes.coordinate_descent`.

        Args:
            decision: initial decision `[N]`.

        Returns:
            The decision reached, its score, and the number of decisions scored.

        Raises:
            ValueError: if the decision has another shape or is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
        """
        return local_search.climb(self, decision)

    def _row(self, number: int) -> Floats:
        row: Floats = self.array[number]
        row.flags.writeable = False
        return row


def check_solved(outcome: int, name: str, decisions: Ints) -> None:
    """Check the outcome that a kernel returned.

    Raises:
        ValueError: if it stands for a decision that is not binary.
        ArithmeticError: if there is no solution.
    """
    if outcome == allocation.NOT_BINARY:
        raise not_binary(name, decisions)
    if outcome != allocation.SOLVED:
        raise ArithmeticError("the price of time was not found: the numbers are far out of range")
