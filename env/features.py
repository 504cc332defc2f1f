"""Features: what a state tells of each device."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GAIN_SCALE = 1e6
"""Gains are about 1e-6, and networks like numbers about 1."""

SMALLEST_LOG = -14.0
"""Of the scaled gain: a millionth of the usual, where a device that is off must end, too."""

MOST_FRAMES = 1000

FEATURES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "gain": lambda gain, _: gain * GAIN_SCALE,
    "log_gain": lambda gain, _: np.log(np.maximum(gain * GAIN_SCALE, np.exp(SMALLEST_LOG))),
    "weight": lambda _, weights: weights,
    "active": lambda gain, _: (gain > 0).astype(np.float64),
}
"""Each feature as a function of the channel gains and the weights, `[N]` or `[T, N]`."""


def parse(features: Sequence[str]) -> list[tuple[str, int]]:
    """Return the name and the age of each feature; "gain@3" is the gain of three frames ago.

    Raises:
        ValueError: if there is none, one is there twice, or there is no such feature.
    """
    parsed = []
    for feature in features:
        name, at, age = feature.partition("@")
        frames = int(age) if age.isdecimal() and len(age) < 5 else 0
        if name not in FEATURES or (at and not 1 <= frames <= MOST_FRAMES):
            raise ValueError(
                f"features must be of {', '.join(FEATURES)}, with @1, @2, ... @{MOST_FRAMES} for "
                f"older frames, got {feature!r}"
            )
        parsed.append((name, frames))
    if not parsed or len(set(parsed)) < len(parsed):
        raise ValueError(f"features must be distinct and at least one, got {list(features)}")
    return parsed


def states(parsed: Sequence[tuple[str, int]], gains: Floats, weights: Floats) -> Floats:
    """Return the states `[T, F N]` of frames that follow one another.

    Args:
        parsed: what `parse` returned, F features.
        gains: channel gains `[T, N]`; before the first frame they were its own.
        weights: `[T, N]`, likewise.
    """
    frames = np.arange(len(gains))
    columns = []
    for name, age in parsed:
        past = np.maximum(frames - age, 0)
        columns.append(FEATURES[name](gains[past], weights[past]))
    return np.concatenate(columns, axis=1)
