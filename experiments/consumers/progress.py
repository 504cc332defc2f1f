"""A progress bar over the frames of a run."""

import math
from collections.abc import Iterable, Iterator

from tqdm import tqdm

from experiments.consumers.recorder import Block
from experiments.runs.table import Table

EVERY = 500  # frames between two updates


def with_progress(blocks: Iterable[Block], table: Table, *, show: bool) -> Iterator[Block]:
    """Yield the blocks unchanged; a bar shows the watched quantities of recent frames, K and loss.

    Args:
        blocks: blocks of the frames of a run.
        table: the table into which the frames are written.
        show: whether to show the bar, on a terminal.
    """
    disable = None if show else True  # None: disabled unless the output is a terminal
    loss = math.nan
    with tqdm(total=len(table), unit="frame", disable=disable) as bar:
        if bar.disable:  # it counts no frames, so that each update would average all frames so far
            yield from blocks
            return
        for block in blocks:
            if block.costs:
                _, loss = block.costs[-1]
            if block.end - bar.n >= EVERY or block.end == len(table):
                bar.set_postfix(_watched(table, slice(bar.n, block.end), loss), refresh=False)
                bar.update(block.end - bar.n)
            yield block


def _text(value: float) -> str:
    """Return a value with four decimals, or with a metric prefix if it is large."""
    return f"{value:.4f}" if abs(value) < 1000 else str(tqdm.format_sizeof(value))


def _watched(table: Table, frames: slice, loss: float) -> dict[str, str]:
    """Return the labels and values that the bar shows."""
    recent = table.frames(frames)
    words = {
        word: _text(recent[column].mean())
        for word, column in table.schema.watched.items()
        if column in recent
    }
    if table.agent:
        words |= {"K": str(recent["k"][-1]), "loss": f"{loss:.4f}"}
    return words
