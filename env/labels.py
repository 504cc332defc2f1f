"""Labels: the optimal decision of recorded frames, and whether given labels are optimal."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from droo_core.validation import in_range
from env.datasets import Dataset
from env.wpmec.critic import WPMECCritic, WPMECFrame
from env.wpmec.optimum import certified_optima

Floats = NDArray[np.float64]


class LabelCheck(NamedTuple):
    """How good the labels of a dataset are; all are relative to the best rate known.

    Attributes:
        shortfall: what the labelled decision provably lacks `[T]`: a better one is known.
        doubt: what it may lack beyond that, the search having run out of time `[T]`.
        rate_error: how far the labelled rate is from what the labelled decision earns `[T]`.
        allocation_error: how far it is from what the decision earns with the labelled times `[T]`,
            or by how much these exceed the frame, whichever is more.
    """

    shortfall: Floats
    doubt: Floats
    rate_error: Floats
    allocation_error: Floats


def label(
    gains: ArrayLike,
    critic: WPMECCritic,
    *,
    gap: float = 1e-10,
    time_limit: float | None = None,
    jobs: int = 1,
) -> Dataset:
    """Return the frames of these gains with their certified optimal decisions.

    Args:
        gains: channel gains `[T, N]`.
        critic: of the problem.
        gap: as for `env.schemes.certified_optimum`.
        time_limit: likewise, seconds per frame.
        jobs: processes; -1 takes all cores.

    Raises:
        TypeError: if `gains` holds no real numbers.
        ValueError: if the gains are not non-negative and finite of that shape, or `gap` or
            `time_limit` is out of range.
        ArithmeticError: if gains are far outside the physical range.
    """
    gains = in_range("gains", gains, 0, np.inf, ("T", critic.num_devices))
    frames = [WPMECFrame(critic, gain) for gain in gains]
    optima = certified_optima(
        frames, gap=gap, time_limit=time_limit, jobs=jobs, description="labelling"
    )
    allocations = [
        frame.allocate(optimum.decision) for frame, optimum in zip(frames, optima, strict=True)
    ]
    return Dataset(
        gain=gains,
        decision=np.array([optimum.decision for optimum in optima]),
        energy_time=np.array([allocation.energy_time for allocation in allocations]),
        offload_time=np.array([allocation.offload_time for allocation in allocations]),
        computation_rate=np.array([allocation.computation_rate for allocation in allocations]),
        gap=np.array([optimum.gap for optimum in optima]),
        weights=critic.weights,
    )


def check_labels(
    dataset: Dataset, critic: WPMECCritic, *, time_limit: float | None = None, jobs: int = 1
) -> LabelCheck:
    """Return how far the labels of a dataset are from the certified optimum.

    Args:
        dataset: the labelled frames.
        critic: of the problem.
        time_limit: seconds per frame after which to leave it in doubt.
        jobs: processes; -1 takes all cores.

    Raises:
        ValueError: if the dataset has another number of devices.
        ArithmeticError: if gains are far outside the physical range.
    """
    if dataset.gain.shape[1] != critic.num_devices:
        raise ValueError(
            f"dataset must have {critic.num_devices} devices, got {dataset.gain.shape[1]}"
        )
    frames = [WPMECFrame(critic, gain) for gain in dataset.gain]
    optima = certified_optima(frames, time_limit=time_limit, jobs=jobs, description="checking")
    best, bound = np.array([(found.computation_rate, found.upper_bound) for found in optima]).T
    earned = np.array(
        [frame.score(x[None])[0] for frame, x in zip(frames, dataset.decision, strict=True)]
    )
    best = np.maximum(best, earned)
    scale = np.where(best > 0, best, 1.0)  # without any gain all is 0
    off_rate = abs(dataset.computation_rate - _allocated_rate(dataset, critic)) / scale
    overtime = dataset.energy_time + dataset.offload_time.sum(axis=1) - 1
    return LabelCheck(
        shortfall=(best - earned) / scale,
        doubt=np.maximum(bound - best, 0.0) / scale,
        rate_error=abs(dataset.computation_rate - earned) / scale,
        allocation_error=np.maximum(off_rate, overtime),
    )


def _allocated_rate(dataset: Dataset, critic: WPMECCritic) -> Floats:
    """Return the rates `[T]`, bit/s, that the labelled decisions earn with the labelled times."""
    snr_factor, local_factor, eps = critic.parameters.constants
    a, tau = dataset.energy_time[:, None], dataset.offload_time
    local = local_factor * np.cbrt(dataset.gain * a)
    snr = snr_factor * a * dataset.gain**2 / np.where(tau > 0, tau, 1.0)
    rate: Floats = np.where(dataset.decision == 1, eps * tau * np.log1p(snr), local)
    return rate @ critic.weights
