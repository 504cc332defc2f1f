"""The optimal decision of wireless powered MEC, with a certificate, for any N."""

import itertools
import math
import time
from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from droo_core.arrays import Ints
from droo_core.validation import in_range
from env.common.local_search import coordinate_descent
from env.common.parallel import solve_frames
from env.problem import Frame
from env.wpmec.frame_like import WPMECFrameLike, wpmec_frame
from env.wpmec.kernels import search as kernels
from env.wpmec.kernels.bound import UNDECIDED

SLICE = 6000  # nodes times devices searched between two looks at the clock: some milliseconds


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
    critic = checked.critic
    gain = critic.check_gain(checked.gain)
    in_range("gap", gap, 1e-12, 1, ())
    if time_limit is not None:
        in_range("time_limit", time_limit, 0, math.inf, ())
    if not gain.any():
        return CertifiedDecision(np.zeros(len(gain), dtype=np.int64), 0.0, 0.0, 0.0, "gap")
    start = time.perf_counter()
    decision = np.zeros(len(gain), dtype=np.int8)
    fixed = np.full((1, len(gain)), UNDECIDED, dtype=np.int8)
    nodes = np.array([[0.0, 1.0, 0.0, math.inf]])
    max_nodes = max(1, SLICE // len(gain))
    stopped_by: Literal["gap", "time"] = "gap"
    for part in itertools.count():
        rate, fixed, nodes = kernels.branch_and_bound(
            gain, *critic.kernel_arguments, gap, max_nodes, decision, fixed, nodes
        )
        if math.isnan(rate):
            raise ArithmeticError("the gains, weights or constants are beyond the range of numbers")
        if len(nodes) == 0:
            break
        if part == 0:  # a hard frame: closing the gap may take long, local search may do better
            found = [coordinate_descent(frame), coordinate_descent(frame, decision)]
            decision = found[frame.score(np.array(found)).argmax()].astype(np.int8)
        elif time_limit is not None and time.perf_counter() - start >= time_limit:
            stopped_by = "time"
            break
    # Discarded nodes are bounded by the requested gap, open nodes by their own bounds.
    reached = gap if len(nodes) == 0 else float(nodes[:, kernels.BOUND].max()) / rate - 1
    return CertifiedDecision(
        decision.astype(np.int64), rate, rate * (1 + reached), reached, stopped_by
    )


def certified_optima(
    frames: Sequence[WPMECFrameLike],
    *,
    gap: float = 1e-10,
    time_limit: float | None = None,
    jobs: int = 1,
    description: str | None = None,
) -> list[CertifiedDecision]:
    """Return the certified optimum of each of many frames.

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
