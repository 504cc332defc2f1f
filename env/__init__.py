"""The problems: they simulate and score, and know nothing of learning.

Importing this package registers `WPMEC-v0` with Gymnasium.
"""

import gymnasium

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
from env.resource_allocation.wpmec import Allocation, WPMECCritic, WPMECFrame, WPMECParameters
from env.wpmec import WirelessPoweredMEC, default_weights

__all__ = [
    "Allocation",
    "BlockFading",
    "ChannelModel",
    "RecordedChannel",
    "WPMECCritic",
    "WPMECFrame",
    "WPMECParameters",
    "WirelessPoweredMEC",
    "default_channel",
    "default_weights",
    "jakes_correlation",
    "linear_placement",
    "path_loss_gain",
    "rayleigh",
    "rician",
]

gymnasium.register(id="WPMEC-v0", entry_point="env.wpmec:WirelessPoweredMEC")
