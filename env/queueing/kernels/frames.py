"""Kernels of MEC with queues for a compiled loop over frames.

They take the arrays of successive frames in one bundle, `Frames`, and the index of a frame in it.
`observe` writes the state, `score` the rewards of decisions, and `carry_out` the outcome of one.
"""

import math
from typing import NamedTuple

import numpy as np

from droo_core.arrays import Floats, Ints, Singles
from droo_core.jit import as_inner, inner_kernel
from env.common.features import SMALLEST_LOG
from env.queueing.features import GAIN_SCALE, MAX_AIRTIME, QUEUE_SCALE, QUEUEING_FEATURES
from env.queueing.kernels import allocation, kernel, search
from env.queueing.kernels.allocation import SOLVED
from env.queueing.kernels.devices import Constants

score_decisions = as_inner(allocation.score)
allocate = as_inner(allocation.allocate)
outlook = as_inner(search.outlook)

(
    GAIN,
    DATA_QUEUE,
    ENERGY_QUEUE,
    LOG_GAIN,
    LOG_DATA_QUEUE,
    LOG_ENERGY_QUEUE,
    WEIGHT,
    ACTIVE,
    LOG_PRICE,
    AIRTIME,
    AHEAD,
) = range(len(QUEUEING_FEATURES))
"""Numbers of the features, in the order of `QUEUEING_FEATURES`."""

SMALLEST_GAIN = math.exp(SMALLEST_LOG)


class Frames(NamedTuple):
    """Successive frames; the queues of all but the first follow from the decisions.

    Attributes:
        features: numbers of the features of a state `[F]`.
        looks_ahead: whether one of them needs the outlook.
        coming: gains h, data queues Q (Mbit) and energy queues Y of the coming frame, in and out
            `[3, N]`.
        gain: channel gains `[T, N]`.
        arrival: data that arrive in each frame, Mbit `[T, N]`.
        weights: w `[N]`.
        constants: of the problem.
        energy_budget: J.
        energy_queue_scale: nu, 1/J.
        data_queue: out, of each frame `[T, N]`.
        energy_queue: out, of each frame `[T, N]`.
        rate: out, data computed in each frame, Mbit `[T, N]`.
        energy: out, energy used in each frame, J `[T, N]`.
    """

    features: Ints
    looks_ahead: bool
    coming: Floats
    gain: Floats
    arrival: Floats
    weights: Floats
    constants: Constants
    energy_budget: float
    energy_queue_scale: float
    data_queue: Floats
    energy_queue: Floats
    rate: Floats
    energy: Floats


@inner_kernel
def value_of(feature: int, coming: Floats, weight: float, seen: Floats, i: int) -> float:
    """Return a feature of device i: that of this number in `QUEUEING_FEATURES`."""
    value: float = 0.0
    if feature == GAIN:
        value = coming[0, i] * GAIN_SCALE
    elif feature == DATA_QUEUE:
        value = coming[1, i] / QUEUE_SCALE
    elif feature == ENERGY_QUEUE:
        value = coming[2, i] / QUEUE_SCALE
    elif feature == LOG_GAIN:
        value = math.log(max(coming[0, i] * GAIN_SCALE, SMALLEST_GAIN))
    elif feature == LOG_DATA_QUEUE:
        value = math.log1p(coming[1, i])
    elif feature == LOG_ENERGY_QUEUE:
        value = math.log1p(coming[2, i])
    elif feature == WEIGHT:
        value = weight
    elif feature == ACTIVE:
        value = 1.0 if coming[0, i] > 0.0 else 0.0
    elif feature == LOG_PRICE:
        value = math.log1p(seen[0, i])
    elif feature == AIRTIME:
        value = min(seen[1, i], MAX_AIRTIME)
    elif feature == AHEAD:
        value = min(seen[2, i], MAX_AIRTIME)
    return value


@kernel
def observe(frames: Frames, t: int, state: Singles) -> None:
    """Take the gains of frame t, and write its state `[F N]`."""
    n, coming, seen = len(frames.weights), frames.coming, frames.coming
    for i in range(n):
        coming[0, i] = frames.gain[t, i]
    if frames.looks_ahead:
        seen = outlook(coming, frames.weights, frames.constants)
    for f in range(len(frames.features)):
        for i in range(n):
            value = value_of(frames.features[f], coming, frames.weights[i], seen, i)
            state[f * n + i] = np.float32(value)


@kernel
def score(frames: Frames, t: int, decisions: Ints, rewards: Floats) -> bool:  # noqa: ARG001
    """Write the rewards `[K]` of decisions `[K, N]` in frame t; return whether all were found."""
    outcome = score_decisions(frames.coming, frames.weights, frames.constants, decisions, rewards)
    return outcome == SOLVED


@kernel
def carry_out(frames: Frames, t: int, decision: Ints) -> float:
    """Carry out a decision `[N]` in frame t, and move on to the next.

    The queues become those of `env.queueing.queues.Queues.after`. Returns the reward, NaN if it was
    not found; nothing has changed then.
    """
    coming = frames.coming
    done = np.empty((5, len(decision)))
    reward, _, outcome = allocate(coming, frames.weights, frames.constants, decision, done)
    if outcome != SOLVED:
        return math.nan
    for i in range(len(decision)):
        rate, energy = done[0, i], done[1, i]
        frames.data_queue[t, i], frames.energy_queue[t, i] = coming[1, i], coming[2, i]
        frames.rate[t, i], frames.energy[t, i] = rate, energy
        coming[1, i] = max(coming[1, i] - rate + frames.arrival[t, i], 0.0)
        grown = frames.energy_queue_scale * (energy - frames.energy_budget)
        coming[2, i] = max(coming[2, i] + grown, 0.0)
    return float(reward)
