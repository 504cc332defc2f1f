"""The loop over frames as one compiled kernel, for any policy and any problem.

It computes the same as `DROO.decide` and a problem's `step`. Policy and problem are arguments:
kernels that are called through their addresses. The rules of progress are those of `agent.droo`.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import agent
from agent import droo
from agent.droo import Progress
from agent.kernels import quantization
from droo_core.arrays import Floats, Ints, Singles
from droo_core.ascent import improves
from droo_core.jit import as_inner, inner_kernel, kernel_of
from droo_core.numeric import copy, index_of_largest
from droo_core.pointers import CLOCK
from experiments.compiled import arguments
from experiments.compiled.arguments import Buffers, Columns, Parts, Policy, Record, Rules

_AGENT = Path(agent.__file__).parent
kernel = kernel_of(__file__, arguments.__file__, _AGENT / "droo.py", _AGENT / "kernels")

order_preserving = as_inner(quantization.order_preserving)
advance = inner_kernel(droo.advance)
refinement_is_due = inner_kernel(droo.refinement_is_due)


class Found(NamedTuple):
    """A decision: its reward, its index among the decisions scored so far, and their number."""

    reward: float
    candidate: int
    scored: int


class Decided(NamedTuple):
    """The outcome of a decision, which is in a buffer.

    Attributes:
        solved: whether all rewards were found; if not, nothing else is known.
        own_reward: of the policy's own decision.
        found: the decision.
        rank: of the best candidate.
        refined: whether refinement improved it.
    """

    solved: bool
    own_reward: float
    found: Found
    rank: int
    refined: bool


@inner_kernel
def microseconds(clock: Any, time: Ints) -> float:
    """Return the time of a monotonic clock; `time` is a buffer `[2]`."""
    clock(np.int32(CLOCK), np.uintp(time.ctypes.data))
    now: float = time[0] * 1e6 + time[1] * 1e-3
    return now


@inner_kernel
def rewards_of(
    score: Any, frames: Any, t: int, decisions: Ints, count: int, rewards: Floats
) -> bool:
    """Write the rewards of `count` decisions; return whether all are valid, as `agent.scoring`."""
    if not score(frames, t, decisions, rewards):
        return False
    for i in range(count):  # noqa: SIM110 (numba has no generators)
        if not rewards[i] < math.inf:  # NaN is refused too
            return False
    return True


@inner_kernel
def climb(
    score: Any, frames: Any, t: int, reward: float, buffers: Buffers
) -> tuple[float, int, int, bool]:
    """Repeat the best change of one device until none improves the reward: `agent.refinement`.

    Args:
        score: the problem's critic.
        frames: of the problem.
        t: index of the frame in `frames`.
        reward: of the decision in `buffers.start`, which is in and out.
        buffers: memory to work in.

    Returns:
        The reward reached; the index among the scored decisions of the one reached, -1 if it is
        the initial one; the number of decisions scored; and whether all rewards were found.
    """
    start, neighbours, rewards = buffers.start, buffers.neighbours, buffers.rewards
    scored, found, n = 0, -1, start.shape[1]
    while True:
        for i in range(n):
            for j in range(n):
                neighbours[i, j] = start[0, j]
            neighbours[i, i] = 1 - start[0, i]
        if not rewards_of(score, frames, t, neighbours, n, rewards):
            return reward, found, scored, False
        best = index_of_largest(rewards, n)
        scored += n
        if not improves(rewards[best], reward):
            return reward, found, scored, True
        reward, found = rewards[best], scored - n + best
        start[0, best] = 1 - start[0, best]


@inner_kernel
def refine(
    score: Any, frames: Any, t: int, rules: Rules, found: Found, buffers: Buffers
) -> tuple[Found, bool]:
    """Refine the decision in `buffers.decision`, and return it and whether all rewards were found.

    The second start, if any, is the decision that every device computes locally.
    """
    start, (reward, candidate, scored) = buffers.start, found
    for local in range(1 + rules.refine_from_local):
        begun, before = reward, 0
        for i in range(len(buffers.decision)):
            start[0, i] = 0 if local else buffers.decision[i]
        if local:
            if not rewards_of(score, frames, t, start, 1, buffers.rewards):
                return found, False
            begun, before = buffers.rewards[0], 1
            if begun == -math.inf:  # infeasible
                return Found(reward, candidate, scored + 1), True
        reached, index, more, solved = climb(score, frames, t, begun, buffers)
        if not solved:
            return found, False
        if rules.own_climb:  # it scores its start, and counts the decision reached last
            index = more if index >= 0 else index
            more += 1
        if improves(reached, reward):
            reward, candidate = reached, scored + (before + index if index >= 0 else 0)
            copy(start[0], buffers.decision)
        scored += before + more
    return Found(reward, candidate, scored), True


@inner_kernel
def decide(
    parts: Parts,
    policy: Policy,
    frames: Any,
    t: int,
    rules: Rules,
    progress: Progress,
    buffers: Buffers,
) -> Decided:
    """Choose the decision of a frame, as `DROO.choose`; it is in `buffers.decision`.

    `t` is the index of the frame in `frames`; the other arguments are those of `play`.
    """
    decisions, rewards, decision = buffers.decisions, buffers.rewards, buffers.decision
    num_devices, total = len(buffers.decision), 0.0
    parts.observe(frames, t, buffers.state)
    parts.forward(policy.parameters, policy.shape, buffers.state, buffers.logits)
    for i in range(num_devices):
        buffers.precise[i] = buffers.logits[i]
        total += buffers.precise[i]
    if not math.isfinite(total):
        return Decided(False, 0.0, Found(0.0, 0, 0), 0, False)
    count = order_preserving(buffers.precise, 0.0, progress.k, decisions, buffers.ranks)
    if not rewards_of(parts.score, frames, t, decisions[:count], count, rewards):
        return Decided(False, 0.0, Found(0.0, 0, 0), 0, False)
    best = index_of_largest(rewards, count)
    if rewards[best] == -math.inf:
        return Decided(False, 0.0, Found(0.0, 0, 0), 0, False)
    copy(decisions[best], decision)
    found = Found(rewards[best], best, count)
    own_reward, solved = rewards[0], True
    if refinement_is_due(progress, rules.refine_every):
        found, solved = refine(parts.score, frames, t, rules, found, buffers)
    rank, refined = buffers.ranks[best], found.candidate != best
    return Decided(solved, own_reward, found, rank, refined)


@inner_kernel
def learn(
    parts: Parts,
    policy: Policy,
    rng: np.random.Generator,
    memory: Singles,
    counter: int,
    rules: Rules,
    batch: Singles,
) -> float:
    """Take a training step, as `MemoryDNN.learn`; return the loss before it.

    The arguments are those of `play`; `batch` is a buffer.
    """
    written = counter if counter < len(memory) else len(memory)
    drawn = rng.integers(0, written, rules.batch_size)
    for i in range(len(drawn)):
        for j in range(memory.shape[1]):
            batch[i, j] = memory[drawn[i], j]
    step = policy.steps[0] + np.float32(1)
    if rules.rebuild_optimizer:
        step = np.float32(1)
        for i in range(len(policy.first)):
            policy.first[i] = policy.second[i] = np.float32(0)
    for i in range(len(policy.steps)):
        policy.steps[i] = step
    loss: float = parts.train(
        policy.parameters,
        policy.shape,
        policy.first,
        policy.second,
        float(step),
        policy.hyperparameters,
        batch,
    )
    return loss


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
    columns: Columns,
    record: Record,
    buffers: Buffers,
) -> None:
    """Play frames `first` to `end` - 1, or until one fails, of which nothing is written then.

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
        columns: output, for all frames.
        record: output, and the progress of the agent before the first frame.
        buffers: memory to work in.
    """
    reached = record.reached
    progress = Progress(reached[2], reached[3], reached[4], reached[5])
    inputs, num_devices, trained = len(buffers.state), len(buffers.decision), 0
    for t in range(first, end):
        started = microseconds(parts.clock, buffers.time)
        done = decide(parts, policy, frames, t - offset, rules, progress, buffers)
        spent = microseconds(parts.clock, buffers.time) - started
        if not done.solved:
            return
        reward = parts.carry_out(frames, t - offset, buffers.decision)
        if math.isnan(reward):
            return

        columns.reward[t], columns.own_reward[t] = reward, done.own_reward
        columns.k[t], columns.scored[t] = progress.k, done.found.scored
        columns.best_candidate[t] = done.found.candidate
        row = counter % len(memory)
        for i in range(inputs):
            memory[row, i] = buffers.state[i]
        for i in range(num_devices):
            columns.decision[t, i] = buffers.decision[i]
            memory[row, inputs + i] = buffers.decision[i]
        counter += 1
        progress = advance(progress, done.rank, done.refined, rules.adapt_every, num_devices)
        wrong = rules.learn_when_wrong and done.found.candidate > 0
        if wrong or counter % rules.training_interval == 0:
            started = microseconds(parts.clock, buffers.time)
            loss = learn(parts, policy, rng, memory, counter, rules, buffers.batch)
            spent += microseconds(parts.clock, buffers.time) - started
            record.losses[trained], record.trained[trained] = loss, t + 1
            trained += 1
        record.decision_us[t - first] = spent
        reached[0], reached[1], reached[2] = t + 1, trained, progress.k
        reached[3], reached[4], reached[5] = progress.frames, progress.rank, progress.idle
