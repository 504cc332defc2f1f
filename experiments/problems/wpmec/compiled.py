"""Plays frames of wireless powered MEC in compiled code, for agents that it supports.

The reference is `experiments.simulation.simulate`: a test checks that decisions, replay memory and
weights are equal bit for bit.
"""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent import DROO
from agent.backends import CompiledMLP
from agent.droo import Progress
from agent.validation import vector
from droo_core.arrays import Floats
from env import WPMECCritic
from env.common.features import parse, states
from env.wpmec.features import WPMEC_FEATURES, WPMECView
from experiments.consumers.recorder import Block
from experiments.problems.wpmec import kernels
from experiments.problems.wpmec.kernels import Columns, Rules
from experiments.runs.table import Table

BLOCK = 4096  # maximum number of frames whose states are computed at once


def can_be_compiled(droo: DROO, gains: Floats) -> bool:
    """Whether the compiled code supports this agent and these channel gains `[T, N]`."""
    features = droo.agent.features
    return (
        droo.mode == "OP"
        and not droo.learn_later
        and not droo.refine_from_local
        and droo.due == 0
        and not droo.explore
        and isinstance(droo.agent.learner.backend, CompiledMLP)
        and features is not None
        and ("active" not in features or bool((gains > 0).all()))
    )


def writes_all(table: Table) -> bool:
    """Whether the kernels write every column of a table that a recorder reads."""
    read = {column.name for column in table.schema.of(agent=True) if column.read is not None}
    return read <= set(Columns._fields)


def check_fits(droo: DROO, gains: Floats, weights_from: Mapping[int, Floats]) -> None:
    """Check that gains and weights are for the agent's number of devices.

    Raises:
        ValueError: if their number of devices differs.
    """
    num_devices = droo.agent.net[-1]
    for name, array in (("gains", gains), *(("weights", each) for each in weights_from.values())):
        if array.shape[-1] != num_devices:
            raise ValueError(
                f"{name} must be for the agent's {num_devices} devices, got {array.shape[-1]}"
            )


def play_compiled(
    droo: DROO, gains: Floats, weights_from: Mapping[int, Floats], table: Table
) -> Iterator[Block]:
    """Play frames in compiled code; `can_be_compiled` must hold.

    Args:
        droo: the agent.
        gains: channel gains `[T, N]`.
        weights_from: first frame, from 0, -> the weights `[N]` from that frame on; 0 is among the
            keys.
        table: output, with space for T frames.

    Yields:
        Blocks of frames, each of which ends with a training step at the latest.

    Raises:
        ValueError: if a gain is negative, or a state is not finite in single precision.
        ArithmeticError: if training made the network's parameters non-finite, or an allocation
            could not be solved.
    """
    agent, rules, backend = droo.agent, rules_of(droo), droo.agent.learner.backend
    assert isinstance(backend, CompiledMLP)
    columns = columns_of(table)
    for begin, end in stretches(weights_from, len(gains)):
        critic = WPMECCritic(weights_in(weights_from, begin))
        of_block = states_of(agent.features or (), gains, weights_from, begin, end)
        t = begin
        while t < end:
            layers = backend.layers()
            start, first = time.perf_counter(), t
            t, outcome, progress = kernels.play(
                t,
                end,
                layers,
                of_block[t - begin :],
                gains,
                critic.kernel_arguments,
                agent.memory,
                agent.memory_counter,
                rules,
                droo.progress,
                columns,
            )
            droo.progress = Progress(*progress)
            agent.replay.counter += t - first
            if outcome == kernels.FAILED:
                # The frame is repeated in Python, which raises the exact error.
                droo.decide(of_block[t - begin], partial(critic.score, gains[t]))
                raise AssertionError("a frame failed in compiled code but not in Python")
            if outcome == kernels.TRAIN:
                agent.learn()
            seconds = time.perf_counter() - start
            costs = [(t, agent.cost_his[-1])] if outcome == kernels.TRAIN else []
            yield Block(first, t, costs, seconds / (t - first) * 1e6)


def columns_of(table: Table) -> Columns:
    """Return the columns of a table that the kernels write."""
    return Columns(*(table.columns[name] for name in Columns._fields))


def joint_columns(tables: Sequence[Table]) -> Columns:
    """Stack the columns of several tables `[B, ...]`; the tables get views of the result."""
    joint = [np.stack([table.columns[name] for table in tables]) for name in Columns._fields]
    for b, table in enumerate(tables):
        table.columns |= {name: each[b] for name, each in zip(Columns._fields, joint, strict=True)}
    return Columns(*joint)


def rules_of(droo: DROO) -> Rules:
    """Return an agent's settings as a kernel argument."""
    return Rules(
        droo.agent.training_interval,
        droo.adapt_every or 0,
        droo.refine_every or 0,
        droo.learn_when_wrong,
    )


def stretches(weights_from: Mapping[int, Floats], num_frames: int) -> Iterator[tuple[int, int]]:
    """Return begin and end of ranges of frames with the same weights, `BLOCK` frames at most."""
    begins = {at for at in weights_from if at < num_frames} | {*range(0, num_frames, BLOCK)}
    return itertools.pairwise([*sorted(begins), num_frames])


def weights_in(weights_from: Mapping[int, Floats], frames: ArrayLike) -> Floats:
    """Return the weights of one frame `[N]`, or of T frames `[T, N]`."""
    each: Floats = np.array(list(weights_from.values()))
    return each[np.searchsorted(list(weights_from), frames, side="right") - 1]


def states_of(
    features: tuple[str, ...],
    gains: Floats,
    weights_from: Mapping[int, Floats],
    begin: int,
    end: int,
) -> NDArray[np.float32]:
    """Return the states `[end - begin, inputs]` of frames, equal to those of the environment.

    Raises:
        ValueError: if a state is not finite in single precision.
    """
    oldest = max(age for _, age in parse(features, WPMEC_FEATURES))
    earliest = max(0, begin - oldest)
    weights = weights_in(weights_from, np.arange(earliest, end))
    frames = WPMECView(gains[earliest:end], weights)
    found = states(features, WPMEC_FEATURES, frames)[begin - earliest :]
    return vector("states", found.ravel(), found.size).reshape(found.shape)
