"""The frame loop as one compiled kernel: agent and wireless powered MEC, from frame to frame.

It does what `DROO.decide` and the environment do, and never comes back to Python until a training
step is due. Quantizer, critic and progress are the same code; only refinement is written again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

import numba
import numpy as np
from numpy.typing import NDArray

import agent
from agent import droo
from agent.droo import Progress
from agent.kernels import mlp as mlp_kernels
from agent.kernels import quantization as quantization_kernels
from agent.refinement import LEAST_GAIN
from droo_core.jit import kernel_of
from env.wpmec.kernels import allocation as wpmec_kernels

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_AGENT = Path(agent.__file__).parent
_KERNELS = (_AGENT / "kernels", Path(wpmec_kernels.__file__).parent)
_SOURCES = (Path(__file__), _AGENT / "droo.py", _AGENT / "refinement.py", *_KERNELS)
kernel = kernel_of(*_SOURCES)
fleet_kernel = kernel_of(*_SOURCES, parallel=True)

advance = cast(Callable[..., Progress], numba.njit(droo.advance))
refinement_is_due = cast(Callable[..., bool], numba.njit(droo.refinement_is_due))

DONE, TRAIN, FAILED = range(3)

# WPMECCritic.kernel_arguments: class of each device, weight of each class, constants.
Problem: TypeAlias = tuple[Ints, Floats, tuple[float, float, float]]


class Rules(NamedTuple):
    """The settings of `DROO` and `MemoryDNN` by the same names; 0 in place of None."""

    training_interval: int
    adapt_every: int
    refine_every: int
    learn_when_wrong: bool


class Networks(NamedTuple):
    """The networks of B agents and their optimizers; a row is what torch lists, joined."""

    widths: Ints  # of the layers, [inputs, ..., N]
    parameters: NDArray[np.float32]  # [B, P]
    first_moments: NDArray[np.float32]  # [B, P]
    second_moments: NDArray[np.float32]  # [B, P]
    steps: Floats  # training steps until now [B]
    hyperparameters: Floats  # as for mlp_kernels.adam [B, 5]


class Columns(NamedTuple):
    """Where to write what each frame came to; `experiments.runs.results.History` explains them."""

    rate: Floats
    own_rate: Floats
    k: Ints
    best_candidate: Ints
    scored: Ints
    decision: Ints


@kernel
def layers_of(
    row: NDArray[np.float32], widths: Ints
) -> tuple[mlp_kernels.Arrays, mlp_kernels.Arrays]:
    """Return the weights and the biases of each layer, which one row `[P]` holds as torch does."""
    weights, biases, end = [], [], 0
    for layer in range(len(widths) - 1):
        inputs, outputs, begin = widths[layer], widths[layer + 1], end
        end += inputs * outputs
        weights.append(row[begin:end].reshape(outputs, inputs))
        biases.append(row[end : end + outputs].reshape(1, outputs))
        end += outputs
    return weights, biases


@kernel
def refine(
    gain: Floats,
    problem: Problem,
    decision: NDArray[np.int8],
    reward: float,
    neighbours: NDArray[np.int8],
    rewards: Floats,
) -> tuple[float, int, int, float]:
    """Do what `agent.refinement.refine` does, with the kernel that scores.

    Args:
        gain: channel gains `[N]`.
        problem: to score with.
        decision: in and out `[N]`.
        reward: of the decision.
        neighbours: room for `[N, N]`.
        rewards: room for `[N]`.

    Returns:
        The reward, how many decisions were scored, which of them was best, -1 if none, and the
        largest error.
    """
    scored, found, worst = 0, -1, 0.0
    while True:
        for i in range(len(decision)):
            for j in range(len(decision)):  # numba would take a second to compile this as slices
                neighbours[i, j] = decision[j]
            neighbours[i, i] = 1 - decision[i]
        error = wpmec_kernels.score(gain, *problem, neighbours, rewards)
        worst = max(worst, error)
        best = int(rewards.argmax())
        scored += len(decision)
        if not rewards[best] - reward > LEAST_GAIN * abs(reward):
            return reward, scored, found, worst
        reward, found = rewards[best], scored - len(decision) + best
        decision[best] = 1 - decision[best]


@kernel
def play(
    first: int,
    end: int,
    layers: tuple[mlp_kernels.Arrays, mlp_kernels.Arrays],
    states: NDArray[np.float32],
    gains: Floats,
    problem: Problem,
    memory: NDArray[np.float32],
    counter: int,
    rules: Rules,
    progress: Progress,
    columns: Columns,
) -> tuple[int, int, Progress]:
    """Play frames `first` to `end` - 1, or until a training step is due or a frame fails.

    Args:
        first: the first frame, from 0.
        end: the frame to stop before.
        layers: weights and biases of the policy.
        states: of the frames from the first on `[end - first, inputs]`.
        gains: channel gains of all frames `[T, N]`.
        problem: to score with.
        memory: rows of the replay memory.
        counter: how many rows were ever written to it.
        rules: how to play.
        progress: before the first frame.
        columns: out.

    Returns:
        The next frame; DONE, TRAIN if a training step is due before it, or FAILED if it cannot be
        played and nothing of it was done; and the progress.
    """
    num_devices = gains.shape[1]
    inputs = states.shape[1]
    decisions = np.empty((num_devices + 1, num_devices), np.int8)
    ranks = np.empty(num_devices + 1, np.int64)
    rewards = np.empty(num_devices + 1)
    for t in range(first, end):
        logits = mlp_kernels.forward(*layers, states[t - first]).astype(np.float64)
        if not np.isfinite(logits.sum()):
            return t, FAILED, progress
        count = quantization_kernels.order_preserving(logits, 0.0, progress.k, decisions, ranks)
        gain = gains[t]
        error = wpmec_kernels.score(gain, *problem, decisions[:count], rewards)
        best = int(rewards[:count].argmax())
        own_rate, reward, candidate = rewards[0], rewards[best], best
        decision, scored, refined = decisions[best].copy(), count, False
        if error >= 0.0 and refinement_is_due(progress, rules.refine_every):
            reward, more, found, error_too = refine(
                gain, problem, decision, reward, decisions[:num_devices], rewards[:num_devices]
            )
            error = max(error, error_too)
            if found >= 0:
                candidate, refined = count + found, True
            scored += more
        if not 0.0 <= error <= wpmec_kernels.ACCEPTED:
            return t, FAILED, progress

        columns.rate[t], columns.own_rate[t] = reward, own_rate
        columns.k[t], columns.best_candidate[t], columns.scored[t] = progress.k, candidate, scored
        row = memory[counter % len(memory)]
        for i in range(inputs):
            row[i] = states[t - first, i]
        for i in range(num_devices):
            columns.decision[t, i] = row[inputs + i] = decision[i]
        counter += 1
        progress = advance(progress, int(ranks[best]), refined, rules.adapt_every, num_devices)
        if counter % rules.training_interval == 0 or (rules.learn_when_wrong and candidate > 0):
            return t + 1, TRAIN, progress
    return end, DONE, progress


@fleet_kernel
def play_fleet(
    first: int,
    ends: Ints,
    networks: Networks,
    states: NDArray[np.float32],
    gains: Floats,
    problem: Problem,
    memory: NDArray[np.float32],
    counter: int,
    rules: Rules,
    progress: Ints,
    columns: Columns,
    batches: Ints,
) -> Floats:
    """Play frames with B agents, in rounds with a training step at the end of each.

    Args:
        first: the first frame, from 0.
        ends: of each round, the frame to stop before `[R]`.
        networks: of the agents.
        states: of the frames from the first on `[B, ends[-1] - first, inputs]`.
        gains: channel gains `[B, T, N]`.
        problem: to score with.
        memory: rows of the replay memories `[B, M, inputs + N]`.
        counter: how many rows were ever written to each.
        rules: as for `play`; training falls on the ends of rounds alone.
        progress: of each agent, in and out `[B, 4]`.
        columns: out, each `[B, T]`, decisions `[B, T, N]`.
        batches: rows of the memory to train on `[S, B, batch size]`, for the first S rounds.

    Returns:
        The losses `[B, R]`; NaN of rounds without training, infinity from a failed frame on.
    """
    # numba's parallel loops take no tuples in, so they are taken apart here and put together there.
    widths, parameters, first_moments, second_moments, steps, settings = networks
    class_of, class_weights, (snr_factor, local_factor, eps) = problem
    training_interval, adapt_every, refine_every, learn_when_wrong = rules
    rate, own_rate, k, best_candidate, scored, decision = columns
    losses = np.full((len(parameters), len(ends)), np.nan)
    for b in numba.prange(len(parameters)):
        own = settings[b]
        weights, biases = layers_of(parameters[b], widths)
        weights1, biases1 = layers_of(first_moments[b], widths)
        weights2, biases2 = layers_of(second_moments[b], widths)
        so_far = Progress(progress[b, 0], progress[b, 1], progress[b, 2], progress[b, 3])
        begin = first
        for r in range(len(ends)):
            _, outcome, so_far = play(
                begin,
                ends[r],
                (weights, biases),
                states[b, begin - first :],
                gains[b],
                (class_of, class_weights, (snr_factor, local_factor, eps)),
                memory[b],
                counter + begin - first,
                Rules(training_interval, adapt_every, refine_every, learn_when_wrong),
                so_far,
                Columns(rate[b], own_rate[b], k[b], best_candidate[b], scored[b], decision[b]),
            )
            begin = ends[r]
            if outcome == FAILED:
                losses[b, r:] = np.inf
                break
            if r < len(batches):
                rows = memory[b][batches[r, b]]
                steps[b] += 1
                losses[b, r] = mlp_kernels.train(
                    (weights, weights1, weights2),
                    (biases, biases1, biases2),
                    steps[b],
                    (own[0], own[1], own[2], own[3], own[4]),
                    rows[:, : widths[0]],
                    rows[:, widths[0] :],
                )
        progress[b, 0], progress[b, 1] = so_far.k, so_far.frames
        progress[b, 2], progress[b, 3] = so_far.rank, so_far.idle
    return losses
