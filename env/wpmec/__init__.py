"""Wireless powered mobile-edge computing (DROO)."""

from env.wpmec.critic import Allocation, WPMECCritic, WPMECFrame, WPMECParameters
from env.wpmec.environment import WirelessPoweredMEC, default_weights
from env.wpmec.vector import VectorWirelessPoweredMEC

__all__ = [
    "Allocation",
    "VectorWirelessPoweredMEC",
    "WPMECCritic",
    "WPMECFrame",
    "WPMECParameters",
    "WirelessPoweredMEC",
    "default_weights",
]
