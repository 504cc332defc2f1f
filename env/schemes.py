"""Schemes that do not learn, for comparison and as the reference optimum: a facade.

A scheme is a function `scheme(frame) -> decision [N]`. A frame is an environment that waits for a
decision, or one by itself, such as a `WPMECFrame` or a `QueueingFrame`.
"""

from env.common.local_search import coordinate_descent, greedy
from env.common.reference_schemes import (
    all_local,
    all_offloading,
    full_enumeration,
    random_offloading,
)
from env.problem import Frame, Scheme
from env.queueing.optimum import (
    CertifiedLyapunovDecision,
    certified_lyapunov_optimum,
    certify_lyapunov_frames,
    lyapunov_optimum,
)
from env.wpmec.frame_like import WPMECFrameLike
from env.wpmec.optimum import (
    CertifiedDecision,
    certified_optima,
    certified_optimum,
    certify_frames,
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
    "certify_frames",
    "certify_lyapunov_frames",
    "coordinate_descent",
    "full_enumeration",
    "greedy",
    "linear_relaxation",
    "lyapunov_optimum",
    "optimum",
    "random_offloading",
]
