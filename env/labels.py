"""Labels: the optimal decision of recorded frames, and whether given labels are optimal.

Both functions work with every problem that is registered with a `certified_optimum` and whose
critic offers the members of `LabellingCritic`.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from droo_core.arrays import Floats
from droo_core.validation import in_range
from env.common.labelled import LabelledFrames
from env.common.parallel import solve_frames
from env.problem import CertifiedOptimum, Frame
from env.registry import spec_of_critic

L = TypeVar("L", bound=LabelledFrames)
L_co = TypeVar("L_co", bound=LabelledFrames, covariant=True)


class LabellingCritic(Protocol[L_co]):
    """A critic whose frames are given by their gains and can be labelled."""

    @property
    def num_devices(self) -> int:
        """N, the number of devices."""

    @property
    def labelled(self) -> type[L_co]:
        """Class of the labelled frames."""

    def frame(self, gain: Floats, /) -> Frame:
        """Return the frame with channel gains `[N]`."""


class LabelCheck(NamedTuple):
    """Errors of the labels of a dataset, `[T]` each, relative to the best score known.

    Attributes:
        shortfall: by how much the labelled decision is provably worse than the best one known.
        doubt: by how much it may be worse than that, the search having run out of time.
        rate_error: difference of the labelled score from the score of the labelled decision.
        allocation_error: its difference from the score of the labelled decision with the labelled
            allocation, or by how much this exceeds the frame, whichever is larger.
    """

    shortfall: Floats
    doubt: Floats
    rate_error: Floats
    allocation_error: Floats


def label(
    gains: ArrayLike,
    critic: LabellingCritic[L],
    *,
    gap: float = 1e-10,
    time_limit: float | None = None,
    jobs: int = 1,
) -> L:
    """Return the frames of these gains with their certified optimal decisions.

    Args:
        gains: channel gains `[T, N]`.
        critic: of the problem.
        gap: relative gap at which to stop, as for `env.schemes.certified_optimum`.
        time_limit: seconds per frame after which to stop; None sets no limit.
        jobs: number of processes; -1 takes all cores.

    Raises:
        TypeError: if `gains` holds anything but real numbers, or frames of the critic cannot be
            labelled.
        ValueError: if the gains are not non-negative and finite of that shape, or `gap` or
            `time_limit` is out of range.
        ArithmeticError: if gains are far outside the physical range.
    """
    gains = in_range("gains", gains, 0, np.inf, ("T", critic.num_devices))
    solve = partial(_certified_optimum(critic), gap=gap, time_limit=time_limit)
    frames = [critic.frame(gain) for gain in gains]
    optima = solve_frames(solve, frames, jobs=jobs, description="labelling")
    return critic.labelled.of(critic, gains, optima)


def check_labels(
    dataset: L, critic: LabellingCritic[L], *, time_limit: float | None = None, jobs: int = 1
) -> LabelCheck:
    """Return how far the labels of a dataset are from the certified optimum.

    Args:
        dataset: labelled frames.
        critic: of the problem.
        time_limit: seconds per frame after which to stop the search for a better decision.
        jobs: number of processes; -1 takes all cores.

    Raises:
        TypeError: if frames of the critic cannot be labelled.
        ValueError: if the dataset has another number of devices.
        ArithmeticError: if gains are far outside the physical range.
    """
    if dataset.gain.shape[1] != critic.num_devices:
        raise ValueError(
            f"dataset must have {critic.num_devices} devices, got {dataset.gain.shape[1]}"
        )
    solve = partial(_certified_optimum(critic), time_limit=time_limit)
    frames = [critic.frame(gain) for gain in dataset.gain]
    optima = solve_frames(solve, frames, jobs=jobs, description="checking")
    best, bound = np.array([(optimum.reward, optimum.upper_bound) for optimum in optima]).T
    earned = np.array(
        [frame.score(x[None])[0] for frame, x in zip(frames, dataset.decision, strict=True)]
    )
    best = np.maximum(best, earned)
    scale = np.where(best > 0, best, 1.0)  # all scores are 0 in a frame without any gain
    allocated, excess = dataset.allocated(critic)
    return LabelCheck(
        shortfall=(best - earned) / scale,
        doubt=np.maximum(bound - best, 0.0) / scale,
        rate_error=abs(dataset.reward - earned) / scale,
        allocation_error=np.maximum(abs(dataset.reward - allocated) / scale, excess),
    )


def _certified_optimum(critic: object) -> Callable[..., CertifiedOptimum]:
    """Return the function that certifies the optimum of a critic's frames.

    Raises:
        TypeError: if the critic's problem is not registered, has no such function, or the critic
            has no class of labelled frames.
    """
    spec = spec_of_critic(critic)
    if spec is None or spec.certified_optimum is None or not hasattr(critic, "labelled"):
        raise TypeError(
            "critic must be of a registered problem whose frames can be labelled, got "
            f"{type(critic).__name__}"
        )
    return spec.certified_optimum
