"""The problems: they simulate and score, and know nothing of learning.

Importing this package registers `WPMEC-v0` and `QueueingMEC-v0` with Gymnasium.
"""

import gymnasium

from env.arrivals import ArrivalModel, ExponentialArrivals, PoissonBatches, RecordedArrivals
from env.channel import (
    BlockFading,
    ChannelModel,
    RecordedChannel,
    default_channel,
    jakes_correlation,
    linear_placement,
    path_loss_gain,
    rayleigh,
    rician,
)
from env.problem import Frame, PlayableProblem, Problem
from env.problem_check import ProblemReport, check_problem
from env.queueing.critic import (
    LocalOptimum,
    QueueingAllocation,
    QueueingCritic,
    QueueingFrame,
    QueueingParameters,
)
from env.queueing.environment import QueueingMEC, default_queueing_channel, default_queueing_weights
from env.queueing.myopic import MyopicCritic, MyopicFrame
from env.wpmec.critic import Allocation, WPMECCritic, WPMECFrame, WPMECParameters
from env.wpmec.environment import WirelessPoweredMEC, default_weights
from env.wrappers import DiscreteDecisions

__all__ = [
    "Allocation",
    "ArrivalModel",
    "BlockFading",
    "ChannelModel",
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
    "rician",
]

gymnasium.register(
    id="WPMEC-v0",
    entry_point="env.wpmec:WirelessPoweredMEC",
    vector_entry_point="env.wpmec:VectorWirelessPoweredMEC",
)
gymnasium.register(
    id="QueueingMEC-v0",
    entry_point="env.queueing:QueueingMEC",
    vector_entry_point="env.queueing:VectorQueueingMEC",
)
