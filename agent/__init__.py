"""The agent: learns offloading decisions, and knows nothing of radio.

A problem hands it a state vector and a callable that scores binary decisions; see `DROO.decide`.
"""

from agent.droo import DROO
from agent.fleet import Fleet
from agent.memory_dnn import MemoryDNN
from agent.quantization import (
    nearest_neighbours,
    noisy_order_preserving,
    order_preserving,
)
from agent.replay_memory import ReplayMemory
from agent.scoring import Choice

__all__ = [
    "DROO",
    "Choice",
    "Fleet",
    "MemoryDNN",
    "ReplayMemory",
    "nearest_neighbours",
    "noisy_order_preserving",
    "order_preserving",
]
