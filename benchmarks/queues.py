"""The section `queues` of `python -m benchmarks.report`, on multi-slot MEC with queues."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch

from benchmarks import plain_queueing
from benchmarks.common import RUNS, Run, best_us, median_us, table, timed, timed_blocks
from droo_core.arrays import Floats
from env import QueueingCritic, QueueingFrame
from env.schemes import certified_lyapunov_optimum
from experiments.configs import BenchConfig, LyDROOConfig, resolve
from experiments.problems import experiment_of
from experiments.problems.queueing.frames import make_frames
from experiments.running.run import warm_up

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "published settings": {"preset": "published"},
    "default settings": {},
    "exact scheme": {"scheme": "exact"},
}


def queues(config: BenchConfig) -> str:
    """Return the times of a frame of LyDROO and of its critic at several N, and of the baseline."""
    rows: list[list[str | float]] = []
    for_plain, for_ours = config.some(100), config.some(2000)
    for num_devices in (10, 20, 30):
        plainly = plain_run(LyDROOConfig(num_devices=num_devices), for_plain).us(0, for_plain)
        row: list[str | float] = [str(num_devices), plainly]
        for settings in SETTINGS.values():
            runs = [
                our_run(LyDROOConfig(num_devices=num_devices, **settings), for_ours)
                for _ in range(RUNS)
            ]
            ours = best_us(runs, 0, for_ours)
            row += [ours, plainly / best_us(runs, 0, for_plain)]
        rows.append(row)
    header = ["N", f"plain, first {for_plain}, us per frame"]
    for name in SETTINGS:
        header += [
            f"{name}, first {for_ours:,}, us per frame",
            f"speedup over plain, first {for_plain}",
        ]
    return f"""\
Frames of `python -m experiments.lydroo`, with training, 3 Mbit per device and frame, best of {RUNS}
runs. The baseline *plain*, `benchmarks/plain_queueing.py`, plays the same gains and arrivals once.

{table(header, rows)}

{critics(config)}"""


def critics(config: BenchConfig) -> str:
    """Return the times of the critic and of the optimal decision."""
    rows = [critic_times(num_devices, config.some(100)) for num_devices in (10, 30, 100)]
    header = ["N", "plain, us", "critic, us", "speedup over plain", "optimal decision, us"]
    return f"""\
Medians: the critic with 10 random decisions in one call, and the search for the optimal decision.

{table(header, rows)}"""


def critic_times(num_devices: int, rounds: int) -> list[str | float]:
    """Return a row of the table of `critics`."""
    gains, _, weights = make_frames(LyDROOConfig(num_devices=num_devices, frames=30))
    rng = np.random.default_rng(0)
    data, energy = rng.exponential((20, 70), (num_devices, 2)).T
    decisions = rng.integers(0, 2, (10, num_devices))
    frame = (gains[0], data, energy)
    critic = QueueingCritic(weights)
    alone = QueueingFrame(critic, *frame)
    plainly = median_us(
        lambda: [plain_queueing.critic(*frame, weights, x) for x in decisions], min(rounds, 5)
    )
    ours = median_us(lambda: critic.score(*frame, decisions), rounds)
    best = median_us(lambda: certified_lyapunov_optimum(alone), rounds)
    return [str(num_devices), plainly, ours, plainly / ours, best]


def our_run(settings: LyDROOConfig, num_frames: int) -> Run:
    """Play the first frames of a run after a warm-up, and return their time course."""
    experiment = experiment_of(settings)
    task = replace(experiment.prepare(resolve(settings)), num_frames=num_frames)
    warm_up(experiment, task)
    return timed_blocks(experiment.play(task, task.new_table(experiment.schema)))


def plain_run(settings: LyDROOConfig, num_frames: int) -> Run:
    """Play the first frames with the baseline, and return their time course."""
    warm_up_plain()
    return timed(play_plain(*make_frames(settings), num_frames))


@cache
def warm_up_plain() -> None:
    """Play a small baseline up to its first training step, at which torch imports modules."""
    for _ in play_plain(*make_frames(LyDROOConfig(num_devices=2)), 20):
        pass


def play_plain(gains: Floats, arrivals: Floats, weights: Floats, num_frames: int) -> Iterator[int]:
    """Play the first frames with the baseline; yield the number of frames played so far."""
    torch.manual_seed(0)
    agent = plain_queueing.LyDROO(len(weights))
    for t in range(num_frames):
        agent.step(gains[t], arrivals[t], weights)
        yield t + 1
