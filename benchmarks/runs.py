"""The sections `frames`, `scaling` and `latency` of `python -m benchmarks.report`."""

import itertools
import math
import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from agent import DROO
from benchmarks import plain
from benchmarks.common import (
    RUNS,
    OneByOne,
    Run,
    best_us,
    frames_of,
    main_runs,
    main_settings,
    new_task,
    play_once,
    table,
    timed,
)
from droo_core.arrays import Floats
from experiments.configs import BenchConfig, DROOConfig

SIZES = (10, 30, 100, 300, 1000)
Windows = Sequence[tuple[int, int]]


def frames(config: BenchConfig) -> str:
    """Return the times of a frame in the main run and at several N, and of the baseline."""
    early, late = (0, config.some(300)), (config.some(1000), config.some(1300))
    windows = [early, late]
    by_plain = [plain_run(*frames_of(main_settings(config)), late[1])]
    one_by_one = [play_once(main_settings(config), OneByOne())[0] for _ in range(RUNS)]
    best_settings = DROOConfig(data=config.data, frames=config.some(30_000))
    best = [play_once(best_settings)[0] for _ in range(RUNS)]
    every = {
        "plain": by_plain,
        "published settings": main_runs(config)[0],
        "published settings, frame by frame in Python": one_by_one,
        "default settings": best,
    }
    latest = config.some(300)
    header = ["", "frames played", "all frames, us per frame", f"last {latest}, us per frame"]
    for first, end in windows:
        header += [f"frames {first + 1:,} to {end:,}, us per frame", "speedup over plain"]
    return f"""\
The main run of {main_settings(config).frames:,} frames with training, and shorter runs; best of
{RUNS} runs. The baseline *plain* plays the same gains once. Speedups compare the same frames of
both, because K, and with it the time of a frame, decreases during a run.

{table(header, ((name, *ratios(runs, by_plain, windows, latest)) for name, runs in every.items()))}

{first_frames(config)}"""


def ratios(
    runs: Sequence[Run], by_plain: Sequence[Run], windows: Windows, latest: int
) -> Iterator[float]:
    """Yield the number of frames, the time of all and of the latest, and of each window."""
    num_frames = int(runs[0].frames[-1])
    yield num_frames
    yield best_us(runs, 0, num_frames)
    yield best_us(runs, num_frames - latest, num_frames)
    for window in windows:
        yield best_us(runs, *window)
        yield best_us(by_plain, *window) / best_us(runs, *window)


def first_frames(config: BenchConfig) -> str:
    """Return the times of the first frames at several N."""
    rows: list[list[str | float]] = []
    for_plain, for_ours = config.some(60), config.some(600)
    for num_devices in (10, 20, 30):
        settings = DROOConfig(preset="published", num_devices=num_devices, frames=for_ours)
        by_plain = plain_run(*frames_of(settings), for_plain)
        runs = [play_once(settings)[0] for _ in range(RUNS)]
        ours = [best_us(runs, 0, for_ours), best_us(runs, 0, for_plain)]
        plainly = by_plain.us(0, for_plain)
        rows.append([str(num_devices), *ours, plainly, plainly / ours[1]])
    first = f"first {for_plain}, us per frame"
    header = [
        "N",
        f"first {for_ours}, us per frame",
        first,
        f"plain, {first}",
        "speedup over plain",
    ]
    return f"""\
The first frames, in which K is large: published settings, best of {RUNS} runs; generated
channels. The baseline plays them once.

{table(header, rows)}"""


def plain_run(gains: Floats, weights: Floats, num_frames: int) -> Run:
    """Play the first frames with the baseline, and return their time course."""

    def play(last: int) -> Iterator[int]:
        torch.manual_seed(0)
        agent = plain.DROO(len(weights))
        for t, gain in enumerate(gains[:last]):
            agent.step(gain, weights)
            yield t + 1

    timed(play(10))  # warm-up up to the first training step, at which torch imports modules
    return timed(play(num_frames))


def scaling(config: BenchConfig) -> str:
    """Return the time of a frame against N, and its growth."""
    early = (0, config.some(64))
    late = (config.some(400), config.some(600))
    rows: list[list[str | float]] = []
    for num_devices in SIZES:
        settings = DROOConfig(preset="published", num_devices=num_devices, frames=late[1])
        played = [play_once(settings) for _ in range(RUNS)]
        row: list[str | float] = [f"{num_devices:,}"]
        for first, end in (early, late):
            row.append(best_us([run for run, _, _ in played], first, end))
            row.append(float(played[0][1]["k"][first:end].mean()))
        rows.append(row)
    times = {n: (float(row[1]), float(row[3])) for n, row in zip(SIZES, rows, strict=True)}
    names = [f"frames {first + 1} to {end}" for first, end in (early, late)]
    header = ["N", *(f"{name}, {what}" for name in names for what in ("us per frame", "mean K"))]
    return f"""\
Published settings, with training, best of {RUNS} runs; generated channels. At the
start K equals N; later it has adapted to a value that depends on N, which contributes to the
growth.

{table(header, rows)}

The growth of these times: the exponent is log(time ratio) / log(ratio of N).

{growth(times, names)}"""


def growth(times: dict[int, tuple[float, float]], names: Sequence[str]) -> str:
    """Return the growth of the times between neighbouring N, and from 100 to 1,000."""
    header = ["N", *(f"{name}, {what}" for name in names for what in ("time ratio", "exponent"))]
    rows: list[list[str | float]] = []
    for fewer, more in [*itertools.pairwise(SIZES), (100, 1000)]:
        row: list[str | float] = [f"{fewer:,} to {more:,}"]
        for before, after in zip(times[fewer], times[more], strict=True):
            row += [after / before, math.log(after / before) / math.log(more / fewer)]
        rows.append(row)
    return table(header, rows)


def latency(config: BenchConfig) -> str:
    """Return the latency of a decision, with training in the decision and after it."""
    rows: list[list[str | float]] = []
    for name, learn_later in {"learning in `decide`": False, "`learn_later=True`": True}.items():
        us = decision_us(config, learn_later=learn_later)
        rows.append([name, len(us), *map(float, np.percentile(us, [50, 99, 99.9]))])
    header = ["", "decisions", "p50, us", "p99, us", "p99.9, us"]
    return f"""\
Times of single calls of `DROO.decide` from Python in one run, published settings, after a warm-up
of {config.some(3000):,} frames. With `learn_later` the training steps run between decisions and are
not included.

{table(header, rows)}"""


def decision_us(config: BenchConfig, *, learn_later: bool) -> Floats:
    """Return the duration of each decision after the warm-up, in microseconds."""
    task = new_task(main_settings(config))
    droo, env = task.decider, task.problem
    assert isinstance(droo, DROO)
    droo.learn_later = learn_later
    env.reset()
    us = np.empty(task.num_frames)
    for t in range(task.num_frames):
        state = env.state
        start = time.perf_counter_ns()
        choice = droo.decide(state, env.score)
        us[t] = (time.perf_counter_ns() - start) / 1000
        env.step(choice.decision)
        droo.learn_due()
    return us[config.some(3000) :]
