"""The section `fleet` of `python -m benchmarks.report`."""

import copy
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from agent import DROO
from benchmarks.common import compile_frames, frames_of, new_agent, new_table, table
from droo_core.arrays import Floats
from experiments.configs import BenchConfig, DROOConfig, Preset
from experiments.problems.wpmec.experiment import play, play_together

SIZES = (2, 8, 64)
ALONE = 8  # agents that play one after the other, for the baseline


class Setting(NamedTuple):
    """Settings that are measured: preset and number of frames, and their name in the table."""

    name: str
    preset: Preset
    frames: int


SETTINGS = (
    Setting("published settings, compiled", "published", 2000),
    Setting("default settings, torch", "best", 300),
)


def fleet(config: BenchConfig) -> str:
    """Return the frames per second of agents one after the other, and as fleets."""
    rows: list[list[str | float]] = []
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for setting in SETTINGS:
        frames = config.some(setting.frames)
        alone = of_agents_alone(setting.preset, frames)
        rows.append([setting.name, "one agent", alone, 1.0])
        for device in devices:
            for size in SIZES:
                speed = of_fleet(setting.preset, frames, size, device)
                rows.append([setting.name, f"fleet of {size}, {device}", speed, speed / alone])
    return f"""\
Frames per second, summed over all agents; N = 10, with training, from the first frame on. The
baseline is one agent: the mean of {ALONE} that play one after the other. With the published
settings a fleet runs in compiled code on all cores. With the default settings it runs batched
operations of torch, on the number of threads in the section on the machine; these first frames are
those in which training is most frequent.

{table(["", "", "frames per second", "ratio to one agent"], rows)}"""


def members(preset: Preset, frames: int, size: int) -> tuple[list[DROO], Floats, Floats]:
    """Return B agents with different seeds, their gains `[B, T, N]` and the weights `[N]`."""
    agents, gains = [], []
    for seed in range(size):
        settings = DROOConfig(preset=preset, frames=frames, seed=seed)
        of_seed, weights = frames_of(settings)
        gains.append(of_seed)
        agents.append(new_agent(settings, len(weights)))
    return agents, np.stack(gains), weights


def of_agents_alone(preset: Preset, frames: int) -> float:
    """Return the frames per second of one agent."""
    agents, gains, weights = members(preset, frames, ALONE)
    compile_frames(agents[0], gains[0], weights)
    return frames_a_second(lambda: play_alone(agents, gains, weights), gains)


def play_alone(agents: Sequence[DROO], gains: Floats, weights: Floats) -> None:
    """Let each agent play its frames, one after the other."""
    for droo, of_agent in zip(agents, gains, strict=True):
        for _ in play(droo, of_agent, {0: weights}, new_table(*of_agent.shape)):
            pass


def of_fleet(preset: Preset, frames: int, size: int, device: str) -> float:
    """Return the frames per second of a fleet."""
    agents, gains, weights = members(preset, frames, size)
    interval = agents[0].agent.training_interval
    fleet_frames(copy.deepcopy(agents), gains[:, :interval], weights, device)  # compiles
    return frames_a_second(lambda: fleet_frames(agents, gains, weights, device), gains)


def fleet_frames(agents: Sequence[DROO], gains: Floats, weights: Floats, device: str) -> None:
    """Let agents play their frames as a fleet."""
    tables = [new_table(*of_agent.shape) for of_agent in gains]
    for _ in play_together(agents, gains, {0: weights}, tables, device):
        pass


def frames_a_second(play_all: Callable[[], None], gains: Floats) -> float:
    """Return the frames per second of `play_all`, which plays frames with gains `[B, T, N]`."""
    start = time.perf_counter()
    play_all()
    num_agents, num_frames, _ = gains.shape
    return float(num_agents * num_frames) / (time.perf_counter() - start)
