"""The myopic critic of multi-slot MEC: scores decisions by the data computed in this frame."""

from numpy.typing import ArrayLike

from droo_core.arrays import Floats
from env.queueing.bases import CheckedFrame, Critic, QueueingAllocation
from env.queueing.kernels import myopic as myopic_kernels


class MyopicFrame(CheckedFrame):
    """One frame of the myopic problem by itself: see `MyopicCritic`.

    Args:
        critic: of the problem.
        gain: channel gains h `[N]`.
        data_queue: Q `[N]`, Mbit.
        energy_left: B, the energy that each device may use in this frame `[N]`, J.

    Raises:
        TypeError: if a value holds anything but real numbers.
        ValueError: if its shape differs, or an entry is negative, NaN or infinite.
    """

    _kernels = myopic_kernels

    def __init__(
        self,
        critic: "MyopicCritic",
        gain: ArrayLike,
        data_queue: ArrayLike,
        energy_left: ArrayLike,
    ) -> None:
        super().__init__(critic, gain=gain, data_queue=data_queue, energy_left=energy_left)


class MyopicCritic(Critic):
    """Scores binary decisions by the data computed in this frame alone, within energy budgets.

    The myopic scheme of the LyDROO paper: it maximises sum w_i r_i with e_i <= B_i under the
    constraints of `QueueingCritic`. The data queues matter only as limits on the computed data.

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

    def frame(self, gain: ArrayLike, data_queue: ArrayLike, energy_left: ArrayLike) -> MyopicFrame:
        """Return the frame with these gains, queues and budgets: see `MyopicFrame`."""
        return MyopicFrame(self, gain, data_queue, energy_left)

    def score(
        self, gain: ArrayLike, data_queue: ArrayLike, energy_left: ArrayLike, decisions: ArrayLike
    ) -> Floats:
        """Return the weighted sum of the data that each decision computes.

        Args:
            gain: channel gains h `[N]`.
            data_queue: Q `[N]`, Mbit.
            energy_left: B, the energy that each device may use in this frame `[N]`, J.
            decisions: zeros (compute locally) and ones (offload) `[K, N]`.

        Returns:
            Weighted sums `[K]`, Mbit.

        Raises:
            TypeError: if an argument holds anything but real numbers.
            ValueError: if a shape differs, a gain, queue or budget is negative, NaN or infinite, or
                a decision is not binary.
        """
        return self.frame(gain, data_queue, energy_left).score(decisions)

    def allocate(
        self, gain: ArrayLike, data_queue: ArrayLike, energy_left: ArrayLike, decision: ArrayLike
    ) -> QueueingAllocation:
        """Return the best allocation of one decision `[N]`.

        The other arguments and the errors are those of `score`.
        """
        return self.frame(gain, data_queue, energy_left).allocate(decision)
