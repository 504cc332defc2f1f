"""Pictures of wireless powered MEC."""

import numpy as np
from numpy.typing import ArrayLike

from droo_core.arrays import Floats
from env.common.rendering import Picture
from env.wpmec.critic import Allocation

GAIN_RANGE = (-80.0, -40.0)  # dB, of the colour scale


def wpmec_picture(
    gain: Floats, decision: ArrayLike | None = None, allocation: Allocation | None = None
) -> Picture:
    """Return the picture of a frame.

    Args:
        gain: channel gains `[N]`.
        decision: carried out `[N]`; None before the first decision.
        allocation: of the decision; None before the first decision.
    """
    if decision is None or allocation is None:
        return Picture("Before the first decision", gain, GAIN_RANGE)
    offload, rate = np.array(decision, np.int64), allocation.computation_rate / 1e6
    title = f"{offload.sum()} of {len(gain)} offload (blue): {rate:.2f} Mbit/s"
    slots = allocation.offload_time.copy()
    return Picture(title, gain, GAIN_RANGE, offload, allocation.energy_time, slots)
