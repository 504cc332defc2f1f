"""The loop over frames as one compiled kernel, for any policy and any problem.

It computes the same as `DROO.decide` and a problem's `step`. Policy and problem are arguments:
kernels that are called through their addresses. The rules of progress are those of `agent.droo`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import numba
import numpy as np
from numpy.typing import NDArray

import agent
from agent import droo
from agent.droo import Progress
from agent.kernels import quantization
from droo_core import ascent
from droo_core.arrays import Floats, Ints, Singles
from droo_core.ascent import improves
from droo_core.jit import kernel_of

_AGENT = Path(agent.__file__).parent
kernel = kernel_of(__file__, _AGENT / "droo.py", _AGENT / "kernels", ascent.__file__)

advance = cast(Callable[..., Progress], numba.njit(droo.advance))
refinement_is_due = cast(Callable[..., bool], numba.njit(droo.refinement_is_due))


class Rules(NamedTuple):
    """Settings of `DROO` and `MemoryDNN` by the same names; 0 stands for None.

    Attributes:
        own_climb: whether refinement is the problem's own, which scores its start once more.
    """

    training_interval: int
    batch_size: int
    adapt_every: int
    refine_every: int
    refine_from_local: bool
    learn_when_wrong: bool
    rebuild_optimizer: bool
    own_climb: bool


class Policy(NamedTuple):
    """A policy and its Adam, trained in place: arguments of its kernels, see `agent.kernels`."""

    parameters: Singles
    shape: Ints
    first: Singles
    second: Singles
    steps: Singles
    hyperparameters: Floats


class Parts(NamedTuple):
    """The kernels of a policy and of a problem, and the clock."""

    forward: Any
    train: Any
    observe: Any
    score: Any
    carry_out: Any
    clock: Any


class Columns(NamedTuple):
    """Columns of a run's table that the loop writes, named as in the schema.

    Attributes:
        reward: of the decisions `[T]`.
        own_reward: of the policy's own decisions `[T]`.
    """

    reward: Floats
    own_reward: Floats
    k: Ints
    best_candidate: Ints
    scored: Ints
    decision: Ints


class Record(NamedTuple):
    """Output of a call, for its frames.

    Attributes:
        decision_us: duration of each decision, training included, in microseconds `[F]`.
        trained: numbers of the frames with a training step, from 1 `[F]`.
        losses: the losses of these steps `[F]`.
    """

    decision_us: Floats
    trained: Ints
    losses: Floats


class Start(NamedTuple):
    """A decision from which refinement starts, with the candidates scored before it."""

    reward: float
    candidate: int
    scored: int


@kernel
def microseconds(clock: Any, clock_id: int, time: NDArray[np.int64]) -> float:
    """Return the time of a monotonic clock; `time` is a buffer `[2]`."""
    clock(np.int32(clock_id), np.uintp(time.ctypes.data))
    return time[0] * 1e6 + time[1] * 1e-3


@kernel
def climb(
    score: Any,
    frames: Any,
    t: int,
    decision: Any,
    reward: float,
    neighbours: Any,
    rewards: Floats,
) -> tuple[float, int, int, bool]:
    """Repeat the best change of one device until none improves the reward: `agent.refinement`.

    Args:
        score: the problem's critic.
        frames: its frames.
        t: the frame.
        decision: in and out `[N]`.
        reward: of the decision.
        neighbours: buffer `[N, N]`.
        rewards: buffer `[N]`.

    Returns:
        The reward reached; the index among the scored decisions of the one reached, -1 if it is
        the initial one; the number of decisions scored; and whether all rewards were found.
    """
    scored, found, n = 0, -1, len(decision)
    while True:
        for i in range(n):
            for j in range(n):
                neighbours[i, j] = decision[j]
            neighbours[i, i] = 1 - decision[i]
        if not score(frames, t, neighbours, rewards):
            return reward, found, scored, False
        best = 0
        for i in range(1, n):
            if rewards[i] > rewards[best]:
                best = i
        scored += n
        if not improves(rewards[best], reward):
            return reward, found, scored, True
        reward, found = rewards[best], scored - n + best
        decision[best] = 1 - decision[best]


@kernel
def play(
    first: int,
    end: int,
    offset: int,
    parts: Parts,
    policy: Policy,
    frames: Any,
    rng: np.random.Generator,
    memory: Singles,
    counter: int,
    rules: Rules,
    progress: Progress,
    columns: Columns,
    record: Record,
    clock_id: int,
) -> tuple[int, int, Progress]:
    """Play frames `first` to `end` - 1, or until one fails.

    Args:
        first: index of the first frame, from 0.
        end: index after the last frame.
        offset: index of the first of `frames`.
        parts: the kernels of policy and problem.
        policy: in and out.
        frames: of the problem, the argument of its kernels.
        rng: source of the replay memory's samples.
        memory: rows of the replay memory `[M, inputs + N]`, in and out.
        counter: number of rows ever written to the memory.
        rules: settings of the agent.
        progress: progress of the agent before the first frame.
        columns: output, for all frames.
        record: output.
        clock_id: of the clock.

    Returns:
        The index of the next frame, which failed if it is not `end` (nothing of it is written
        then); the number of training steps; and the progress.
    """
    num_devices = columns.decision.shape[1]
    inputs = memory.shape[1] - num_devices
    state, single = np.empty(inputs, np.float32), np.empty(num_devices, np.float32)
    logits, time = np.empty(num_devices), np.empty(2, np.int64)
    # In one array, so that candidates and neighbours have one type.
    decisions = np.empty((num_devices + 1, num_devices), np.int64)
    neighbours = np.empty((num_devices, num_devices), np.int64)
    decision, other = np.empty(num_devices, np.int64), np.empty(num_devices, np.int64)
    ranks = np.empty(num_devices + 1, np.int64)
    rewards = np.empty(num_devices + 1)
    batch = np.empty((rules.batch_size, memory.shape[1]), np.float32)
    trained = 0
    for t in range(first, end):
        started = microseconds(parts.clock, clock_id, time)
        parts.observe(frames, t - offset, state)
        parts.forward(policy.parameters, policy.shape, state, single)
        finite = 0.0
        for i in range(num_devices):
            logits[i] = single[i]
            finite += logits[i]
        if not np.isfinite(finite):
            return t, trained, progress
        count = quantization.order_preserving(logits, 0.0, progress.k, decisions, ranks)
        solved = parts.score(frames, t - offset, decisions[:count], rewards)
        best = 0
        for i in range(1, count):
            if rewards[i] > rewards[best]:
                best = i
        for i in range(num_devices):
            decision[i] = decisions[best, i]
        own_reward, reward, candidate, scored = rewards[0], rewards[best], best, count
        if solved and refinement_is_due(progress, rules.refine_every):
            # The second start, if any, is the decision that every device computes locally.
            for start in range(2 if rules.refine_from_local else 1):
                begun, before = reward, 0
                for i in range(num_devices):
                    other[i] = decision[i] if start == 0 else 0
                if start == 1 and solved:
                    solved = parts.score(frames, t - offset, other.reshape(1, -1), rewards)
                    begun, before = rewards[0], 1
                if not solved:
                    break
                reached, found, more, solved = climb(
                    parts.score, frames, t - offset, other, begun, neighbours, rewards
                )
                index = 0 if found < 0 else before + found
                if rules.own_climb:  # it scores its start, and counts the decision reached last
                    index = 0 if found < 0 else before + more
                    more += 1
                if improves(reached, reward):
                    reward, candidate = reached, scored + index
                    for i in range(num_devices):
                        decision[i] = other[i]
                scored += before + more
        spent = microseconds(parts.clock, clock_id, time) - started
        if not solved or not parts.carry_out(frames, t - offset, decision):
            return t, trained, progress

        started = microseconds(parts.clock, clock_id, time)
        columns.reward[t], columns.own_reward[t] = reward, own_reward
        columns.k[t], columns.best_candidate[t], columns.scored[t] = progress.k, candidate, scored
        row = counter % len(memory)
        for i in range(inputs):
            memory[row, i] = state[i]
        for i in range(num_devices):
            columns.decision[t, i] = decision[i]
            memory[row, inputs + i] = decision[i]
        counter += 1
        refined = candidate != best
        progress = advance(progress, ranks[best], refined, rules.adapt_every, num_devices)
        due = counter % rules.training_interval == 0
        if due or (rules.learn_when_wrong and candidate > 0):
            drawn = rng.integers(0, min(counter, len(memory)), rules.batch_size)
            for i in range(rules.batch_size):
                for j in range(memory.shape[1]):
                    batch[i, j] = memory[drawn[i], j]
            if rules.rebuild_optimizer:
                for i in range(len(policy.first)):
                    policy.first[i] = policy.second[i] = np.float32(0)
                policy.steps[:] = np.float32(0)
            policy.steps[:] += np.float32(1)
            record.losses[trained] = parts.train(
                policy.parameters,
                policy.shape,
                policy.first,
                policy.second,
                float(policy.steps[0]),
                policy.hyperparameters,
                batch,
            )
            record.trained[trained] = t + 1
            trained += 1
        spent += microseconds(parts.clock, clock_id, time) - started
        record.decision_us[t - first] = spent
    return end, trained, progress
