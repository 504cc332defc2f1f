"""Features: what a state tells of each device."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEATURES = {
    "gain": "channel gain, times 1e6",
    "log_gain": "logarithm of that, at least -14",
    "weight": "weight",
    "active": "1 if the device has a gain, else 0",
}

GAIN_SCALE = 1e6
"""Gains are about 1e-6, and networks like numbers about 1."""

SMALLEST_LOG = -14.0


def parse(features: Sequence[str]) -> list[tuple[str, int]]:
    """Return the name and the age of each feature; "gain@3" is the gain of three frames ago.

    Raises:
        ValueError: if there is none, one is there twice, or there is no such feature.
    """
    parsed = []
    for feature in features:
        name, _, age = feature.partition("@")
        if name not in FEATURES or not (age.isdecimal() or feature == name):
            raise ValueError(
                f"features must be of {', '.join(FEATURES)}, with @1, @2, ... for older frames, "
                f"got {feature!r}"
            )
        parsed.append((name, int(age or 0)))
    if len(set(parsed)) != max(1, len(parsed)):
        raise ValueError(f"features must be distinct and at least one, got {list(features)}")
    return parsed


def feature(name: str, gain: Floats, weights: Floats) -> Floats:
    """Return one feature `[N]` of devices with these gains `[N]` and weights `[N]`."""
    if name == "gain":
        return gain * GAIN_SCALE
    if name == "log_gain":
        return np.log(np.maximum(gain * GAIN_SCALE, np.exp(SMALLEST_LOG)))
    if name == "weight":
        return weights
    return (gain > 0).astype(np.float64)
