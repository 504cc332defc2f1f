"""Base of the critics: devices with weights."""

import math

from numpy.typing import ArrayLike

from droo_core.validation import in_range


class WeightedCritic:
    """A critic that weighs devices.

    Args:
        weights: w `[N]`, positive.

    Attributes:
        weights: the argument, read-only.

    Raises:
        ValueError: if a weight is not positive and finite.
    """

    def __init__(self, weights: ArrayLike) -> None:
        self.weights = in_range("weights", weights, 0, math.inf, ("N",), open_low=True).copy()
        self.weights.flags.writeable = False  # kernel arguments derived from it would not follow

    @property
    def num_devices(self) -> int:
        """N, the number of devices."""
        return len(self.weights)
