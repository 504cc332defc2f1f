"""Multi-slot mobile-edge computing with data queues and energy budgets (LyDROO)."""

from env.queueing.bases import QueueingAllocation
from env.queueing.critic import QueueingCritic, QueueingFrame
from env.queueing.environment import QueueingMEC
from env.queueing.myopic import MyopicCritic, MyopicFrame
from env.queueing.optimum import certified_lyapunov_optimum, lyapunov_optimum
from env.queueing.parameters import (
    QueueingParameters,
    default_queueing_channel,
    default_queueing_weights,
)
from env.queueing.vector import VectorQueueingMEC
from env.registry import ProblemSpec

__all__ = [
    "PROBLEM",
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

PROBLEM = ProblemSpec(
    name="queueing",
    environment_id="QueueingMEC-v0",
    environment=QueueingMEC,
    vector_environment=VectorQueueingMEC,
    critic=QueueingCritic,
    optimum=lyapunov_optimum,
    certified_optimum=certified_lyapunov_optimum,
)
