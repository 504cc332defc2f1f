"""The problems: they simulate and score, and know nothing of learning.

Importing this package registers their environments with Gymnasium. A problem is its folder and its
name in `PROBLEMS`. `wpmec`, wireless powered MEC, is the problem of DROO; `queueing`, MEC with data
and energy queues, is the problem of LyDROO.
"""

import importlib

from env.arrivals import ArrivalModel, ExponentialArrivals, PoissonBatches, RecordedArrivals
from env.channel import (
    BlockFading,
    ChannelModel,
    RecordedChannel,
    jakes_correlation,
    linear_placement,
    path_loss_gain,
    rayleigh,
    rician,
)
from env.common.local_search import LocalOptimum
from env.problem import CertifiedOptimum, Climbable, Frame, PlayableProblem, Problem
from env.problem_check import ProblemReport, check_problem
from env.queueing import (
    MyopicCritic,
    MyopicFrame,
    QueueingAllocation,
    QueueingCritic,
    QueueingFrame,
    QueueingMEC,
    QueueingParameters,
    default_queueing_channel,
    default_queueing_weights,
)
from env.registry import ProblemSpec, register, registered_problems
from env.wpmec import (
    Allocation,
    WirelessPoweredMEC,
    WPMECCritic,
    WPMECFrame,
    WPMECParameters,
    default_channel,
    default_weights,
)
from env.wrappers import DiscreteDecisions

__all__ = [
    "Allocation",
    "ArrivalModel",
    "BlockFading",
    "CertifiedOptimum",
    "ChannelModel",
    "Climbable",
    "DiscreteDecisions",
    "ExponentialArrivals",
    "Frame",
    "LocalOptimum",
    "MyopicCritic",
    "MyopicFrame",
    "PlayableProblem",
    "PoissonBatches",
    "Problem",
    "ProblemReport",
    "ProblemSpec",
    "QueueingAllocation",
    "QueueingCritic",
    "QueueingFrame",
    "QueueingMEC",
    "QueueingParameters",
    "RecordedArrivals",
    "RecordedChannel",
    "WPMECCritic",
    "WPMECFrame",
    "WPMECParameters",
    "WirelessPoweredMEC",
    "check_problem",
    "default_channel",
    "default_queueing_channel",
    "default_queueing_weights",
    "default_weights",
    "jakes_correlation",
    "linear_placement",
    "path_loss_gain",
    "rayleigh",
    "register",
    "registered_problems",
    "rician",
]

PROBLEMS = (
    "wpmec",
    "queueing",
)
"""The folders of the problems, each of which describes itself as `PROBLEM`."""

for name in PROBLEMS:
    register(importlib.import_module(f"env.{name}").PROBLEM)
