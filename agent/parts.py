"""A `MemoryDNN` as `agent.checkpoint` and `agent.transfer` see it, without importing it."""

from typing import Any, Protocol, Self

import numpy as np
from torch import nn

from agent.decoder import Decoder
from agent.learner import Learner
from agent.replay_memory import ReplayMemory

ATTRIBUTE_OF = {
    "net": "net",
    "learning_rate": "lr",
    "training_interval": "training_interval",
    "batch_size": "batch_size",
    "memory_size": "memory_size",
    "policy": "policy",
    "features": "features",
    "loss": "loss",
    "num_places": "num_places",
    "rebuild_optimizer": "rebuild_optimizer",
    "cost_history_size": "cost_history_size",
}
"""The attribute that holds each argument of `MemoryDNN`, except the seed."""


class Agent(Protocol):
    """The parts of a `MemoryDNN` that are saved and taken over."""

    net: list[int]
    policy: str
    learner: Learner
    decoder: Decoder
    replay: ReplayMemory

    @property
    def model(self) -> nn.Sequential:
        """The network with its sigmoid."""
        ...

    def for_devices(
        self, num_devices: int, seed: int | np.random.SeedSequence | None = None
    ) -> Self:
        """Return an agent with a copy of the policy for another number of devices."""
        ...


def arguments_of(agent: Agent) -> dict[str, Any]:
    """Return the arguments that construct an agent like this one, except the seed."""
    return {argument: getattr(agent, name) for argument, name in ATTRIBUTE_OF.items()}
