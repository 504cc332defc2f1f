"""The optimal decision of wireless powered MEC, with a certificate, for any N."""

import math
import time
from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from droo_core.arrays import Floats, Ints
from droo_core.validation import in_range
from env.common.local_search import coordinate_descent
from env.common.parallel import solve_blocks, solve_frames
from env.problem import Frame
from env.wpmec.critic import WPMECCritic, WPMECFrame
from env.wpmec.frame_like import WPMECFrameLike, wpmec_frame
from env.wpmec.kernels import search
from env.wpmec.kernels.nodes import BOUND, HEAP

SLICE = 6000  # nodes times devices searched between two looks at the clock: some milliseconds
ROOM = 16  # number of nodes for which there is room at first


class CertifiedDecision(NamedTuple):
    """A decision with a certificate.

    Attributes:
        decision: `[N]`.
        computation_rate: its weighted sum computation rate, bit/s.
        upper_bound: on the rate of every decision, bit/s, up to rounding (about 1e-13 of it).
        gap: `upper_bound / computation_rate - 1`.
        stopped_by: "gap" if the requested gap was reached, "time" if the time limit was.
    """

    decision: Ints
    computation_rate: float
    upper_bound: float
    gap: float
    stopped_by: Literal["gap", "time"]

    @property
    def reward(self) -> float:
        """Score of the decision: `computation_rate`."""
        return self.computation_rate


class CertifiedFrames(NamedTuple):
    """Decisions of many frames with certificates, those of `CertifiedDecision`; `[T]` each.

    Attributes:
        decisions: `[T, N]`.
        computation_rates: their weighted sum computation rates, bit/s.
        upper_bounds: on the rate of every decision, bit/s.
        gaps: `upper_bounds / computation_rates - 1`.
        timed_out: whether the time limit was reached, not the requested gap.
    """

    decisions: Ints
    computation_rates: Floats
    upper_bounds: Floats
    gaps: Floats
    timed_out: NDArray[np.bool_]

    def each(self) -> list[CertifiedDecision]:
        """Return the decisions one by one."""
        columns = (values.tolist() for values in self[1:])
        return [
            CertifiedDecision(decision, rate, bound, gap, "time" if late else "gap")
            for decision, rate, bound, gap, late in zip(self.decisions, *columns, strict=True)
        ]


class OpenNodes(NamedTuple):
    """Nodes of a search that is not finished.

    Attributes:
        number: how many there are.
        fixed: their partial decisions, the first rows of `[M, N]`.
        nodes: the first rows of `[M, 5]`, as in the kernel.
    """

    number: int
    fixed: NDArray[np.int8]
    nodes: Floats


def certified_optimum(
    frame: WPMECFrameLike, *, gap: float = 1e-10, time_limit: float | None = None
) -> CertifiedDecision:
    """Return the optimal decision of a frame of wireless powered MEC, for any N, weights and SNR.

    Branch and bound. A price v of time separates the devices and bounds every decision:

        D(v) = max_a  v (1 - a) + sum_i max(c_i a^(1/3), a g_i(v))

    for a in [0, 1]. The bound is lowered over v; where it is not tight, the search branches on
    devices and on intervals of the energy time a. Devices whose other choice cannot reach the best
    decision found are fixed, and so are devices that an exchange argument proves to follow
    others: below an SNR of about e^6, those of one weight offload from the largest gain down.
    docs/solver.md has the mathematics.

    Args:
        frame: a `WirelessPoweredMEC` or `WPMECFrame`.
        gap: relative gap at which to stop.
        time_limit: seconds after which to stop with the best decision so far; None sets no limit.
            Frames that are not solved within the first milliseconds are also searched by
            `coordinate_descent`, before the limit is checked.

    Raises:
        TypeError: if `frame` is of another problem.
        ValueError: if `gap` is not in [1e-12, 1], below which rounding would decide, or
            `time_limit` is negative.
        ArithmeticError: if the gains, weights or constants are far outside the physical range.
    """
    checked = wpmec_frame(frame)
    _check(gap, time_limit)
    gains = checked.critic.check_gain(checked.gain)[None]
    return _certified(checked.critic, gains, gap, time_limit).each()[0]


def certify_frames(
    critic: WPMECCritic,
    gains: ArrayLike,
    *,
    gap: float = 1e-10,
    time_limit: float | None = None,
    jobs: int = 1,
    description: str | None = None,
) -> CertifiedFrames:
    """Return the certified optimum of each of many frames with the same weights.

    The results are those of `certified_optimum`; frames are searched one after another in compiled
    code.

    Args:
        critic: of the frames.
        gains: channel gains `[T, N]`.
        gap: as for `certified_optimum`.
        time_limit: as for `certified_optimum`, seconds per frame.
        jobs: number of joblib processes; -1 takes all cores.
        description: of a progress bar, shown on terminals only; None shows none.

    Raises:
        TypeError: if `gains` holds anything but real numbers.
        ValueError: if the gains are not non-negative and finite of that shape, or `gap` or
            `time_limit` is out of range.
        ArithmeticError: if gains, weights or constants are far outside the physical range.
    """
    gains = in_range("gains", gains, 0, np.inf, ("T", critic.num_devices))
    _check(gap, time_limit)
    solve = partial(_certified, critic, gap=gap, time_limit=time_limit)
    found = solve_blocks(solve, gains, jobs=jobs, description=description)
    return CertifiedFrames(*(np.concatenate(values) for values in zip(*found, strict=True)))


def certified_optima(
    frames: Sequence[WPMECFrameLike],
    *,
    gap: float = 1e-10,
    time_limit: float | None = None,
    jobs: int = 1,
    description: str | None = None,
) -> list[CertifiedDecision]:
    """Return the certified optimum of each of many frames.

    Frames of one problem are certified faster by `certify_frames`, from an array of their gains.

    Args:
        frames: of wireless powered MEC.
        gap: as for `certified_optimum`.
        time_limit: as for `certified_optimum`, seconds per frame.
        jobs: number of joblib processes; -1 takes all cores.
        description: of a progress bar, shown on terminals only; None shows none.

    Raises:
        TypeError: if a frame is of another problem.
        ValueError: if `gap` or `time_limit` is out of range.
        ArithmeticError: if gains, weights or constants are far outside the physical range.
    """
    solve = partial(certified_optimum, gap=gap, time_limit=time_limit)
    return solve_frames(solve, frames, jobs=jobs, description=description)


def optimum(frame: Frame) -> Ints:
    """Return the optimal decision `[N]` of a frame of wireless powered MEC: `certified_optimum`.

    Raises:
        TypeError: if `frame` is of another problem.
        ArithmeticError: if the gains, weights or constants are far outside the physical range.
    """
    return certified_optimum(wpmec_frame(frame)).decision


def _check(gap: float, time_limit: float | None) -> None:
    """Check arguments.

    Raises:
        ValueError: if one is out of range.
    """
    in_range("gap", gap, 1e-12, 1, ())
    if time_limit is not None:
        in_range("time_limit", time_limit, 0, math.inf, ())


def _certified(
    critic: WPMECCritic, gains: Floats, gap: float, time_limit: float | None
) -> CertifiedFrames:
    """Return the certified optimum of each frame; the arguments, `gains` `[T, N]`, are valid.

    Raises:
        ArithmeticError: if gains, weights or constants are far outside the physical range.
    """
    num_frames, n = gains.shape
    decisions, rates = np.zeros((num_frames, n), np.int64), np.empty(num_frames)
    gaps, timed_out = np.full(num_frames, gap), np.zeros(num_frames, np.bool_)
    t = 0
    while t < num_frames:
        finished, open_nodes = _search(critic, gains[t:], gap, decisions[t:], rates[t:])
        t += finished
        if open_nodes.number > 0:
            gaps[t], timed_out[t] = _search_on(
                critic, gains[t], gap, time_limit, decisions[t], rates[t : t + 1], open_nodes
            )
            t += 1
    gaps[rates == 0.0] = 0.0
    return CertifiedFrames(decisions, rates, rates * (1 + gaps), gaps, timed_out)


def _search_on(
    critic: WPMECCritic,
    gain: Floats,
    gap: float,
    time_limit: float | None,
    decision: Ints,
    rate: Floats,
    open_nodes: OpenNodes,
) -> tuple[float, bool]:
    """Continue the search of a hard frame, whose gap may take long to close.

    Args:
        critic: of the frame.
        gain: channel gains `[N]`.
        gap: relative gap at which to stop.
        time_limit: in seconds; None sets no limit.
        decision: best decision `[N]`, in and out.
        rate: its rate `[1]`, in and out.
        open_nodes: nodes not yet searched.

    Returns:
        The gap reached, and whether the time limit was.
    """
    start, frame = time.perf_counter(), WPMECFrame(critic, gain)
    found = np.array([coordinate_descent(frame), coordinate_descent(frame, decision)])
    decision[:] = found[frame.score(found).argmax()]
    while True:
        _, open_nodes = _search(critic, gain[None], gap, decision[None], rate, open_nodes)
        if open_nodes.number == 0:
            return gap, False
        if time_limit is not None and time.perf_counter() - start >= time_limit:
            break
    # Discarded nodes are bounded by the requested gap, open nodes by their own bounds.
    bounds = open_nodes.nodes[: open_nodes.number, BOUND]
    return float(bounds.max()) / float(rate[0]) - 1, True


def _search(
    critic: WPMECCritic,
    gains: Floats,
    gap: float,
    decisions: Ints,
    rates: Floats,
    open_nodes: OpenNodes | None = None,
) -> tuple[int, OpenNodes]:
    """Search frames, each for some milliseconds at most, until one is not finished.

    Args:
        critic: of the frames.
        gains: channel gains `[T, N]`.
        gap: relative gap at which to stop.
        decisions: best decisions `[T, N]`, in and out.
        rates: their rates `[T]`, out.
        open_nodes: of the first frame; None begins its search.

    Returns:
        The number of frames finished, and the open nodes of the frame after these.

    Raises:
        ArithmeticError: if gains, weights or constants are far outside the physical range.
    """
    n = gains.shape[1]
    number, fixed, nodes = open_nodes or OpenNodes(
        0, np.empty((ROOM, n), np.int8), np.empty((ROOM, HEAP + 1))
    )
    max_nodes = max(1, SLICE // n)
    finished, number, fixed, nodes = search.branch_and_bound(
        gains, *critic.kernel_arguments, gap, max_nodes, rates, decisions, fixed, nodes, number
    )
    if finished < len(gains) and math.isnan(rates[finished]):
        raise ArithmeticError("the gains, weights or constants are beyond the range of numbers")
    return finished, OpenNodes(number, fixed, nodes)
