"""The layout of a policy's states and logits."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

ACTIVE = "active"
"""The feature that is 1 for active devices and 0 for the others, which get the logit SILENT."""

SILENT = -40.0
"""The logit of a device that is not active: its probability of offloading is 4e-18."""


class Layout(NamedTuple):
    """The devices, features and places that a policy is built for.

    Attributes:
        num_devices: N.
        features: names of the features in a state; empty if nothing is known of it.
        num_places: P, the number of places that a device chooses from; 2 is local or offload.
    """

    num_devices: int
    features: tuple[str, ...] = ()
    num_places: int = 2

    @property
    def logits(self) -> int:
        """The number of logits of a device: 1 for two places, else P."""
        return 1 if self.num_places == 2 else self.num_places

    @property
    def silent(self) -> list[float]:
        """The logits of a device that is not active; place 0 is the device itself."""
        return [SILENT] if self.logits == 1 else [0.0] + [SILENT] * (self.num_places - 1)

    def by_device(self, logits: Tensor) -> Tensor:
        """Return logits `[B, N * P]` or `[B, N, P]` as `[B, N, P]`, or `[B, N]` if P is 1."""
        logits = logits.reshape(logits.shape[0], -1, self.logits)
        return logits.squeeze(-1) if self.logits == 1 else logits

    @property
    def mask(self) -> int | None:
        """Index of the feature `ACTIVE`; None if there is none."""
        return self.features.index(ACTIVE) if ACTIVE in self.features else None

    def active(self, state: NDArray[np.float32]) -> NDArray[np.bool_] | None:
        """Return the mask `[N]` of active devices in a state `[inputs]`; None without `ACTIVE`."""
        mask = self.mask
        if mask is None:
            return None
        active: NDArray[np.bool_] = state.reshape(len(self.features), -1)[mask] > 0
        return active
