"""The section `fleet` of `python -m benchmarks.report`."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from benchmarks.common import EXPERIMENT, new_task, table
from experiments.configs import BenchConfig, DROOConfig, Preset
from experiments.problems.wpmec.experiment import WPMECTask
from experiments.running.many import play_fleet, warm_up_fleet
from experiments.running.run import warm_up

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
