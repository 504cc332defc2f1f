"""The frames of an experiment, played one by one or in compiled code."""

import copy
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent import DROO, Choice
from agent.backends import CompiledMLP
from agent.droo import Progress
from agent.validation import vector
from env import WPMECCritic
from env.common.features import WPMEC_FEATURES, WPMECView, parse, states
from experiments.problems.wpmec import frame_kernels
from experiments.problems.wpmec.frame_kernels import Columns, Rules
from experiments.problems.wpmec.frames import replay
from experiments.simulation import simulate

Floats = NDArray[np.float64]

BLOCK = 4096  # frames whose states are made at a time


class Played(NamedTuple):
    """Some frames that were played, by one agent or by B.

    Attributes:
        frames: how many were played until now.
        costs: of each agent, in which of these frames it was trained, from 1, and the losses.
        decision_us: how long an agent's decision took on average, the training step included.
    """

    frames: int
    costs: list[list[tuple[int, float]]]
    decision_us: float


Player: TypeAlias = Callable[[DROO, Floats, Mapping[int, Floats], Columns], Iterator[Played]]
"""What `play` is, and those that it chooses from."""


class Timed(NamedTuple):
    """All that was played.

    Attributes:
        costs: as in `Played`.
        decision_us: of each frame `[T]`.
        seconds: of all.
    """

    costs: list[list[tuple[int, float]]]
    decision_us: Floats
    seconds: float


def time_all(playing: Iterable[Played], num_agents: int, num_frames: int) -> Timed:
    """Play to the end; return how long it took, and the losses on the way."""
    costs: list[list[tuple[int, float]]] = [[] for _ in range(num_agents)]
    decision_us = np.empty(num_frames)
    start, before = time.perf_counter(), 0
    for played in playing:
        for so_far, new in zip(costs, played.costs, strict=True):
            so_far.extend(new)
        decision_us[before : played.frames] = played.decision_us
        before = played.frames
    return Timed(costs, decision_us, time.perf_counter() - start)


def new_columns(*shape: int) -> Columns:
    """Return room for what frames come to, for decisions `[T, N]`, or `[B, T, N]` of B agents."""
    rate, own_rate = np.empty((2, *shape[:-1]))
    k, best_candidate, scored = np.empty((3, *shape[:-1]), dtype=np.int64)
    return Columns(rate, own_rate, k, best_candidate, scored, np.empty(shape, dtype=np.int64))


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
    check_fits(droo, gains, weights_from)
    compiled = can_be_compiled(droo, gains)
    return (play_compiled if compiled else play_one_by_one)(droo, gains, weights_from, columns)


def check_fits(droo: DROO, gains: Floats, weights_from: Mapping[int, Floats]) -> None:
    """Check that frames have as many devices as the agent.

    Raises:
        ValueError: if they have not.
    """
    num_devices = droo.agent.net[-1]
    for name, array in (("gains", gains), *(("weights", each) for each in weights_from.values())):
        if array.shape[-1] != num_devices:
            raise ValueError(
                f"{name} must be those of the agent's {num_devices} devices, got {array.shape[-1]}"
            )


def can_be_compiled(droo: DROO, gains: Floats) -> bool:
    """Whether there is compiled code for this agent and these channel gains `[T, N]`."""
    features = droo.agent.features
    return (
        droo.mode == "OP"
        and not droo.learn_later
        and not droo.refine_from_local
        and droo.due == 0
        and isinstance(droo.agent.learner.backend, CompiledMLP)
        and features is not None
        and ("active" not in features or bool((gains > 0).all()))
    )


def compile_frames(
    droo: DROO, gains: Floats, weights: Floats, player: Player | None = None
) -> None:
    """Play the first frame with a copy of the agent, and learn: all is compiled afterwards.

    Args:
        droo: the agent.
        gains: channel gains `[T, N]`.
        weights: of the devices `[N]`.
        player: `play`, if None, or one of those that it chooses from.
    """
    trial, columns = copy.deepcopy(droo), new_columns(1, gains.shape[1])
    for _ in (player or play)(trial, gains[:1], {0: weights}, columns):
        trial.agent.learn()


def play_one_by_one(
    droo: DROO, gains: Floats, weights_from: Mapping[int, Floats], columns: Columns
) -> Iterator[Played]:
    """Do what `play` does with `simulate`, whatever the agent."""
    env = replay(gains, weights_from[0], droo.agent.features)
    for t, frame in enumerate(simulate(droo, env, len(gains))):
        write_frame(columns, t, frame.reward, frame.k, frame.choice)
        costs = [] if frame.cost is None else [(t + 1, frame.cost)]
        yield Played(t + 1, [costs], frame.decision_us)
        if t + 1 in weights_from:
            env.weights = weights_from[t + 1]


def play_compiled(
    droo: DROO, gains: Floats, weights_from: Mapping[int, Floats], columns: Columns
) -> Iterator[Played]:
    """Do what `play` does with `frame_kernels.play`; `can_be_compiled` must hold."""
    agent = droo.agent
    rules, backend = rules_of(droo), agent.learner.backend
    assert isinstance(backend, CompiledMLP)
    for begin, end in stretches(weights_from, len(gains)):
        critic = WPMECCritic(weights_in(weights_from, begin))
        of_block = states_of(agent.features or (), gains, weights_from, begin, end)
        t = begin
        while t < end:
            layers = backend.layers()
            start, first = time.perf_counter(), t
            t, outcome, progress = frame_kernels.play(
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
            if outcome == frame_kernels.FAILED:
                droo.decide(of_block[t - begin], partial(critic.score, gains[t]))  # says why
                raise AssertionError("a frame failed in compiled code alone")
            if outcome == frame_kernels.TRAIN:
                agent.learn()
            seconds = time.perf_counter() - start
            costs = [(t, agent.cost_his[-1])] if outcome == frame_kernels.TRAIN else []
            yield Played(t, [costs], seconds / (t - first) * 1e6)


def write_frame(columns: Columns, t: int, rate: float, k: int, choice: Choice) -> None:
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


def stretches(weights_from: Mapping[int, Floats], num_frames: int) -> Iterator[tuple[int, int]]:
    """Return begin and end of stretches of frames, none too long, that share their weights."""
    ends = {*weights_from, *range(0, num_frames, BLOCK), num_frames}
    return itertools.pairwise(sorted(ends))


def weights_in(weights_from: Mapping[int, Floats], frames: ArrayLike) -> Floats:
    """Return the weights of frames: `[N]` of one, `[T, N]` of T."""
    each: Floats = np.array(list(weights_from.values()))
    return each[np.searchsorted(list(weights_from), frames, side="right") - 1]


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
    oldest = max(age for _, age in parse(features, WPMEC_FEATURES))
    earliest = max(0, begin - oldest)
    weights = weights_in(weights_from, np.arange(earliest, end))
    frames = WPMECView(gains[earliest:end], weights)
    found = states(features, WPMEC_FEATURES, frames)[begin - earliest :]
    return vector("states", found.ravel(), found.size).reshape(found.shape)
