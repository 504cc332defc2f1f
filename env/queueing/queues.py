"""Data and energy queues of multi-slot MEC, from frame to frame."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from droo_core.arrays import Floats
from droo_core.validation import in_range
from env.queueing.parameters import QueueingParameters


class Queues(NamedTuple):
    """The queues at the start of a frame, `[N]` each; of B environments `[B, N]`.

    Attributes:
        data_queue: Q, Mbit.
        energy_queue: virtual energy queues Y.
        energy_left: unused part of the budgets of all frames up to this one, J.
    """

    data_queue: Floats
    energy_queue: Floats
    energy_left: Floats

    def after(
        self, rate: Floats, energy: Floats, arrival: Floats, parameters: QueueingParameters
    ) -> "Queues":
        """Return the queues at the start of the next frame.

        Args:
            rate: data computed in this frame, Mbit, shaped like the queues.
            energy: used in this frame, J.
            arrival: data that arrive in this frame, Mbit.
            parameters: the constants.
        """
        budget = parameters.energy_budget
        scaled = parameters.energy_queue_scale * (energy - budget)
        return Queues(
            np.maximum(self.data_queue - rate + arrival, 0.0),  # rounding may go below 0
            np.maximum(self.energy_queue + scaled, 0.0),
            np.maximum(self.energy_left - energy, 0.0) + budget,
        )


def first_queues(
    options: Mapping[str, Any], num_devices: int, parameters: QueueingParameters
) -> Queues:
    """Return the queues `[N]` at the start of an episode.

    Args:
        options: `data_queue` (Mbit) and `energy_queue`, `[N]` each; empty queues by default.
        num_devices: N.
        parameters: the constants.

    Raises:
        TypeError: if a queue holds anything but real numbers.
        ValueError: if its shape differs, an entry is negative, NaN or infinite, or there is another
            option.
    """
    queues = {name: np.zeros(num_devices) for name in ("data_queue", "energy_queue")}
    for name, values in options.items():
        if name not in queues:
            raise ValueError(f"options must be of {', '.join(queues)}, got {name!r}")
        queues[name] = in_range(name, values, 0, math.inf, (num_devices,)).copy()
    return Queues(**queues, energy_left=np.full(num_devices, parameters.energy_budget, float))
