"""The number of devices in a run, and their weights."""

import numpy as np

from droo_core.arrays import Floats
from experiments.configs import FramesConfig, QueuesConfig


def number_of_devices(config: FramesConfig | QueuesConfig, recorded: int | None = None) -> int:
    """Return N: as recorded; without a recording as set, or as there are weights, or 10.

    Raises:
        ValueError: if another number is set than recorded.
    """
    if recorded is None:
        return config.num_devices or (10 if config.weights is None else len(config.weights))
    if config.num_devices not in (None, recorded):
        raise ValueError(
            f"num_devices must be {recorded} as in {config.data}, got {config.num_devices}"
        )
    return recorded


def device_weights(given: tuple[float, ...] | None, default: Floats) -> Floats:
    """Return the weights `[N]`: those given, or the default.

    Raises:
        ValueError: if their number differs from that of the default.
    """
    weights = default if given is None else np.array(given)
    if len(weights) != len(default):
        raise ValueError(
            f"weights must have one entry per device, {len(default)}, got {len(weights)}"
        )
    return weights
