"""Functions shared by the sections of `python -m benchmarks.report`: runs, timing, Markdown."""

import math
import time
import timeit
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from agent import DROO
from droo_core.arrays import Floats
from experiments.configs import BenchConfig, DROOConfig, resolve
from experiments.consumers.recorder import Block, record
from experiments.problems.experiment import Task
from experiments.problems.wpmec.experiment import WPMECExperiment, WPMECTask, task_of
from experiments.problems.wpmec.frames import frames_of_run
from experiments.running.run import warm_up
from experiments.runs.table import Table

EXPERIMENT = WPMECExperiment()

ROUND_SECONDS = 2e-3  # long compared with the clock's resolution and the overhead of timeit
RUNS = 3  # repetitions of the same frames; the fastest counts


class OneByOne(WPMECExperiment):
    """The main experiment, played frame by frame in Python."""

    def play(self, task: Task[Any], table: Table) -> Iterator[Block]:
        """Play the frames of a run one by one."""
        return record(task.simulate(), table)


def main_settings(config: BenchConfig) -> DROOConfig:
    """Return settings of the main run: 30,000 frames, published settings, by default N = 10."""
    return DROOConfig(preset="published", data=config.data, frames=config.some(30_000))


class Run(NamedTuple):
    """Time course of a run: after `seconds[i]` seconds, `frames[i]` frames had been played."""

    frames: Floats
    seconds: Floats

    def us(self, first: int, end: int) -> float:
        """Return the microseconds per frame for frames `first` to `end` - 1, counted from 0."""
        begin, stop = np.interp([first, end], self.frames, self.seconds)
        return float(stop - begin) / (end - first) * 1e6


def timed(frames: Iterable[int]) -> Run:
    """Time an iterable that plays frames and yields the number of frames played so far."""
    start = time.perf_counter()
    marks = [(0.0, 0.0), *((played, time.perf_counter() - start) for played in frames)]
    return Run(*np.array(marks).T)


def timed_blocks(blocks: Iterable[Block]) -> Run:
    """Time an iterable that plays blocks of frames.

    The time of a block is divided among its frames in proportion to their decisions.
    """
    start = time.perf_counter()
    frames, seconds = [np.zeros(1)], [np.zeros(1)]
    for block in blocks:
        before, now = seconds[-1][-1], time.perf_counter() - start
        parts = np.cumsum(np.broadcast_to(block.decision_us, block.end - block.begin))
        frames.append(np.arange(block.begin + 1.0, block.end + 1))
        seconds.append(before + (now - before) * parts / parts[-1])
    return Run(np.concatenate(frames), np.concatenate(seconds))


def best_us(runs: Iterable[Run], first: int, end: int) -> float:
    """Return the microseconds per frame for frames `first` to `end` - 1 of the fastest run."""
    return min(run.us(first, end) for run in runs)


def frames_of(settings: DROOConfig) -> tuple[Floats, Floats]:
    """Return the gains `[T, N]` and the weights `[N]` of a run."""
    gains, weights_from, _ = frames_of_run(settings)
    return gains, weights_from[0]


def new_task(settings: DROOConfig) -> WPMECTask:
    """Return a run with these settings and a new agent, without the optimum of its frames."""
    config = resolve(settings)
    return task_of(config, *frames_of_run(config))


def play_once(
    settings: DROOConfig, experiment: WPMECExperiment = EXPERIMENT
) -> tuple[Run, Table, DROO]:
    """Play a run with training; return its time course, its frames, and the trained agent.

    The time includes neither the construction of the agent nor compilation, as in
    `experiments.running.run.play`.
    """
    task = new_task(settings)
    warm_up(experiment, task)
    columns = task.new_table(experiment.schema)
    run = timed_blocks(experiment.play(task, columns))
    assert isinstance(task.decider, DROO)
    return run, columns, task.decider


@cache  # several sections use these runs
def main_runs(config: BenchConfig) -> tuple[list[Run], Table, DROO]:
    """Play the main run `RUNS` times; return the time courses, the frames and the trained agent."""
    played = [play_once(main_settings(config)) for _ in range(RUNS)]
    return [run for run, _, _ in played], played[0][1], played[0][2]


def seconds_a_call(call: Callable[[], object], rounds: int) -> Floats:
    """Return the mean seconds per call in each of several rounds of many calls `[rounds]`."""
    timer = timeit.Timer(call)
    timer.timeit(1)  # warm-up: compiles, fills caches
    calls = math.ceil(ROUND_SECONDS / timer.timeit(1))
    return np.array(timer.repeat(rounds, calls)) / calls


def median_us(call: Callable[[], object], rounds: int) -> float:
    """Return the microseconds per call, as the median of several rounds."""
    return float(np.median(seconds_a_call(call, rounds))) * 1e6


def best_us_a_call(call: Callable[[], object], rounds: int) -> float:
    """Return the microseconds per call, as the best of several rounds."""
    return float(seconds_a_call(call, rounds).min()) * 1e6


def figure(value: float) -> str:
    """Return a number with three significant digits."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    decimals = 2 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(0, decimals)}f}"


def table(header: Iterable[str], rows: Iterable[Iterable[str | float]]) -> str:
    """Return a Markdown table; integers in full, other numbers with three significant digits."""

    def line(cells: Iterable[str | float]) -> str:
        return f"| {' | '.join(map(cell, cells))} |"

    header = list(header)
    aligned = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join([line(header), line(aligned), *map(line, rows)])


def cell(value: str | float) -> str:
    """Return the text of a table's cell."""
    match value:
        case str():
            return value
        case int():
            return f"{value:,}"
    return figure(value)
