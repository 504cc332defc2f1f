"""Kernels of the quantizers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.kernels import exact_kernel as kernel
from droo_core.numeric import argsort_descending


@kernel
def order_preserving(
    values: NDArray[np.float64],
    center: float,
    k: int,
    decisions: NDArray[Any],
    ranks: NDArray[np.int64],
) -> int:
    """Write the distinct candidates of at most k thresholds, and return how many there are.

    The first threshold is the center, the others are the values, nearest first (DROO eq. 8 and 9).

    Args:
        values: `[N]`; devices with larger values are likelier to offload.
        center: the value of an undecided device.
        k: the most thresholds to use.
        decisions: out, `[min(k, N + 1), N]` at least.
        ranks: out, index of the threshold of each candidate, `[min(k, N + 1)]` at least.
    """
    closeness, nearest = np.empty(len(values)), np.empty(len(values), np.int64)
    for i in range(len(values)):
        closeness[i] = -abs(values[i] - center)
    argsort_descending(closeness, nearest)
    count = 1
    ranks[0] = 0
    # Equation 8: the first candidate rounds at the center.
    for i in range(len(values)):
        decisions[0, i] = values[i] > center
    for rank in range(1, min(k, len(values) + 1)):
        device = nearest[rank - 1]
        threshold = values[device]
        known = False
        earlier = rank - 2
        while earlier >= 0 and not known:  # equal values are at equal distances
            other = nearest[earlier]
            if closeness[other] != closeness[device]:
                break
            known = values[other] == threshold
            earlier -= 1
        if known:
            continue
        # Equation 9: the device at the threshold changes sides, with all beyond it.
        if threshold > center:
            for i in range(len(values)):
                decisions[count, i] = values[i] > threshold
        else:
            for i in range(len(values)):
                decisions[count, i] = values[i] >= threshold
        ranks[count] = rank
        count += 1
    return count
