"""The optimal decision of a frame of multi-slot MEC with queues, for any N."""

from typing import NamedTuple, Protocol

import numpy as np

from env.resource_allocation import queueing_kernels, queueing_search_kernels
from env.resource_allocation.queueing import QueueingCritic
from env.schemes.interface import Floats, Frame, Ints
from env.validation import positive_int


class QueueingFrameLike(Frame, Protocol):
    """What the schemes made for this problem need: a `QueueingMEC` or a `QueueingFrame`."""

    @property
    def critic(self) -> object:
        """A `QueueingCritic`: the weights and constants."""

    @property
    def gain(self) -> Floats:
        """Channel gains `[N]`."""

    @property
    def data_queue(self) -> Floats:
        """Data queues `[N]`, Mbit."""

    @property
    def energy_queue(self) -> Floats:
        """Virtual energy queues `[N]`."""


class LyapunovOptimum(NamedTuple):
    """A decision, and a proof of how good it is.

    Attributes:
        decision: `[N]`.
        objective: of drift plus penalty, Mbit^2.
        upper_bound: no decision has a higher one, but for about 1e-11 of it.
        nodes: how many nodes the search looked at.
    """

    decision: Ints
    objective: float
    upper_bound: float
    nodes: int


def lyapunov_optimum(frame: QueueingFrameLike, *, max_nodes: int = 1_000_000) -> LyapunovOptimum:
    """Return the decision with the largest objective of LyDROO's problem P4, for any N.

    Bound and branch. At a price of time every device decides by itself, and at the best price all
    but one, which is served in part, do so as in a decision: that bounds all decisions, and the
    search branches on that device. `queueing_search_kernels` tells how. A few nodes are enough,
    whatever N is; many devices that are alike may take more.

    Args:
        frame: a `QueueingMEC` (of `gymnasium.make`: its `.unwrapped`) or a `QueueingFrame`.
        max_nodes: after so many the search stops with the best decision and bound so far.

    Raises:
        TypeError: if `frame` is of another problem, or `max_nodes` is not an integer.
        ValueError: if `max_nodes` is below 1, or a gain or queue is negative, NaN or infinite.
        ArithmeticError: if numbers are so far out of range that there is no solution.
    """
    max_nodes = positive_int("max_nodes", max_nodes)
    critic = getattr(frame, "critic", None)
    if not isinstance(critic, QueueingCritic):
        raise TypeError(
            "frame must be a QueueingMEC with allocation lyapunov (of gymnasium.make: its "
            f".unwrapped) or a QueueingFrame, got {type(frame).__name__}"
        )
    checked = critic.check_frame(frame.gain, frame.data_queue, frame.energy_queue)
    decision = np.zeros(critic.num_devices, dtype=np.int64)
    objective, bound, nodes, outcome = queueing_search_kernels.branch_and_bound(
        checked, *critic.kernel_arguments, max_nodes, decision
    )
    if outcome != queueing_kernels.SOLVED:
        raise ArithmeticError("the price of time was not found: the numbers are far out of range")
    return LyapunovOptimum(decision, objective, bound, nodes)


def lyapunov_exact(frame: QueueingFrameLike) -> Ints:
    """Return the decision `[N]` that `lyapunov_optimum` finds."""
    return lyapunov_optimum(frame).decision
