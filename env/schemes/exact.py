"""The optimal decision: with a certificate for any N, or by scoring all 2^N."""

import itertools
import math
import time
from typing import Literal, NamedTuple

import numpy as np

from env.resource_allocation import wpmec_optimum_kernels as kernels
from env.schemes.interface import Frame, Ints, WPMECFrameLike, wpmec_frame
from env.validation import in_range

MAX_ENUMERATED = 20  # devices
SLICE = 200  # nodes between two looks at the clock, some milliseconds


class CertifiedDecision(NamedTuple):
    """A decision, and a proof of how good it is.

    Attributes:
        decision: `[N]`.
        computation_rate: its weighted sum computation rate, bit/s.
        upper_bound: no decision has a higher one, bit/s, but for rounding (1e-13 of it).
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
    others: below an SNR of about e^6, those of one weight offload from the largest gain down. The
    kernels' docstrings (`env.resource_allocation.wpmec_optimum_kernels`) tell the mathematics.

    Args:
        frame: a `WirelessPoweredMEC` or `WPMECFrame`.
        gap: the relative gap to stop at.
        time_limit: seconds after which to stop with the best so far; None sets no limit.

    Raises:
        TypeError: if `frame` is of another problem.
        ValueError: if `gap` is not in [1e-12, 1], below which rounding would decide, or
            `time_limit` is negative.
        ArithmeticError: if the gains are far outside the physical range.
    """
    critic, gain = wpmec_frame(frame)
    in_range("gap", gap, 1e-12, 1, ())
    if time_limit is not None:
        in_range("time_limit", time_limit, 0, math.inf, ())
    start = time.perf_counter()
    with np.errstate(over="ignore"):
        if not np.isfinite(critic.parameters.constants[0] * gain @ gain):
            raise ArithmeticError(f"gains up to {gain.max():g} are beyond what can be solved")
    decision = np.zeros(critic.num_devices, dtype=np.int8)
    partial = np.full((1, critic.num_devices), kernels.UNDECIDED, dtype=np.int8)
    nodes = np.array([[0.0, 1.0, 0.0, math.inf]])
    stopped_by: Literal["gap", "time"] = "gap"
    while True:
        rate, partial, nodes = kernels.branch_and_bound(
            gain, *critic.classes, gap, SLICE, decision, partial, nodes
        )
        if len(nodes) == 0:
            break
        if time_limit is not None and time.perf_counter() - start >= time_limit:
            stopped_by = "time"
            break
    # What was not pursued is bounded by the gap asked for; what is left open, by its own bound.
    reached = gap if rate > 0 else 0.0
    if len(nodes) > 0:
        reached = float(nodes[:, kernels.BOUND].max()) / rate - 1
    return CertifiedDecision(
        decision.astype(np.int64), rate, rate * (1 + reached), reached, stopped_by
    )


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
