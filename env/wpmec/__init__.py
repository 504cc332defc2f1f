"""Wireless powered mobile-edge computing (DROO)."""

from env.registry import ProblemSpec
from env.wpmec.critic import Allocation, WPMECCritic, WPMECFrame
from env.wpmec.environment import WirelessPoweredMEC
from env.wpmec.optimum import certified_optimum
from env.wpmec.optimum import optimum as optimal_scheme  # `optimum` is the module
from env.wpmec.parameters import WPMECParameters, default_channel, default_weights
from env.wpmec.vector import VectorWirelessPoweredMEC

__all__ = [
    "PROBLEM",
    "Allocation",
    "VectorWirelessPoweredMEC",
    "WPMECCritic",
    "WPMECFrame",
    "WPMECParameters",
    "WirelessPoweredMEC",
    "default_channel",
    "default_weights",
]

PROBLEM = ProblemSpec(
    name="wpmec",
    environment_id="WPMEC-v0",
    environment=WirelessPoweredMEC,
    vector_environment=VectorWirelessPoweredMEC,
    critic=WPMECCritic,
    optimum=optimal_scheme,
    certified_optimum=certified_optimum,
)
