"""The frames of an experiment, played one by one or in compiled code."""

import copy
import itertools
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent import DROO, Choice
from agent.droo import Progress
from env import WPMECCritic
from env.features import parse, states
from experiments import frame_kernels
from experiments.frame_kernels import Columns, Problem, Rules
from experiments.frames import replay
from experiments.simulation import simulate

Floats = NDArray[np.float64]

BLOCK = 4096  # frames whose states are made at a time


class Played(NamedTuple):
    """Some frames that were played.

    Attributes:
        frames: how many were played until now.
        cost: the training loss if a training step fell in the last of them, else None.
        decision_us: how long a decision took on average, the training step included.
    """

    frames: int
    cost: float | None
    decision_us: float


def new_columns(num_frames: int, num_devices: int) -> Columns:
    """Return room for what frames come to."""
    rate, own_rate = np.empty((2, num_frames))
    k, best_candidate, scored = np.empty((3, num_frames), dtype=np.int64)
    decision = np.empty((num_frames, num_devices), dtype=np.int64)
    return Columns(rate, own_rate, k, best_candidate, scored, decision)


def play(
    droo: DROO, gains: Floats, weights_from: Mapping[int, Floats], columns: Columns
) -> Iterator[Played]:
    """Play frames of wireless powered MEC, in compiled code if that is possible.

    Args:
        droo: the agent.
        gains: channel gains `[T, N]`.
        weights_from: the weights `[N]` from each frame on at which they change, the first being 0.
        columns: out, what each frame came to.

    Yields:
        What was played since the last time, at every training step at least.

    Raises:
        ValueError: if the agent does not fit the frames.
        ArithmeticError: if training has driven the weights to non-finite values, or an allocation
            could not be solved.
    """
    compiled = can_be_compiled(droo, gains)
    return (play_compiled if compiled else play_one_by_one)(droo, gains, weights_from, columns)


def can_be_compiled(droo: DROO, gains: Floats) -> bool:
    """Whether there is compiled code for this agent and these channel gains `[T, N]`."""
    features = droo.agent.features
    return (
        droo.mode == "OP"
        and not droo.learn_later
        and droo.agent.compiled_layers is not None
        and features is not None
        and ("active" not in features or bool((gains > 0).all()))
    )


def compile_frames(droo: DROO, gains: Floats, weights: Floats) -> None:
    """Play the first frame with a copy of the agent, and learn: all is compiled afterwards."""
    trial, columns = copy.deepcopy(droo), new_columns(1, gains.shape[1])
    for _ in play(trial, gains[:1], {0: weights}, columns):
        trial.agent.learn()


def play_one_by_one(
    droo: DROO, gains: Floats, weights_from: Mapping[int, Floats], columns: Columns
) -> Iterator[Played]:
    """Do what `play` does with `simulate`, whatever the agent."""
    env = replay(gains, weights_from[0], droo.agent.features)
    for t, frame in enumerate(simulate(droo, env, len(gains))):
        write(columns, t, frame.reward, frame.k, frame.choice)
        yield Played(t + 1, frame.cost, frame.decision_us)
        if t + 1 in weights_from:
            env.weights = weights_from[t + 1]


def play_compiled(
    droo: DROO, gains: Floats, weights_from: Mapping[int, Floats], columns: Columns
) -> Iterator[Played]:
    """Do what `play` does with `frame_kernels.play`; `can_be_compiled` must hold."""
    agent = droo.agent
    rules = rules_of(droo)
    for begin, end in blocks(weights_from, len(gains)):
        critic = WPMECCritic(weights_at(weights_from, begin))
        problem = Problem(gains, *critic.kernel_arguments)
        of_block = states_of(agent.features or (), gains, weights_from, begin, end)
        t = begin
        while t < end:
            layers = agent.compiled_layers
            assert layers is not None
            start, first = time.perf_counter(), t
            t, outcome, progress = frame_kernels.play(
                t,
                end,
                layers,
                of_block[t - begin :],
                problem,
                agent.memory,
                agent.memory_counter,
                rules,
                droo.progress,
                columns,
            )
            droo.progress = Progress(*progress)
            agent.replay.counter += t - first
            if outcome == frame_kernels.FAILED:
                droo.decide(of_block[t - begin], partial(critic.score, gains[t]))  # says why
                raise AssertionError("a frame failed in compiled code alone")
            if outcome == frame_kernels.TRAIN:
                agent.learn()
            seconds = time.perf_counter() - start
            cost = agent.cost if outcome == frame_kernels.TRAIN else None
            yield Played(t, cost, seconds / (t - first) * 1e6)


def write(columns: Columns, t: int, rate: float, k: int, choice: Choice) -> None:
    """Write what a frame came to."""
    columns.rate[t], columns.own_rate[t] = rate, choice.own_reward
    columns.k[t], columns.best_candidate[t] = k, choice.candidate
    columns.scored[t], columns.decision[t] = choice.num_candidates, choice.decision


def rules_of(droo: DROO) -> Rules:
    """Return an agent's settings for the kernels."""
    return Rules(
        droo.agent.training_interval,
        droo.adapt_every or 0,
        droo.refine_every or 0,
        droo.learn_when_wrong,
    )


def blocks(weights_from: Mapping[int, Floats], num_frames: int) -> Iterator[tuple[int, int]]:
    """Return the ends of stretches of frames, none too long, in which weights do not change."""
    ends = {*weights_from, *range(0, num_frames, BLOCK), num_frames}
    return itertools.pairwise(sorted(ends))


def weights_at(weights_from: Mapping[int, Floats], t: int) -> Floats:
    """Return the weights `[N]` of a frame."""
    return weights_from[max(first for first in weights_from if first <= t)]


def states_of(
    features: tuple[str, ...],
    gains: Floats,
    weights_from: Mapping[int, Floats],
    begin: int,
    end: int,
) -> NDArray[np.float32]:
    """Return the states `[end - begin, inputs]` of frames, as a replaying environment gives them.

    Raises:
        ValueError: if one is not finite in single precision.
    """
    parsed = parse(features)
    earliest = max(0, begin - max(age for _, age in parsed))
    weights = np.stack([weights_at(weights_from, t) for t in range(earliest, end)])
    found = states(parsed, gains[earliest:end], weights)[begin - earliest :]
    largest = np.abs(found).max()
    if not largest <= np.finfo(np.float32).max:
        raise ValueError(f"states must be finite in single precision, got {largest} in magnitude")
    return found.astype(np.float32)
