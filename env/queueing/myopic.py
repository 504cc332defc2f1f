"""The myopic critic of multi-slot MEC: what a binary decision computes in this frame alone."""

from numpy.typing import ArrayLike

from env.queueing.critic import CheckedFrame, Critic, Floats, QueueingAllocation
from env.queueing.kernels import myopic as myopic_kernels


class MyopicFrame(CheckedFrame):
    """One frame of `MyopicCritic`'s.

    Args:
        critic: of the problem.
        gain: channel gains h `[N]`.
        data_queue: Q `[N]`, Mbit.
        energy_left: B, the energy that each device may use in this frame `[N]`, J.

    Raises:
        TypeError: if one of these holds no real numbers.
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

    def frame(self, gain: ArrayLike, data_queue: ArrayLike, energy_left: ArrayLike) -> MyopicFrame:
        """Return a frame, checked once for all that is to be asked of it; see `MyopicFrame`."""
        return MyopicFrame(self, gain, data_queue, energy_left)

    def score(
        self, gain: ArrayLike, data_queue: ArrayLike, energy_left: ArrayLike, decisions: ArrayLike
    ) -> Floats:
        """Return the weighted sum of what each decision computes.

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
        return self.frame(gain, data_queue, energy_left).score(decisions)

    def allocate(
        self, gain: ArrayLike, data_queue: ArrayLike, energy_left: ArrayLike, decision: ArrayLike
    ) -> QueueingAllocation:
        """Return the best allocation of one decision `[N]`; the rest is as for `score`."""
        return self.frame(gain, data_queue, energy_left).allocate(decision)
