"""Schemes for any problem that need no search: all local, all offloading, random, enumeration."""

import itertools

import numpy as np

from droo_core.arrays import Ints
from env.problem import Frame, Scheme

MAX_ENUMERATED = 20  # devices


def all_local(frame: Frame) -> Ints:
    """Return the decision `[N]` that every device computes locally (DROO: Local Computing)."""
    return np.zeros(frame.num_devices, dtype=np.int64)


def all_offloading(frame: Frame) -> Ints:
    """Return the decision `[N]` that every device offloads (DROO: Edge Computing)."""
    return np.ones(frame.num_devices, dtype=np.int64)


def random_offloading(rng: np.random.Generator) -> Scheme:
    """Return a scheme by which each device offloads with probability 1/2.

    Args:
        rng: source of the random numbers.
    """

    def scheme(frame: Frame) -> Ints:
        return rng.integers(0, 2, frame.num_devices)

    return scheme


def full_enumeration(frame: Frame) -> Ints:
    """Return the optimal decision `[N]` by scoring all 2^N.

    Raises:
        ValueError: if N > 20.
    """
    n = frame.num_devices
    if n > MAX_ENUMERATED:
        raise ValueError(f"num_devices must be at most {MAX_ENUMERATED} to enumerate, got {n}")
    decisions = np.array(list(itertools.product((0, 1), repeat=n)))
    best: Ints = decisions[np.argmax(frame.score(decisions))]
    return best
