"""Labels: the optimal decision of recorded frames, and whether given labels are optimal."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from env.datasets import Dataset
from env.resource_allocation.wpmec import WPMECCritic, WPMECFrame
from env.schemes.exact import certified_optimum
from env.validation import in_range

Floats = NDArray[np.float64]


class LabelCheck(NamedTuple):
    """How good the labels of a dataset are; all relative to the certified upper bound.

    Attributes:
        shortfall: how far the labelled decision stays below it `[T]`.
        rate_error: how far the labelled rate is from what the labelled decision earns `[T]`.
        gap: of the certificate, by which `shortfall` may be too large `[T]`.
    """

    shortfall: Floats
    rate_error: Floats
    gap: Floats


def label(
    gains: ArrayLike, critic: WPMECCritic, *, gap: float = 1e-10, time_limit: float | None = None
) -> Dataset:
    """Return the frames of these gains `[T, N]` with their certified optimal decisions.

    Args:
        gains: channel gains `[T, N]`.
        critic: of the problem.
        gap: as for `env.schemes.certified_optimum`.
        time_limit: likewise, seconds per frame.

    Raises:
        TypeError: if `gains` holds no real numbers.
        ValueError: if the gains are not non-negative and finite of that shape.
        ArithmeticError: if gains are far outside the physical range.
    """
    gains = in_range("gains", gains, 0, np.inf, ("T", critic.num_devices))
    frames = [WPMECFrame(critic, gain) for gain in gains]
    found = [certified_optimum(frame, gap=gap, time_limit=time_limit) for frame in frames]
    allocations = [
        frame.allocate(optimum.decision) for frame, optimum in zip(frames, found, strict=True)
    ]
    return Dataset(
        gain=gains,
        decision=np.array([optimum.decision for optimum in found]),
        energy_time=np.array([allocation.energy_time for allocation in allocations]),
        offload_time=np.array([allocation.offload_time for allocation in allocations]),
        computation_rate=np.array([allocation.computation_rate for allocation in allocations]),
        gap=np.array([optimum.gap for optimum in found]),
        weights=critic.weights,
    )


def check_labels(
    dataset: Dataset, critic: WPMECCritic, *, time_limit: float | None = None
) -> LabelCheck:
    """Return how far the labels of a dataset are from the certified optimum.

    Args:
        dataset: the labelled frames.
        critic: of the problem.
        time_limit: seconds per frame after which to be content with a wider gap.

    Raises:
        ValueError: if the dataset has another number of devices.
        ArithmeticError: if gains are far outside the physical range.
    """
    rows = []
    for gain, decision, rate in zip(
        dataset.gain, dataset.decision, dataset.computation_rate, strict=True
    ):
        frame = WPMECFrame(critic, gain)
        optimum = certified_optimum(frame, time_limit=time_limit)
        earned = float(frame.score(decision[None])[0])
        bound = optimum.upper_bound or 1.0  # 0 without any gain, and then all is 0
        shortfall = (optimum.upper_bound - earned) / bound
        rows.append((shortfall, abs(rate - earned) / bound, optimum.gap))
    return LabelCheck(*np.array(rows).T)
