"""The weights of the devices in a run."""

import numpy as np

from droo_core.arrays import Floats


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
