"""The optimal decision of multi-slot MEC with queues, with a certificate, for any N."""

import math
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike

from droo_core.arrays import Floats, Ints
from droo_core.validation import in_range, positive_int
from env.problem import Frame
from env.queueing.bases import Critic, check_solved
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


class CertifiedLyapunovFrames(NamedTuple):
    """Decisions of many frames with certificates: those of `CertifiedLyapunovDecision`, `[T]` each.

    Attributes:
        decisions: `[T, N]`.
        objectives: their drift plus penalty, Mbit^2.
        upper_bounds: on the objective of every decision.
        gaps: `upper_bounds / objectives - 1`.
        nodes: numbers of nodes searched.
    """

    decisions: Ints
    objectives: Floats
    upper_bounds: Floats
    gaps: Floats
    nodes: Ints


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
    checked = _queueing_frame(frame)
    found = _certified(checked.critic, checked.array[None], positive_int("max_nodes", max_nodes))
    decision, *others = (values[0] for values in found)
    return CertifiedLyapunovDecision(decision, *(value.item() for value in others))


def certify_lyapunov_frames(
    critic: QueueingCritic,
    gains: ArrayLike,
    data_queues: ArrayLike,
    energy_queues: ArrayLike,
    *,
    max_nodes: int = 1_000_000,
) -> CertifiedLyapunovFrames:
    """Return the certified optimum of each of many frames with the same weights.

    The results are those of `certified_lyapunov_optimum`; the frames are searched in one call of
    compiled code.

    Args:
        critic: of the frames.
        gains: channel gains h `[T, N]`.
        data_queues: Q `[T, N]`, Mbit.
        energy_queues: Y `[T, N]`.
        max_nodes: as for `certified_lyapunov_optimum`, for each frame.

    Raises:
        TypeError: if an array holds anything but real numbers, or `max_nodes` is not an integer.
        ValueError: if `max_nodes` is below 1, a shape differs, or a gain or queue is negative, NaN
            or infinite.
        ArithmeticError: if numbers are so far out of range that there is no solution.
    """
    max_nodes = positive_int("max_nodes", max_nodes)
    first = in_range("gains", gains, 0, math.inf, ("T", critic.num_devices))
    others = {"data_queues": data_queues, "energy_queues": energy_queues}
    rows = [in_range(name, value, 0, math.inf, first.shape) for name, value in others.items()]
    return _certified(critic, np.stack([first, *rows], axis=1), max_nodes)


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


def _certified(critic: Critic, frames: Floats, max_nodes: int) -> CertifiedLyapunovFrames:
    """Return the certified optimum of each of the frames `[T, 3, N]`, which are valid.

    Raises:
        ArithmeticError: if numbers are so far out of range that there is no solution.
    """
    decisions = np.zeros((len(frames), critic.num_devices), np.int64)
    objectives, bounds = np.empty(len(frames)), np.empty(len(frames))
    nodes = np.empty(len(frames), np.int64)
    outcome = search.branch_and_bound(
        frames, *critic.kernel_arguments, max_nodes, decisions, objectives, bounds, nodes
    )
    check_solved(outcome, "decision", decisions)
    positive = objectives > 0
    gaps = np.where(positive, bounds / np.where(positive, objectives, 1.0) - 1, 0.0)
    return CertifiedLyapunovFrames(decisions, objectives, bounds, gaps, nodes)
