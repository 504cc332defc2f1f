"""The optimal decision of multi-slot MEC with queues, with a certificate, for any N."""

from typing import NamedTuple, cast

import numpy as np

from droo_core.arrays import Ints
from droo_core.validation import positive_int
from env.problem import Frame
from env.queueing.bases import check_solved
from env.queueing.critic import QueueingCritic, QueueingFrame
from env.queueing.environment import QueueingMEC
from env.queueing.kernels import search


class CertifiedLyapunovDecision(NamedTuple):
    """A decision with a certificate.

    Attributes:
        decision: `[N]`.
        objective: its drift plus penalty, Mbit^2.
        upper_bound: on the objective of every decision, up to about 1e-11 of it.
        gap: `upper_bound / objective - 1`.
        nodes: number of nodes searched.
    """

    decision: Ints
    objective: float
    upper_bound: float
    gap: float
    nodes: int

    @property
    def reward(self) -> float:
        """Score of the decision: `objective`."""
        return self.objective


def certified_lyapunov_optimum(
    frame: QueueingMEC | QueueingFrame, *, max_nodes: int = 1_000_000
) -> CertifiedLyapunovDecision:
    """Return the decision with the largest objective of LyDROO's problem P4, for any N.

    Branch and bound. At a price of time every device decides by itself, and at the best price all
    but one, which is served in part, do so as in a decision: that bounds all decisions, and the
    search branches on that device: see `env.queueing.kernels.search`. A few nodes are enough,
    whatever N is; many devices that are nearly alike may take more.

    Args:
        frame: a `QueueingMEC` (of `gymnasium.make`: its `.unwrapped`) or a `QueueingFrame`.
        max_nodes: number of nodes after which to stop with the best decision and bound so far.

    Raises:
        TypeError: if `frame` is of another problem, or `max_nodes` is not an integer.
        ValueError: if `max_nodes` is below 1, or a gain or queue is negative, NaN or infinite.
        ArithmeticError: if numbers are so far out of range that there is no solution.
    """
    max_nodes = positive_int("max_nodes", max_nodes)
    checked = _queueing_frame(frame)
    decision = np.zeros(checked.num_devices, dtype=np.int64)
    objective, bound, nodes, outcome = search.branch_and_bound(
        checked.array, *checked.critic.kernel_arguments, max_nodes, decision
    )
    check_solved(outcome, "decision", decision)
    gap = bound / objective - 1 if objective > 0 else 0.0
    return CertifiedLyapunovDecision(decision, objective, bound, gap, nodes)


def lyapunov_optimum(frame: Frame) -> Ints:
    """Return the optimal decision `[N]` of a frame: see `certified_lyapunov_optimum`.

    Raises:
        TypeError: if `frame` is of another problem.
        ArithmeticError: if numbers are so far out of range that there is no solution.
    """
    return certified_lyapunov_optimum(_queueing_frame(frame)).decision


def _queueing_frame(frame: Frame) -> QueueingFrame:
    """Return the frame by itself of an environment, or the frame itself.

    Raises:
        TypeError: if it is of another problem.
    """
    if isinstance(frame, QueueingFrame):
        return frame
    critic = getattr(frame, "critic", None)
    if not isinstance(critic, QueueingCritic):
        raise TypeError(
            "frame must be a QueueingMEC with allocation lyapunov (of gymnasium.make: its "
            f".unwrapped) or a QueueingFrame, got {type(frame).__name__}"
        )
    waiting = cast(QueueingMEC, frame)
    return critic.frame(waiting.gain, waiting.data_queue, waiting.energy_queue)
