"""Pictures of multi-slot MEC with queues."""

import numpy as np
from numpy.typing import ArrayLike

from droo_core.arrays import Floats
from env.common.rendering import Picture
from env.queueing.bases import QueueingAllocation

GAIN_RANGE = (-130.0, -90.0)  # dB, of the colour scale


def queueing_picture(
    gain: Floats,
    data_queue: Floats,
    energy_queue: Floats,
    decision: ArrayLike | None = None,
    allocation: QueueingAllocation | None = None,
) -> Picture:
    """Return the picture of a frame.

    Args:
        gain: channel gains `[N]`.
        data_queue: Q `[N]`, Mbit.
        energy_queue: Y `[N]`.
        decision: carried out `[N]`; None before the first decision.
        allocation: of the decision; None before the first decision.
    """
    queues = {"Data queue, Mbit": data_queue, "Energy queue": energy_queue}
    if decision is None or allocation is None:
        return Picture("Before the first decision", gain, GAIN_RANGE, queues=queues)
    offload = np.array(decision, np.int64)
    computed, used = allocation.rate.sum(), allocation.energy.sum()
    title = f"{offload.sum()} of {len(gain)} offload (blue): {computed:.1f} Mbit, {used:.2f} J"
    slots = allocation.offload_time.copy()
    return Picture(title, gain, GAIN_RANGE, offload, slots=slots, queues=queues)
