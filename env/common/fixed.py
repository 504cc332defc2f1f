"""The schemes that do not look at the frame: all local, all offloading, random."""

from collections.abc import Callable

import numpy as np

from env.problem import Frame, Ints


def all_local(frame: Frame) -> Ints:
    """Return the decision `[N]` that every device computes locally (DROO: Local Computing)."""
    return np.zeros(frame.num_devices, dtype=np.int64)


def all_offloading(frame: Frame) -> Ints:
    """Return the decision `[N]` that every device offloads (DROO: Edge Computing)."""
    return np.ones(frame.num_devices, dtype=np.int64)


def random_offloading(rng: np.random.Generator) -> Callable[[Frame], Ints]:
    """Return a scheme by which each device offloads with probability 1/2.

    Args:
        rng: where chance comes from.
    """

    def scheme(frame: Frame) -> Ints:
        return rng.integers(0, 2, frame.num_devices)

    return scheme
