"""The optimal decision of a frame of multi-slot MEC with queues, for any N."""

from typing import NamedTuple

import numpy as np

from droo_core.validation import positive_int
from env.problem import Ints
from env.queueing.critic import QueueingCritic, QueueingFrame
from env.queueing.environment import QueueingMEC
from env.queueing.kernels import allocation as queueing_kernels
from env.queueing.kernels import search as queueing_search_kernels


class CertifiedLyapunovDecision(NamedTuple):
    """A decision, and a proof of how good it is.

    Attributes:
        decision: `[N]`.
        objective: of drift plus penalty, Mbit^2.
        upper_bound: no decision has a higher one, but for about 1e-11 of it.
        gap: `upper_bound / objective - 1`.
        nodes: how many nodes the search looked at.
    """

    decision: Ints
    objective: float
    upper_bound: float
    gap: float
    nodes: int


def certified_lyapunov_optimum(
    frame: QueueingMEC | QueueingFrame, *, max_nodes: int = 1_000_000
) -> CertifiedLyapunovDecision:
    """Return the decision with the largest objective of LyDROO's problem P4, for any N.

    Branch and bound. At a price of time every device decides by itself, and at the best price all
    but one, which is served in part, do so as in a decision: that bounds all decisions, and the
    search branches on that device. `queueing_search_kernels` tells how. A few nodes are enough,
    whatever N is; many devices that are nearly alike may take more.

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
    if not isinstance(frame, QueueingFrame):
        frame = critic.frame(frame.gain, frame.data_queue, frame.energy_queue)
    decision = np.zeros(critic.num_devices, dtype=np.int64)
    objective, bound, nodes, outcome = queueing_search_kernels.branch_and_bound(
        frame.array, *critic.kernel_arguments, max_nodes, decision
    )
    if outcome != queueing_kernels.SOLVED:
        raise ArithmeticError("the price of time was not found: the numbers are far out of range")
    gap = bound / objective - 1 if objective > 0 else 0.0
    return CertifiedLyapunovDecision(decision, objective, bound, gap, nodes)


def lyapunov_optimum(frame: QueueingMEC | QueueingFrame) -> Ints:
    """Return the optimal decision `[N]` of a frame: see `certified_lyapunov_optimum`."""
    return certified_lyapunov_optimum(frame).decision
