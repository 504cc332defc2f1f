"""Certified optima of the frames of a run, computed while the frames are played."""

import functools
import itertools
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from typing import TypeAlias, TypeVar

import numpy as np

from droo_core.arrays import Floats
from env import WPMECCritic
from env.schemes import certify_frames

T = TypeVar("T")

Results: TypeAlias = tuple[Floats, dict[str, float]]
"""Upper bounds on the rates `[T]`, bit/s, and entries of summary.json."""


@dataclass(eq=False)
class Certificates:
    """Certified optima of a run's frames, shared by copies of its task.

    Attributes:
        gains: as of `WPMECTask`.
        weights_from: as of `WPMECTask`.
        time_limit: as for `certify`.
    """

    gains: Floats
    weights_from: Mapping[int, Floats]
    time_limit: float
    _begun: Future[Results] | None = field(default=None, init=False, repr=False)

    def begin(self) -> None:
        """Compute them in the background from now on, with a progress bar on a terminal.

        Nothing is begun if the process may use a single core only.
        """
        if cores() > 1:
            self._begun = in_background(functools.partial(self._certify, progress=True))

    @functools.cached_property
    def results(self) -> Results:
        """The results of `certify`, if need be computed now."""
        return self._begun.result() if self._begun else self._certify(progress=False)

    def _certify(self, *, progress: bool) -> Results:
        return certify(self.gains, self.weights_from, self.time_limit, progress=progress)


def certify(
    gains: Floats, weights_from: Mapping[int, Floats], time_limit: float, *, progress: bool
) -> Results:
    """Return certified upper bounds on the rates of frames.

    Args:
        gains: channel gains `[T, N]`.
        weights_from: first frame, from 0, -> the weights `[N]` from that frame on; 0 is among the
            keys.
        time_limit: seconds per frame after which the search stops with the gap that it has reached.
        progress: whether to show a progress bar, on a terminal.

    Returns:
        The upper bounds `[T]` in bit/s; and entries of summary.json: the largest gap, and the
        seconds taken.
    """
    start, description = time.perf_counter(), "optimum of every frame" if progress else None
    optima = [
        certify_frames(
            WPMECCritic(weights_from[first]),
            gains[first:end],
            time_limit=time_limit,
            description=description,
        )
        for first, end in itertools.pairwise([*weights_from, len(gains)])
    ]
    return np.concatenate([each.upper_bounds for each in optima]), {
        "optimum_gap": max(float(each.gaps.max()) for each in optima),
        "optimum_seconds": time.perf_counter() - start,
    }


def in_background(function: Callable[[], T]) -> Future[T]:
    """Call a function in a thread that does not keep the process from ending.

    Compiled kernels let other threads run.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # for the thread that asks for the result
            future.set_exception(error)

    Thread(target=work, daemon=True).start()
    return future


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
