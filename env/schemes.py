"""Schemes that do not learn, for comparison and as the reference optimum.

A scheme is a function `scheme(frame) -> decision [N]`; a frame is an environment that waits for a
decision, or a `WPMECFrame` or `QueueingFrame`.
"""

from env.common.fixed import all_local, all_offloading, random_offloading
from env.common.local_search import coordinate_descent, greedy
from env.common.schemes import Scheme, WPMECFrameLike
from env.problem import Frame
from env.queueing.optimum import (
    CertifiedLyapunovDecision,
    certified_lyapunov_optimum,
    lyapunov_optimum,
)
from env.wpmec.optimum import (
    CertifiedDecision,
    certified_optima,
    certified_optimum,
    full_enumeration,
    optimum,
)
from env.wpmec.relaxation import linear_relaxation

__all__ = [
    "CertifiedDecision",
    "CertifiedLyapunovDecision",
    "Frame",
    "Scheme",
    "WPMECFrameLike",
    "all_local",
    "all_offloading",
    "certified_lyapunov_optimum",
    "certified_optima",
    "certified_optimum",
    "coordinate_descent",
    "full_enumeration",
    "greedy",
    "linear_relaxation",
    "lyapunov_optimum",
    "optimum",
    "random_offloading",
]
