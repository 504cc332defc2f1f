"""The section `fleet` of `python -m benchmarks.report`."""

import time
from collections.abc import Callable, Mapping, Sequence

import torch

from benchmarks.common import EXPERIMENT, new_task, table
from experiments.configs import BenchConfig, DROOConfig, Preset
from experiments.problems.wpmec.experiment import WPMECTask
from experiments.running.many import play_fleet, warm_up_fleet
from experiments.running.run import warm_up

SIZES = (2, 8, 64)
ALONE = 8  # agents that play one after the other, for the baseline


FRAMES: Mapping[Preset, int] = {"published": 2000, "best": 300}
"""Preset -> number of frames that are measured."""


def fleet(config: BenchConfig) -> str:
    """Return the frames per second of agents one after the other, and as fleets."""
    rows: list[list[str | float]] = []
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for preset, most in FRAMES.items():
        frames = config.some(most)
        alone = of_agents_alone(preset, frames)
        rows.append([preset, "one agent", alone, 1.0])
        for device in devices:
            for size in SIZES:
                speed = of_fleet(preset, frames, size, device)
                rows.append([preset, f"fleet of {size}, {device}", speed, speed / alone])
    return f"""\
Frames per second, summed over all agents; N = 10, with training, from the first frame on. The
baseline is one agent, in compiled code: the mean of {ALONE} that play one after the other. A fleet
runs batched operations of torch, on the number of threads in the section on the machine. With the
preset best these first frames are those in which training is most frequent.

{table(["preset", "", "frames per second", "ratio to one agent"], rows)}"""


def members(preset: Preset, frames: int, size: int) -> list[WPMECTask]:
    """Return runs `[B]` that differ in their seeds."""
    return [new_task(DROOConfig(preset=preset, frames=frames, seed=seed)) for seed in range(size)]


def of_agents_alone(preset: Preset, frames: int) -> float:
    """Return the frames per second of one agent."""
    tasks = members(preset, frames, ALONE)
    warm_up(EXPERIMENT, tasks[0])
    return frames_a_second(lambda: play_alone(tasks), tasks)


def play_alone(tasks: Sequence[WPMECTask]) -> None:
    """Let each agent play its frames, one after the other."""
    for task in tasks:
        for _ in EXPERIMENT.play(task, task.new_table(EXPERIMENT.schema)):
            pass


def of_fleet(preset: Preset, frames: int, size: int, device: str) -> float:
    """Return the frames per second of a fleet."""
    tasks = members(preset, frames, size)
    warm_up_fleet(EXPERIMENT, tasks, device)
    return frames_a_second(lambda: play_fleet(EXPERIMENT, tasks, device), tasks)


def frames_a_second(play_all: Callable[[], object], tasks: Sequence[WPMECTask]) -> float:
    """Return the frames per second of `play_all`, which plays these runs."""
    start = time.perf_counter()
    play_all()
    return sum(task.num_frames for task in tasks) / (time.perf_counter() - start)
