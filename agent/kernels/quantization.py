"""Kernels of the quantizers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.kernels import exact_kernel as kernel


@kernel
def order_preserving(
    values: NDArray[np.float64],
    center: float,
    k: int,
    decisions: NDArray[Any],
    places: NDArray[np.int64],
) -> int:
    """Write the distinct candidates of at most k thresholds, and return how many there are.

    The first threshold is the center, the others are the values, nearest first. (DROO eq. 8 and 9.)

    Args:
        values: `[N]`; a device is the likelier to offload the larger its value.
        center: the value of a device that may as well do either.
        k: how many thresholds to use at most.
        decisions: out, `[min(k, N + 1), N]` at least.
        places: out, which threshold each candidate is from, from 0 `[min(k, N + 1)]` at least.
    """
    distances = np.abs(values - center)
    nearest = np.argsort(distances, kind="mergesort")  # stable
    count = 1
    places[0] = 0
    for i in range(len(values)):
        decisions[0, i] = values[i] > center
    for place in range(1, min(k, len(values) + 1)):
        device = nearest[place - 1]
        threshold = values[device]
        known = False
        for earlier in nearest[: place - 1][::-1]:  # those as near: no other is equal
            if known or distances[earlier] != distances[device]:
                break
            known = values[earlier] == threshold
        if known:
            continue
        # Equation 9: the device at the threshold changes sides, with all beyond it.
        if threshold > center:
            for i in range(len(values)):
                decisions[count, i] = values[i] > threshold
        else:
            for i in range(len(values)):
                decisions[count, i] = values[i] >= threshold
        places[count] = place
        count += 1
    return count
