"""The critic of multi-slot MEC with queues: scores decisions by drift plus penalty."""

from numpy.typing import ArrayLike

from droo_core.arrays import Floats
from droo_core.validation import binary
from env.common.local_search import LocalOptimum
from env.queueing.bases import CheckedFrame, Critic, QueueingAllocation, check_solved
from env.queueing.kernels import allocation, search


class QueueingFrame(CheckedFrame):
    """One time frame by itself, which the schemes of `env.schemes` take like an environment.

    Args:
        critic: of the problem.
        gain: channel gains h `[N]`.
        data_queue: Q `[N]`, Mbit.
        energy_queue: Y `[N]`.

    Raises:
        TypeError: if a value holds anything but real numbers.
        ValueError: if its shape differs, or an entry is negative, NaN or infinite.
    """

    _kernels = allocation

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
        """Change the one device whose change gains most, again and again, until none gains.

        The compiled form of `env.schemes.coordinate_descent`.

        Args:
            decision: initial decision `[N]`.

        Returns:
            The decision reached, its objective, and the number of decisions scored.

        Raises:
            ValueError: if the decision has another shape or is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
        """
        climbed = binary("decision", decision, (self.num_devices,)).copy()
        objective, scored, outcome = search.climb(
            self.array, *self.critic.kernel_arguments, climbed
        )
        check_solved(outcome, "decision", climbed)
        return LocalOptimum(climbed, objective, scored)

    def outlook(self) -> Floats:
        """Return each device's prospect of being offloaded `[3, N]`.

        The rows are: the largest price of time at which the device gains by offloading instead of
        computing locally, 0 if it never does; its airtime at that price, s; and the sum of the
        airtimes of the devices with a higher price, s.
        """
        return search.outlook(self.array, *self.critic.kernel_arguments)


class QueueingCritic(Critic):
    """Scores binary decisions by drift plus penalty: the frame's problem of LyDROO, exactly.

    For given gains h, data queues Q, virtual energy queues Y and decision x, with a = Q + V w,
    maximise over local frequencies f, offloading times tau and powers p

        sum_i a_i r_i - c Y_i e_i,   r_i <= Q_i,   sum tau <= 1

        r_i = f_i / phi,   e_i = kappa f_i^3,   f_i <= f_max                        (x_i = 0)
        r_i = W tau_i / v_u log2(1 + p_i h_i / N0),   e_i = p_i tau_i,   p_i <= P_max    (x_i = 1)

    (LyDROO, problem P4.) `env.queueing.kernels.devices` explains how: a fractional knapsack with
    closed forms, no linear program. The values are right to about 1e-12.

    Args:
        weights: w `[N]`, positive.
        parameters: the constants; None takes the paper's.

    Attributes:
        weights: as given, read-only.
        parameters: as given.
        kernel_arguments: kernel arguments derived from both.

    Raises:
        ValueError: if a weight is not positive and finite.
    """

    def frame(
        self, gain: ArrayLike, data_queue: ArrayLike, energy_queue: ArrayLike
    ) -> QueueingFrame:
        """Return the frame with these gains and queues: see `QueueingFrame`."""
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
            TypeError: if an argument holds anything but real numbers.
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
        """Return the best allocation of one decision `[N]`.

        The other arguments and the errors are those of `score`.
        """
        return self.frame(gain, data_queue, energy_queue).allocate(decision)
