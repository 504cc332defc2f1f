"""Multi-slot mobile-edge computing with data queues and energy budgets (LyDROO)."""

from env.queueing.critic import (
    LocalOptimum,
    QueueingAllocation,
    QueueingCritic,
    QueueingFrame,
    QueueingParameters,
)
from env.queueing.environment import (
    QueueingMEC,
    default_queueing_channel,
    default_queueing_weights,
)
from env.queueing.myopic import MyopicCritic, MyopicFrame
from env.queueing.vector import VectorQueueingMEC

__all__ = [
    "LocalOptimum",
    "MyopicCritic",
    "MyopicFrame",
    "QueueingAllocation",
    "QueueingCritic",
    "QueueingFrame",
    "QueueingMEC",
    "QueueingParameters",
    "VectorQueueingMEC",
    "default_queueing_channel",
    "default_queueing_weights",
]
