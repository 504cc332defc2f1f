"""The optimal decision, by enumeration."""

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from env.resource_allocation.wpmec import WPMECCritic

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_ENUMERATED = 2**20


def threshold_enumeration(critic: WPMECCritic, gains: ArrayLike) -> tuple[Ints, Floats]:
    """Return the optimal decision of each frame, by how many devices of each weight offload.

    Let two devices have equal weights, the one with the smaller gain offload and the other compute
    locally. If they change places and the offloading time stays, the offloading rate grows by the
    factor ln(1 + SNR r^2) / ln(1 + SNR) and the local rate by less than r^(1/3), r being the ratio
    of the gains. The first wins while the SNR stays below about e^6, which covers the whole regime
    of the paper (the tests hold it against full enumeration). An optimal decision then
    offloads the largest gains of each weight class, and it is enough to score prod_c (n_c + 1)
    decisions: 36 in place of 1,024 at N = 10 with the default two weights.

    Args:
        critic: of the problem.
        gains: channel gains `[T, N]`.

    Returns:
        Decisions `[T, N]` and their rates `[T]`, bit/s.

    Raises:
        ValueError: if the gains are not non-negative and finite of that shape, or there are more
            than 2^20 decisions to score a frame.
    """
    _, class_sizes = np.unique(critic.weights, return_counts=True)
    combinations = np.prod(class_sizes + 1.0)
    if combinations > MAX_ENUMERATED:
        raise ValueError(
            f"weights must leave at most {MAX_ENUMERATED} combinations to enumerate, "
            f"got {combinations:.3g} from {len(class_sizes)} distinct weights"
        )
    return critic.best_thresholds(gains)


def full_enumeration(critic: WPMECCritic, gain: ArrayLike) -> tuple[Ints, float]:
    """Return the optimal decision of one frame, by scoring all 2^N: the check on all else.

    Args:
        critic: of the problem.
        gain: channel gains `[N]`.

    Returns:
        Decision `[N]` and its rate, bit/s.

    Raises:
        ValueError: if the gains are not non-negative and finite of that shape, or N > 20.
    """
    if 2**critic.num_devices > MAX_ENUMERATED:
        raise ValueError(f"num_devices must be at most 20 to enumerate, got {critic.num_devices}")
    decisions = np.array(list(itertools.product((0, 1), repeat=critic.num_devices)))
    rates = critic.score(gain, decisions)
    best = int(rates.argmax())
    return decisions[best], float(rates[best])
