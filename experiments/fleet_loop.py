"""The frames of several runs at once, their agents a fleet."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent import DROO, Fleet
from agent.droo import Progress
from agent.passes import adam_rates
from env import WPMECCritic
from experiments import frame_kernels
from experiments.frame_kernels import Columns, Networks, Problem
from experiments.frame_loop import blocks, can_be_compiled, rules_of, states_of, weights_at, write
from experiments.frames import replay
from experiments.simulation import check_features

Floats = NDArray[np.float64]

ROUNDS = 32  # of frames and a training step, after which the agents wait for one another


class PlayedTogether(NamedTuple):
    """Some frames that a fleet has played.

    Attributes:
        frames: how many were played until now.
        costs: of each agent, in which of these frames, from 1, it was trained, and the losses.
        decision_us: how long an agent's decision took on average, the training step included.
    """

    frames: int
    costs: list[list[tuple[int, float]]]
    decision_us: float


def new_fleet_columns(num_agents: int, num_frames: int, num_devices: int) -> Columns:
    """Return room for what frames come to, each `[B, T]` or `[B, T, N]`."""
    rate, own_rate = np.empty((2, num_agents, num_frames))
    k, best_candidate, scored = np.empty((3, num_agents, num_frames), dtype=np.int64)
    decision = np.empty((num_agents, num_frames, num_devices), dtype=np.int64)
    return Columns(rate, own_rate, k, best_candidate, scored, decision)


def play_together(
    droos: Sequence[DROO],
    gains: Floats,
    weights_from: Mapping[int, Floats],
    columns: Columns,
    device: str = "cpu",
) -> Iterator[PlayedTogether]:
    """Play frames of wireless powered MEC with a fleet, in compiled code if that is possible.

    Args:
        droos: the agents.
        gains: channel gains of each agent `[B, T, N]`.
        weights_from: the weights `[N]` from each frame on at which they change, the first being 0.
        columns: out, what each frame came to, by agent.
        device: where the networks compute, as for `Fleet`.

    Yields:
        What was played since the last time.

    Raises:
        ValueError: if the agents do not fit the frames, or cannot be a fleet.
        ArithmeticError: if training has driven the weights to non-finite values, or an allocation
            could not be solved.
    """
    fleet = Fleet(droos, device)
    compiled = fleet.device.type == "cpu" and can_be_compiled_together(droos, gains)
    playing = play_compiled_together if compiled else play_frame_by_frame
    try:
        yield from playing(fleet, gains, weights_from, columns)
    finally:
        fleet.release()


def can_be_compiled_together(droos: Sequence[DROO], gains: Floats) -> bool:
    """Whether there is compiled code for these agents and their channel gains `[B, T, N]`."""
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


def play_frame_by_frame(
    fleet: Fleet, gains: Floats, weights_from: Mapping[int, Floats], columns: Columns
) -> Iterator[PlayedTogether]:
    """Do what `play_together` does with `Fleet.decide`, whatever the agents."""
    envs = [
        replay(of_agent, weights_from[0], droo.agent.features)
        for droo, of_agent in zip(fleet.agents, gains, strict=True)
    ]
    for droo, env in zip(fleet.agents, envs, strict=True):
        check_features(droo, env)
        env.reset()
    for t in range(gains.shape[1]):
        start = time.perf_counter()
        before = [(droo.k, droo.agent.updates) for droo in fleet.agents]
        choices = fleet.decide([env.state for env in envs], [env.score for env in envs])
        decision_us = (time.perf_counter() - start) / len(envs) * 1e6
        for b, (env, choice) in enumerate(zip(envs, choices, strict=True)):
            _, reward, *_ = env.step(choice.decision)
            write(of_agent(columns, b), t, reward, before[b][0], choice)
            if t + 1 in weights_from:
                env.weights = weights_from[t + 1]
        costs = [
            [(t + 1, droo.agent.cost_his[-1])] if droo.agent.updates > updates else []
            for droo, (_, updates) in zip(fleet.agents, before, strict=True)
        ]
        yield PlayedTogether(t + 1, costs, decision_us)


def play_compiled_together(
    fleet: Fleet, gains: Floats, weights_from: Mapping[int, Floats], columns: Columns
) -> Iterator[PlayedTogether]:
    """Do what `play_together` does with `frame_kernels.play_fleet`."""
    agents = [droo.agent for droo in fleet.agents]
    first, rules = agents[0], rules_of(fleet.agents[0])
    networks = Networks(
        np.array(first.net),
        fleet.parameters.numpy(),
        fleet.first.numpy(),
        fleet.second.numpy(),
        np.array(fleet.steps),
        np.array([adam_rates(agent.optimizer, agent.lr) for agent in agents]),
    )
    memory = np.stack([agent.memory for agent in agents])
    progress = np.array([droo.progress for droo in fleet.agents])
    played = first.memory_counter
    for begin, end in blocks(weights_from, gains.shape[1]):
        critic = WPMECCritic(weights_at(weights_from, begin))
        problem = Problem(gains[0], *critic.kernel_arguments)
        features = first.features or ()
        states = np.stack([states_of(features, each, weights_from, begin, end) for each in gains])
        t = begin
        while t < end:
            start = time.perf_counter()
            ends = round_ends(t, end, played, rules.training_interval)
            # What is drawn depends on nothing but how many rows are written by then.
            written = [min(played + each - t, first.memory_size) for each in ends]
            trained = len(ends) - ((played + ends[-1] - t) % rules.training_interval > 0)
            batches = np.empty((trained, len(agents), first.batch_size), dtype=np.int64)
            for b, agent in enumerate(agents):
                for r in range(trained):
                    batches[r, b] = agent.replay.draw(first.batch_size, written[r])
            losses = frame_kernels.play_fleet(
                t,
                np.array(ends),
                networks,
                np.ascontiguousarray(states[:, t - begin : ends[-1] - begin]),  # for fast kernels
                gains,
                problem,
                memory,
                played,
                rules,
                progress,
                columns,
                batches,
            )
            if np.isinf(losses).any():
                raise ArithmeticError(
                    f"a frame of agent {np.isinf(losses).any(axis=1).argmax()} failed: its policy "
                    "diverged in training, or an allocation could not be solved; played alone it "
                    "tells which"
                )
            costs = [list(zip(ends, row, strict=False)) for row in losses[:, :trained].tolist()]
            for agent, row in zip(agents, costs, strict=True):
                for _, cost in row:
                    agent.note(cost)
            seconds = time.perf_counter() - start
            frames = ends[-1] - t
            yield PlayedTogether(ends[-1], costs, seconds / len(agents) / frames * 1e6)
            played += frames
            t = ends[-1]
    fleet.steps = networks.steps.tolist()
    for droo, rows, of_droo in zip(fleet.agents, memory, progress.tolist(), strict=True):
        droo.agent.memory[:] = rows
        droo.agent.replay.counter = played
        droo.progress = Progress(*of_droo)


def round_ends(t: int, end: int, played: int, interval: int) -> list[int]:
    """Return the frames before which the next rounds stop, `ROUNDS` at most.

    Args:
        t: the next frame.
        end: the frame to stop before at last.
        played: how many frames the agents have ever played.
        interval: every so many frames they are trained.
    """
    first = t + interval - played % interval
    return [min(each, end) for each in range(first, end + interval, interval)][:ROUNDS]


def of_agent(columns: Columns, b: int) -> Columns:
    """Return the columns of one agent, of those of a fleet."""
    return Columns(*(column[b] for column in columns))
