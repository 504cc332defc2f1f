"""The optimal decision: with a certificate for any N, or by scoring all 2^N."""

import itertools
import math
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from tqdm import tqdm

from droo_core.validation import in_range
from env.common.local_search import coordinate_descent
from env.common.schemes import WPMECFrameLike, critic_and_gain
from env.problem import Frame, Ints
from env.wpmec.kernels import search as kernels
from env.wpmec.kernels.bound import UNDECIDED

MAX_BATCH = 250  # frames that a process gets at a time
MAX_ENUMERATED = 20  # devices
SLICE = 6000  # nodes times devices between two looks at the clock: some milliseconds


class CertifiedDecision(NamedTuple):
    """A decision, and a proof of how good it is.

    Attributes:
        decision: `[N]`.
        computation_rate: its weighted sum computation rate, bit/s.
        upper_bound: no decision has a higher one, bit/s, but for rounding (about 1e-13 of it).
        gap: `upper_bound / computation_rate - 1`.
        stopped_by: "gap" if the gap asked for was reached, "time" if the time was over.
    """

    decision: Ints
    computation_rate: float
    upper_bound: float
    gap: float
    stopped_by: Literal["gap", "time"]


def certified_optimum(
    frame: WPMECFrameLike, *, gap: float = 1e-10, time_limit: float | None = None
) -> CertifiedDecision:
    """Return the optimal decision of a frame of wireless powered MEC, for any N, weights and SNR.

    Bound and branch. A price v of time leaves each device to itself and bounds every decision:

        D(v) = max_a  v (1 - a) + sum_i max(c_i a^(1/3), a g_i(v))

    for a in [0, 1]. The bound is lowered over v; where it is not tight, the search branches on
    devices and on intervals of the energy time a. Devices whose other choice cannot reach the best
    decision found are fixed, and so are devices that an exchange of places proves to follow
    others: below an SNR of about e^6, those of one weight offload from the largest gain down.
    docs/solver.md has the mathematics.

    Args:
        frame: a `WirelessPoweredMEC` or `WPMECFrame`.
        gap: the relative gap to stop at.
        time_limit: seconds after which to stop with the best so far; None sets no limit. Frames
            that are not solved in the first milliseconds are also given to `coordinate_descent`,
            before the limit is looked at.

    Raises:
        TypeError: if `frame` is of another problem.
        ValueError: if `gap` is not in [1e-12, 1], below which rounding would decide, or
            `time_limit` is negative.
        ArithmeticError: if the gains, weights or constants are far outside the physical range.
    """
    critic, gain = critic_and_gain(frame)
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
        if part == 0:  # a hard frame: the bound may take long, and a local search decides better
            found = [coordinate_descent(frame), coordinate_descent(frame, decision)]
            decision = found[frame.score(np.array(found)).argmax()].astype(np.int8)
        elif time_limit is not None and time.perf_counter() - start >= time_limit:
            stopped_by = "time"
            break
    # What was not pursued is bounded by the gap asked for; what is left open, by its own bound.
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
        time_limit: likewise, for each frame.
        jobs: processes, spread over by joblib; -1 takes all cores.
        description: of a progress bar, shown on terminals; None shows none.

    Raises:
        TypeError: if a frame is of another problem.
        ValueError: if `gap` or `time_limit` is out of range.
        ArithmeticError: if gains, weights or constants are far outside the physical range.
    """
    solve = partial(certified_optimum, gap=gap, time_limit=time_limit)
    found: Iterable[CertifiedDecision] = map(solve, frames)
    if effective_n_jobs(jobs) > 1:
        size = max(1, min(MAX_BATCH, len(frames) // (4 * effective_n_jobs(jobs))))
        parallel = Parallel(n_jobs=jobs, batch_size=size, return_as="generator")
        found = parallel(delayed(solve)(frame) for frame in frames)
    disable = True if description is None else None  # None: no bar where there is no terminal
    return list(tqdm(found, description, len(frames), unit="frame", leave=False, disable=disable))


def optimum(frame: WPMECFrameLike) -> Ints:
    """Return the optimal decision `[N]` of a frame of wireless powered MEC: `certified_optimum`."""
    return certified_optimum(frame).decision


def full_enumeration(frame: Frame) -> Ints:
    """Return the optimal decision `[N]` of any problem, by scoring all 2^N.

    Raises:
        ValueError: if N > 20.
    """
    n = frame.num_devices
    if n > MAX_ENUMERATED:
        raise ValueError(f"num_devices must be at most {MAX_ENUMERATED} to enumerate, got {n}")
    decisions = np.array(list(itertools.product((0, 1), repeat=n)))
    best: Ints = decisions[np.argmax(frame.score(decisions))]
    return best
