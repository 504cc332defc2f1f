"""Records the frames that a generator yields in the columns of a table, and times them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from droo_core.arrays import Floats
from experiments.runs.table import Table
from experiments.simulation import Step


class Block(NamedTuple):
    """Successive frames just written to the table: one, or several played in compiled code.

    Attributes:
        begin: index of the first frame, from 0.
        end: index after the last frame.
        costs: pairs (frame, loss) of the training steps in the block; frames count from 1.
        decision_us: duration of the decision, or of each decision `[end - begin]`, training
            included, in microseconds.
    """

    begin: int
    end: int
    costs: list[tuple[int, float]]
    decision_us: float | Floats


def record(steps: Iterable[Step], table: Table) -> Iterator[Block]:
    """Write each step into a table, and yield its block."""
    write = writer_of(table)
    for step in steps:
        yield write(step)


def record_fleet(
    frames: Iterable[Sequence[Step]], tables: Sequence[Table]
) -> Iterator[list[Block]]:
    """Write the steps of a fleet's agents into their tables `[B]`; yield the blocks `[B]`."""
    writers = [writer_of(table) for table in tables]
    for steps in frames:
        yield [write(step) for write, step in zip(writers, steps, strict=True)]


def writer_of(table: Table) -> Callable[[Step], Block]:
    """Return a function that writes a step into a table."""
    readers = [
        (table.columns[column.name], column.read)
        for column in table.schema.of(agent=table.agent)
        if column.read is not None
    ]

    def write(step: Step) -> Block:
        t = step.frame - 1
        for values, read in readers:
            values[t] = read(step)
        costs = [] if step.cost is None else [(step.frame, step.cost)]
        return Block(t, step.frame, costs, step.decision_us)

    return write


class Timing(NamedTuple):
    """Duration of a run.

    Attributes:
        seconds: duration of all frames.
        decision_us: duration of each frame's decision `[T]`, in microseconds.
    """

    seconds: float
    decision_us: Floats

    def summary(self) -> dict[str, float]:
        """Return the entries of summary.json."""
        return {
            "seconds": self.seconds,
            "microseconds_per_frame": self.seconds / len(self.decision_us) * 1e6,
            "decision_us_p50": float(np.percentile(self.decision_us, 50)),
            "decision_us_p99": float(np.percentile(self.decision_us, 99)),
        }


def play_to_the_end(frames: Iterable[Sequence[Block]], tables: Sequence[Table]) -> Timing:
    """Consume the blocks of B runs that are played together, and set their training losses.

    Args:
        frames: successive blocks of the same frames, one block per run `[B]`.
        tables: tables of the runs `[B]`.

    Returns:
        The timing of one run: the total over B.
    """
    costs: list[list[tuple[int, float]]] = [[] for _ in tables]
    decision_us = np.empty(len(tables[0]))
    start = time.perf_counter()
    for blocks in frames:
        for of_run, block in zip(costs, blocks, strict=True):
            of_run.extend(block.costs)
        decision_us[blocks[0].begin : blocks[0].end] = blocks[0].decision_us
    seconds = (time.perf_counter() - start) / len(tables)
    for table, of_run in zip(tables, costs, strict=True):
        table.set_costs(of_run)
    return Timing(seconds, decision_us)
