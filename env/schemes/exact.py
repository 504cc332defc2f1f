"""The optimal decision, by enumeration."""

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from env.resource_allocation.wpmec import MAX_COMBINATIONS, WPMECCritic

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def threshold_enumeration(critic: WPMECCritic, gains: ArrayLike) -> tuple[Ints, Floats]:
    """Return each frame's best decision among those that offload the largest gains of each weight.

    In the whole regime of the paper that is the optimum. Of two devices with equal weights let one
    offload at SNR y and the other, whose gain is r times as large, compute locally. If they change
    places and the offloading time stays, the rate of the offloading one grows by the factor
    ln(1 + y r^2) / ln(1 + y). That of the local one falls by r^(1/3) - 1 times what the first would
    earn locally, which at an optimum is no more than what it earns by offloading. So the exchange
    pays as long as ln(1 + y r^2) >= r^(1/3) ln(1 + y), and then it is enough to score
    prod_c (n_c + 1) decisions, n_c being how many devices have weight number c: 36 in place of
    1,024 at N = 10 with the default two weights.

    The condition fails where both y and r are large. Below y = e^6 no frame was found in which the
    result is not the optimum, but with gains near 1, or other constants, there are some. The result
    carries no certificate.

    Args:
        critic: of the problem.
        gains: channel gains `[T, N]`.

    Returns:
        Decisions `[T, N]` and their rates `[T]`, bit/s.

    Raises:
        ValueError: if the gains are not non-negative and finite of that shape, or there are more
            than 2^20 decisions to score a frame.
    """
    return critic.best_thresholds(gains)


def full_enumeration(critic: WPMECCritic, gain: ArrayLike) -> tuple[Ints, float]:
    """Return the optimal decision of one frame, by scoring all 2^N: as a check on faster ways.

    Args:
        critic: of the problem.
        gain: channel gains `[N]`.

    Returns:
        Decision `[N]` and its rate, bit/s.

    Raises:
        ValueError: if the gains are not non-negative and finite of that shape, or N > 20.
    """
    if 2**critic.num_devices > MAX_COMBINATIONS:
        raise ValueError(f"num_devices must be at most 20 to enumerate, got {critic.num_devices}")
    decisions = np.array(list(itertools.product((0, 1), repeat=critic.num_devices)))
    rates = critic.score(gain, decisions)
    best = int(rates.argmax())
    return decisions[best], float(rates[best])
