"""The frames of several runs at once, their agents a fleet."""

import copy
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agent import DROO, Fleet, MemoryDNN
from agent.droo import Progress
from env import WPMECCritic
from experiments.problems.wpmec import frame_kernels
from experiments.problems.wpmec.frame_kernels import Columns, Networks
from experiments.problems.wpmec.frame_loop import (
    Played,
    can_be_compiled,
    check_fits,
    new_columns,
    rules_of,
    states_of,
    stretches,
    weights_in,
    write_frame,
)
from experiments.problems.wpmec.frames import replay
from experiments.simulation import check_agrees

Floats = NDArray[np.float64]

ROUNDS = 32  # of frames and a training step, after which the agents wait for one another
ONE_AT_A_TIME = threading.Lock()  # not all of numba's threading layers can be entered twice


def play_together(
    droos: Sequence[DROO],
    gains: Floats,
    weights_from: Mapping[int, Floats],
    columns: Columns,
    device: str = "cpu",
) -> Iterator[Played]:
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
            could not be solved. The agents are then somewhere in the midst of their frames.
    """
    for droo, of_agent in zip(droos, gains, strict=True):
        check_fits(droo, of_agent, weights_from)
    fleet = Fleet(droos, device)
    compiled = fleet.device.type == "cpu" and can_be_compiled_together(droos, gains)
    playing = play_compiled_together if compiled else play_one_by_one_together
    try:
        yield from playing(fleet, gains, weights_from, columns)
    finally:
        fleet.release()


def compile_fleet(droos: Sequence[DROO], gains: Floats, weights: Floats, device: str) -> None:
    """Do what `compile_frames` does for a fleet, with gains `[B, T, N]`, up to a training step."""
    trial, first = copy.deepcopy(list(droos)), gains[:, : droos[0].agent.training_interval]
    for _ in play_together(trial, first, {0: weights}, new_columns(*first.shape), device):
        pass


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


def play_one_by_one_together(
    fleet: Fleet, gains: Floats, weights_from: Mapping[int, Floats], columns: Columns
) -> Iterator[Played]:
    """Do what `play_together` does with `Fleet.decide`, whatever the agents."""
    envs = [
        replay(of_agent, weights_from[0], droo.agent.features)
        for droo, of_agent in zip(fleet.agents, gains, strict=True)
    ]
    for droo, env in zip(fleet.agents, envs, strict=True):
        check_agrees(droo, env)
        env.reset()
    for t in range(gains.shape[1]):
        start = time.perf_counter()
        before = [(droo.k, droo.agent.updates) for droo in fleet.agents]
        choices = fleet.decide([env.state for env in envs], [env.score for env in envs])
        decision_us = (time.perf_counter() - start) / len(envs) * 1e6
        for b, (env, choice) in enumerate(zip(envs, choices, strict=True)):
            _, reward, *_ = env.step(choice.decision)
            write_frame(columns_of(columns, b), t, reward, before[b][0], choice)
            if t + 1 in weights_from:
                env.weights = weights_from[t + 1]
        costs = [
            [(t + 1, droo.agent.cost_his[-1])] if droo.agent.updates > updates else []
            for droo, (_, updates) in zip(fleet.agents, before, strict=True)
        ]
        yield Played(t + 1, costs, decision_us)


def play_compiled_together(
    fleet: Fleet, gains: Floats, weights_from: Mapping[int, Floats], columns: Columns
) -> Iterator[Played]:
    """Do what `play_together` does with `frame_kernels.play_fleet`."""
    agents = [droo.agent for droo in fleet.agents]
    first, rules = agents[0], rules_of(fleet.agents[0])
    networks = networks_of(fleet)
    memory = np.stack([agent.memory for agent in agents])
    progress = np.array([droo.progress for droo in fleet.agents])
    try:
        for begin, end in stretches(weights_from, gains.shape[1]):
            critic = WPMECCritic(weights_in(weights_from, begin))
            states = np.stack(
                [states_of(first.features or (), each, weights_from, begin, end) for each in gains]
            )
            t = begin
            while t < end:
                start, counter = time.perf_counter(), first.memory_counter
                ends = round_ends(t, end, counter, rules.training_interval)
                batches = draw_batches(agents, [each - t for each in ends])
                with ONE_AT_A_TIME:
                    losses = frame_kernels.play_fleet(
                        t,
                        np.array(ends),
                        networks,
                        np.ascontiguousarray(states[:, t - begin : ends[-1] - begin]),  # vectorizes
                        gains,
                        critic.kernel_arguments,
                        memory,
                        counter,
                        rules,
                        progress,
                        columns,
                        batches,
                    )
                failed = np.isinf(losses).any(axis=1)
                if failed.any():
                    raise ArithmeticError(
                        f"a frame of agent {failed.argmax()} failed: its policy diverged in "
                        "training, or an allocation could not be solved; played alone it tells"
                    )
                costs = [
                    list(zip(ends, of_agent, strict=False))
                    for of_agent in losses[:, : len(batches)].tolist()
                ]
                for agent, of_agent in zip(agents, costs, strict=True):
                    for _, cost in of_agent:
                        agent.learner.record_loss(cost)
                us = (time.perf_counter() - start) * 1e6
                yield Played(ends[-1], costs, us / len(agents) / (ends[-1] - t))
                t = ends[-1]
    finally:
        fleet.steps = networks.steps.tolist()
        for droo, rows, of_droo in zip(fleet.agents, memory, progress.tolist(), strict=True):
            droo.agent.memory[:] = rows
            droo.progress = Progress(*of_droo)


def networks_of(fleet: Fleet) -> Networks:
    """Return a fleet's networks for the kernel, which trains them in place."""
    return Networks(
        np.array(fleet.agents[0].agent.net),
        fleet.parameters.numpy(),
        fleet.first_moments.numpy(),
        fleet.second_moments.numpy(),
        np.array(fleet.steps),
        np.array([droo.agent.learner.hyperparameters for droo in fleet.agents]),
    )


def draw_batches(agents: Sequence[MemoryDNN], frames: Sequence[int]) -> NDArray[np.int64]:
    """Draw what to train on, and count the frames as played.

    What is drawn depends on how many rows are written by then, and not on what is in them.

    Args:
        agents: B of them.
        frames: how many will be played until the end of each round.

    Returns:
        Rows of the memories `[S, B, batch size]`, of the S rounds that end with a training step.
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
    """Return the frames before which the next rounds stop, `ROUNDS` at most.

    Args:
        t: the next frame.
        end: the frame to stop before at last.
        played: how many frames the agents have ever played.
        interval: every so many frames they are trained.
    """
    first = t + interval - played % interval
    return [min(each, end) for each in range(first, end + interval, interval)][:ROUNDS]


def columns_of(columns: Columns, b: int) -> Columns:
    """Return the columns of one agent, of those of a fleet."""
    return Columns(*(column[b] for column in columns))
