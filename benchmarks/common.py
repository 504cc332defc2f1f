"""What the sections of `python -m benchmarks.report` share: settings, runs, timing, Markdown."""

import copy
import math
import time
import timeit
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from agent import DROO
from droo_core.arrays import Floats
from experiments.configs import BenchConfig, DROOConfig, resolve
from experiments.loops.recorder import Block
from experiments.problems.experiment import agent_seed
from experiments.problems.wpmec.experiment import build, play
from experiments.problems.wpmec.frames import make_frames, split_frames
from experiments.problems.wpmec.schema import SCHEMA
from experiments.runs.table import Table

Player = Callable[[DROO, Floats, Mapping[int, Floats], Table], Iterator[Block]]
"""`experiments.problems.wpmec.experiment.play`, and those that it chooses from."""

ROUND_SECONDS = 2e-3  # long beside the clock's resolution and what timeit adds
RUNS = 3  # of the same frames, of which the fastest counts


def main_settings(config: BenchConfig) -> DROOConfig:
    """The main run: 30,000 frames with the published settings, ten devices unless recorded."""
    return DROOConfig(preset="published", data=config.data, frames=config.some(30_000))


class Run(NamedTuple):
    """Frames that were played, and when: `seconds[i]` had passed after `frames[i]` of them."""

    frames: Floats
    seconds: Floats

    def us(self, first: int, end: int) -> float:
        """Return the microseconds a frame from frame `first`, counted from 0, to before `end`."""
        begin, stop = np.interp([first, end], self.frames, self.seconds)
        return float(stop - begin) / (end - first) * 1e6


def timed(frames: Iterable[int]) -> Run:
    """Time something that yields, from time to time, how many frames it has played."""
    start = time.perf_counter()
    marks = [(0.0, 0.0), *((played, time.perf_counter() - start) for played in frames)]
    return Run(*np.array(marks).T)


def best_us(runs: Iterable[Run], first: int, end: int) -> float:
    """Return the microseconds a frame of the run that was the fastest in these frames."""
    return min(run.us(first, end) for run in runs)


def frames_of(settings: DROOConfig) -> tuple[Floats, Floats]:
    """Return the gains `[T, N]` and the weights `[N]` of a run."""
    gains, weights = make_frames(settings)
    return split_frames(gains, settings)[0], weights


def new_agent(settings: DROOConfig, num_devices: int) -> DROO:
    """Return the agent of a run, as a run builds it."""
    return build(resolve(settings), num_devices, agent_seed(settings.seed))


def new_table(*shape: int) -> Table:
    """Return room for frames `[T, N]`."""
    return Table.empty(SCHEMA, *shape)


def compile_frames(droo: DROO, gains: Floats, weights: Floats, player: Player = play) -> None:
    """Play the first frame with a copy of the agent, and learn: all is compiled afterwards."""
    trial = copy.deepcopy(droo)
    for _ in player(trial, gains[:1], {0: weights}, new_table(1, gains.shape[1])):
        trial.agent.learn()


def play_once(settings: DROOConfig, player: Player = play) -> tuple[Run, Table, DROO]:
    """Play a run, learning on; return when, its frames, and the agent afterwards.

    Neither building the agent nor compiling is in the time, as in `experiments.running.run.play`.
    """
    gains, weights = frames_of(settings)
    num_frames, num_devices = gains.shape
    droo = new_agent(settings, num_devices)
    compile_frames(droo, gains, weights, player)
    columns = new_table(num_frames, num_devices)
    played = player(droo, gains, {0: weights}, columns)
    return timed(block.end for block in played), columns, droo


@cache  # several sections want the same
def main_runs(config: BenchConfig) -> tuple[list[Run], Table, DROO]:
    """Play the main run several times, which differ in time alone."""
    played = [play_once(main_settings(config)) for _ in range(RUNS)]
    return [run for run, _, _ in played], played[0][1], played[0][2]


def seconds_a_call(call: Callable[[], object], rounds: int) -> Floats:
    """Return the seconds that a call takes, from each of several rounds of many calls."""
    timer = timeit.Timer(call)
    timer.timeit(1)  # compiles, fills caches
    calls = math.ceil(ROUND_SECONDS / timer.timeit(1))
    return np.array(timer.repeat(rounds, calls)) / calls


def median_us(call: Callable[[], object], rounds: int) -> float:
    """Return the microseconds that a call takes, as the median of several rounds."""
    return float(np.median(seconds_a_call(call, rounds))) * 1e6


def best_us_a_call(call: Callable[[], object], rounds: int) -> float:
    """Return the microseconds that a call takes, as the best of several rounds."""
    return float(seconds_a_call(call, rounds).min()) * 1e6


def figure(value: float) -> str:
    """Return a number with three significant digits."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    decimals = 2 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(0, decimals)}f}"


def table(header: Iterable[str], rows: Iterable[Iterable[str | float]]) -> str:
    """Return a Markdown table; integers are written out, other numbers with three digits."""

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
