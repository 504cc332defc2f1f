"""The frame loop of an agent in wireless powered MEC as one compiled kernel.

The kernel computes the same as `DROO.decide` and the environment, and returns to Python only for
training steps. Quantizer, critic, refinement and progress are the same code as there.
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
from droo_core.arrays import Floats, Ints
from droo_core.jit import kernel_of
from env.wpmec.kernels import SOURCES
from env.wpmec.kernels import allocation as wpmec_kernels
from env.wpmec.kernels.climb import climb

_AGENT = Path(agent.__file__).parent
_SOURCES = (__file__, _AGENT / "droo.py", _AGENT / "kernels", *SOURCES)
kernel = kernel_of(*_SOURCES)
fleet_kernel = kernel_of(*_SOURCES, parallel=True)

advance = cast(Callable[..., Progress], numba.njit(droo.advance))
refinement_is_due = cast(Callable[..., bool], numba.njit(droo.refinement_is_due))

DONE, TRAIN, FAILED = range(3)

Critic: TypeAlias = tuple[Ints, Floats, tuple[float, float, float]]
"""Type of `WPMECCritic.kernel_arguments`: class of each device, weight of each class, constants."""


class Rules(NamedTuple):
    """Settings of `DROO` and `MemoryDNN` by the same names; 0 stands for None."""

    training_interval: int
    adapt_every: int
    refine_every: int
    learn_when_wrong: bool


class Networks(NamedTuple):
    """Networks and optimizers of B agents; a row holds all P parameters in torch's order."""

    widths: Ints  # of the layers: [inputs, ..., N]
    parameters: NDArray[np.float32]  # [B, P]
    first_moments: NDArray[np.float32]  # [B, P]
    second_moments: NDArray[np.float32]  # [B, P]
    steps: Floats  # number of training steps so far [B]
    hyperparameters: Floats  # of Adam, as for mlp_kernels.adam [B, 5]


class Columns(NamedTuple):
    """Columns of a run's table that the kernels write, named as in the schema."""

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
    """Return views of each layer's weights and biases in a row of parameters `[P]`."""
    weights, biases, end = [], [], 0
    for layer in range(len(widths) - 1):
        inputs, outputs, begin = widths[layer], widths[layer + 1], end
        end += inputs * outputs
        weights.append(row[begin:end].reshape(outputs, inputs))
        biases.append(row[end : end + outputs].reshape(1, outputs))
        end += outputs
    return weights, biases


@kernel
def play(
    first: int,
    end: int,
    layers: tuple[mlp_kernels.Arrays, mlp_kernels.Arrays],
    states: NDArray[np.float32],
    gains: Floats,
    critic: Critic,
    memory: NDArray[np.float32],
    counter: int,
    rules: Rules,
    progress: Progress,
    columns: Columns,
) -> tuple[int, int, Progress]:
    """Play frames `first` to `end` - 1, or until a training step is due or a frame fails.

    Args:
        first: index of the first frame, from 0.
        end: index after the last frame.
        layers: weights and biases of the policy.
        states: states of the frames from `first` on `[end - first, inputs]`.
        gains: channel gains of all frames `[T, N]`.
        critic: kernel arguments of the critic.
        memory: rows of the replay memory `[M, inputs + N]`, in and out.
        counter: number of rows ever written to the memory.
        rules: settings of the agent.
        progress: progress of the agent before the first frame.
        columns: output.

    Returns:
        The index of the next frame; DONE, TRAIN if a training step is due before it, or FAILED if
        it cannot be played (nothing of it is written then); and the progress.
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
        error = wpmec_kernels.score(gain, *critic, decisions[:count], rewards)
        best = int(rewards[:count].argmax())
        own_rate, reward, candidate = rewards[0], rewards[best], best
        decision, scored, refined = decisions[best].copy(), count, False
        if error >= 0.0 and refinement_is_due(progress, rules.refine_every):
            reward, more, found, error_too = climb(
                gain, *critic, decision, reward, decisions[:num_devices], rewards[:num_devices]
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


@kernel
def play_rounds(
    first: int,
    ends: Ints,
    widths: Ints,
    parameters: NDArray[np.float32],
    first_moments: NDArray[np.float32],
    second_moments: NDArray[np.float32],
    steps: Floats,
    hyperparameters: Floats,
    states: NDArray[np.float32],
    gains: Floats,
    critic: Critic,
    memory: NDArray[np.float32],
    counter: int,
    rules: Rules,
    progress: Ints,
    columns: Columns,
    batches: Ints,
    losses: Floats,
) -> None:
    """Play frames with one agent of a fleet, in rounds that end with a training step.

    The arguments are those of `play_fleet` for one agent; the losses `[R]` are output.
    """
    settings = hyperparameters
    weights, biases = layers_of(parameters, widths)
    weights1, biases1 = layers_of(first_moments, widths)
    weights2, biases2 = layers_of(second_moments, widths)
    so_far = Progress(progress[0], progress[1], progress[2], progress[3])
    begin = first
    for r in range(len(ends)):
        _, outcome, so_far = play(
            begin,
            ends[r],
            (weights, biases),
            states[begin - first :],
            gains,
            critic,
            memory,
            counter + begin - first,
            rules,
            so_far,
            columns,
        )
        begin = ends[r]
        if outcome == FAILED:
            losses[r:] = np.inf
            break
        if r < len(batches):
            rows = memory[batches[r]]
            steps[0] += 1
            losses[r] = mlp_kernels.train(
                (weights, weights1, weights2),
                (biases, biases1, biases2),
                steps[0],
                (settings[0], settings[1], settings[2], settings[3], settings[4]),
                rows[:, : widths[0]],
                rows[:, widths[0] :],
            )
    progress[0], progress[1], progress[2], progress[3] = so_far


@fleet_kernel
def play_fleet(
    first: int,
    ends: Ints,
    networks: Networks,
    states: NDArray[np.float32],
    gains: Floats,
    critic: Critic,
    memory: NDArray[np.float32],
    counter: int,
    rules: Rules,
    progress: Ints,
    columns: Columns,
    batches: Ints,
) -> Floats:
    """Play frames with B agents in parallel, in rounds that end with a training step.

    Args:
        first: index of the first frame, from 0.
        ends: index after the last frame of each round `[R]`.
        networks: networks of the agents, trained in place.
        states: states of the frames from `first` on `[B, ends[-1] - first, inputs]`.
        gains: channel gains `[B, T, N]`.
        critic: kernel arguments of the critic.
        memory: rows of the replay memories `[B, M, inputs + N]`, in and out.
        counter: number of rows ever written to each memory.
        rules: settings of the agents; agents train only at the end of a round.
        progress: progress of each agent `[B, 4]`, in and out.
        columns: output: columns `[B, T]`, decisions `[B, T, N]`.
        batches: row indices into the memories `[S, B, batch size]`, for the first S rounds.

    Returns:
        The losses `[B, R]`: NaN for rounds without training, infinity from a failed frame on.
    """
    # Tuples cannot be passed into numba's parallel loop: unpacked here, packed again inside it.
    widths, parameters, first_moments, second_moments, steps, settings = networks
    class_of, class_weights, (snr_factor, local_factor, eps) = critic
    training_interval, adapt_every, refine_every, learn_when_wrong = rules
    rate, own_rate, k, best_candidate, scored, decision = columns
    losses = np.full((len(parameters), len(ends)), np.nan)
    for b in numba.prange(len(parameters)):
        play_rounds(
            first,
            ends,
            widths,
            parameters[b],
            first_moments[b],
            second_moments[b],
            steps[b : b + 1],
            settings[b],
            states[b],
            gains[b],
            (class_of, class_weights, (snr_factor, local_factor, eps)),
            memory[b],
            counter,
            Rules(training_interval, adapt_every, refine_every, learn_when_wrong),
            progress[b],
            Columns(rate[b], own_rate[b], k[b], best_candidate[b], scored[b], decision[b]),
            batches[:, b],
            losses[b],
        )
    return losses
