"""Plays frames of several runs of wireless powered MEC in compiled code, with a fleet of agents."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agent import DROO, Fleet, MemoryDNN
from agent.droo import Progress
from droo_core.arrays import Floats
from env import WPMECCritic
from experiments.consumers.recorder import Block
from experiments.problems.wpmec import kernels
from experiments.problems.wpmec.compiled import (
    can_be_compiled,
    joint_columns,
    rules_of,
    states_of,
    stretches,
    weights_in,
)
from experiments.problems.wpmec.kernels import Columns, Networks, Rules
from experiments.runs.table import Table

ROUNDS = 32  # rounds (frames up to a training step) between synchronizations of the agents
ONE_AT_A_TIME = threading.Lock()  # some of numba's threading layers are not reentrant


def can_be_compiled_together(droos: Sequence[DROO], gains: Floats) -> bool:
    """Whether the compiled code supports these agents and their channel gains `[B, T, N]`."""
    first = droos[0]
    return all(
        can_be_compiled(droo, of_agent)
        and not droo.learn_when_wrong
        and not droo.agent.rebuild_optimizer
        and rules_of(droo) == rules_of(first)
        and droo.agent.memory.shape == first.agent.memory.shape
        and droo.agent.memory_counter == first.agent.memory_counter
        for droo, of_agent in zip(droos, gains, strict=True)
    )


def play_compiled_fleet(
    fleet: Fleet, gains: Floats, weights_from: Mapping[int, Floats], tables: Sequence[Table]
) -> Iterator[list[Block]]:
    """Play frames with a fleet in compiled code; `can_be_compiled_together` must hold.

    Args:
        fleet: B agents.
        gains: channel gains of each agent `[B, T, N]`.
        weights_from: first frame, from 0, -> the weights `[N]` from that frame on; 0 is among the
            keys.
        tables: output, one table per agent `[B]`.

    Yields:
        Blocks of the same frames, one per agent `[B]`.

    Raises:
        ValueError: if a state is not finite in single precision.
        ArithmeticError: if training made a network's parameters non-finite, or an allocation could
            not be solved. The agents have then played different numbers of frames.
    """
    shared = _SharedArrays(fleet, tables)
    first = shared.agents[0]
    try:
        for begin, end in stretches(weights_from, gains.shape[1]):
            critic = WPMECCritic(weights_in(weights_from, begin))
            states = np.stack(
                [states_of(first.features or (), each, weights_from, begin, end) for each in gains]
            )
            t = begin
            while t < end:
                ends = round_ends(t, end, first.memory_counter, shared.rules.training_interval)
                # The kernel is vectorized only for contiguous arrays.
                of_rounds = np.ascontiguousarray(states[:, t - begin : ends[-1] - begin])
                yield shared.play(t, ends, of_rounds, gains, critic)
                t = ends[-1]
    finally:
        shared.give_back()


class _SharedArrays:
    """Arrays of a fleet that the kernel writes: memories, networks, progress and columns."""

    def __init__(self, fleet: Fleet, tables: Sequence[Table]) -> None:
        self.fleet = fleet
        self.agents: list[MemoryDNN] = [droo.agent for droo in fleet.agents]
        self.rules: Rules = rules_of(fleet.agents[0])
        self.networks = networks_of(fleet)
        self.memory = np.stack([agent.memory for agent in self.agents])
        self.progress = np.array([droo.progress for droo in fleet.agents])
        self.columns: Columns = joint_columns(tables)

    def play(
        self,
        t: int,
        ends: list[int],
        states: NDArray[np.float32],
        gains: Floats,
        critic: WPMECCritic,
    ) -> list[Block]:
        """Play rounds of frames from frame t on, and return the agents' blocks `[B]`.

        Raises:
            ArithmeticError: if a frame of an agent failed.
        """
        start, counter = time.perf_counter(), self.agents[0].memory_counter
        batches = draw_batches(self.agents, [each - t for each in ends])
        with ONE_AT_A_TIME:
            losses = kernels.play_fleet(
                t,
                np.array(ends),
                self.networks,
                states,
                gains,
                critic.kernel_arguments,
                self.memory,
                counter,
                self.rules,
                self.progress,
                self.columns,
                batches,
            )
        failed = np.isinf(losses).any(axis=1)
        if failed.any():
            raise ArithmeticError(
                f"a frame of agent {failed.argmax()} failed: its policy diverged in training, or "
                "an allocation could not be solved; played alone, the agent raises the exact error"
            )
        of_agents = losses[:, : len(batches)].tolist()
        for agent, of_agent in zip(self.agents, of_agents, strict=True):
            for loss in of_agent:
                agent.learner.record_loss(loss)
        us = (time.perf_counter() - start) * 1e6 / len(self.agents) / (ends[-1] - t)
        return [
            Block(t, ends[-1], list(zip(ends, of_agent, strict=False)), us)
            for of_agent in of_agents
        ]

    def give_back(self) -> None:
        """Copy the arrays that the kernel wrote back to the fleet and its agents."""
        self.fleet.steps = self.networks.steps.tolist()
        progress = self.progress.tolist()
        for droo, rows, of_droo in zip(self.fleet.agents, self.memory, progress, strict=True):
            droo.agent.memory[:] = rows
            droo.progress = Progress(*of_droo)


def networks_of(fleet: Fleet) -> Networks:
    """Return a fleet's networks as a kernel argument; the kernel trains them in place."""
    return Networks(
        np.array(fleet.agents[0].agent.net),
        fleet.parameters.numpy(),
        fleet.first_moments.numpy(),
        fleet.second_moments.numpy(),
        np.array(fleet.steps),
        np.array([droo.agent.learner.hyperparameters for droo in fleet.agents]),
    )


def draw_batches(agents: Sequence[MemoryDNN], frames: Sequence[int]) -> NDArray[np.int64]:
    """Draw the training batches in advance, and count the frames as played.

    The random draws depend on the number of rows in the memory, not on their content.

    Args:
        agents: B agents.
        frames: number of frames until the end of each round.

    Returns:
        Row indices into the memories `[S, B, batch size]`, for the S rounds that end with a
        training step.
    """
    batches = []
    counter = agents[0].memory_counter
    for played in frames:
        for agent in agents:
            agent.replay.counter = counter + played
        if agents[0].replay.ends_interval(agents[0].training_interval):
            batches.append([agent.replay.draw(agent.batch_size) for agent in agents])
    shape = (len(batches), len(agents), agents[0].batch_size)
    return np.array(batches, dtype=np.int64).reshape(shape)


def round_ends(t: int, end: int, played: int, interval: int) -> list[int]:
    """Return the index after the last frame of each of the next rounds, at most `ROUNDS`.

    Args:
        t: index of the next frame.
        end: index after the last frame of all rounds.
        played: number of frames that the agents have played in all their runs.
        interval: number of frames between training steps.
    """
    first = t + interval - played % interval
    return [min(each, end) for each in range(first, end + interval, interval)][:ROUNDS]
