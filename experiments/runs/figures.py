"""Figures of runs, described by the schema of their problem, on Axes that callers may provide."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.lib.stride_tricks import sliding_window_view

from droo_core.arrays import Floats
from experiments.runs.statistics import shortfall
from experiments.runs.table import Panel, Schema, Table

Runs = Mapping[str, Table]
"""label -> table of a run; a legend shows the labels if there are several runs."""

ALL = slice(None)
STYLE: Any = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.dpi": 200,
    "font.size": 9,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # TrueType: accepted by publishers' checks, and editable
}
SIZE = (5.0, 3.0)  # inches: a column and a half
POINTS = 2000  # of a curve at least: two for each pixel of a PNG
COST = "cost"  # the training loss, which is not a column of the table


def save_figures(runs: Runs, folder: Path, window: int | None = None) -> list[Path]:
    """Draw the figures of one or several runs of a problem into `folder`, as PNG and PDF.

    Args:
        runs: label -> run.
        folder: output folder; created if it does not exist.
        window: number of frames of the rolling means and ranges; None takes the schema's.

    Returns:
        The files written.
    """
    schema = next(iter(runs.values())).schema
    files: list[Path] = []
    with mpl.rc_context(STYLE):
        for name in schema.figures:
            files += save_figure(draw_figure(runs, schema, name, window), folder / name)
    return files


def draw_figure(runs: Runs, schema: Schema, name: str, window: int | None = None) -> Figure:
    """Return a figure of the schema, with two panels per row."""
    panels = schema.figures[name]
    columns, rows = min(2, len(panels)), -(-len(panels) // 2)
    figure = Figure((columns * SIZE[0], rows * SIZE[1]), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for panel, ax in zip(panels, axes, strict=False):
        draw_panel(runs, panel, ax, window)
    if len(panels) > 1 and len(runs) > 1:  # one legend for all panels
        handles, labels = axes[0].get_legend_handles_labels()
        for legend in filter(None, (ax.get_legend() for ax in figure.axes)):
            legend.remove()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def draw_panel(runs: Runs, panel: Panel, ax: Axes, window: int | None = None) -> Axes:
    """Draw one column of one or several runs, and return the Axes.

    Args:
        runs: label -> run.
        panel: the column, and how it is drawn.
        ax: Axes to draw on.
        window: number of frames of the rolling mean; None takes the schema's.
    """
    schema = next(iter(runs.values())).schema
    window = (window or schema.window) * panel.windows
    if panel.column == COST:
        window = panel.steps or window
        draw_cost(runs, ax, window)
    else:
        alone = len(runs) == 1
        for number, (label, run) in enumerate(runs.items()):
            draw_column(run, panel, ax, window, color=f"C{number}", label=label, alone=alone)
        ax.set(xlabel="Time frame", ylabel=panel.label or schema[panel.column].label)
    draw_reference(runs, panel, ax)
    title = panel.title.format(window=window)
    if panel.band == "devices" and len(runs) == 1:
        title = title.replace("mean of", "mean and range of")
    return finish(ax, runs, panel, title)


def draw_column(
    run: Table, panel: Panel, ax: Axes, window: int, *, color: str, label: str, alone: bool
) -> None:
    """Draw the rolling mean of one column of one run, and the band or the values around it."""
    column, values = run.schema[panel.column], run[panel.column].astype(np.float64)
    frames = np.arange(1, len(values) + 1)
    per_frame = values.mean(axis=1) if column.per_device else values
    shown = frames_shown(len(frames), window)
    at = frames[shown]
    mean = rolling(per_frame, window, np.nanmean, shown)
    full = slice(None)
    if panel.shortfall:
        mean = shortfall(mean)
        full = slice(int(np.searchsorted(at, min(window, len(frames)))), None)  # full windows
        ax.set_yscale("log")
    if panel.band == "range":
        low, high = (rolling(per_frame, window, each, shown) for each in (np.nanmin, np.nanmax))
        ax.fill_between(at, low, high, color=color, alpha=0.2, linewidth=0)
    if panel.band == "devices" and alone:
        low, high = (
            rolling(end(values, axis=1), window, np.nanmean, shown) for end in (np.min, np.max)
        )
        ax.fill_between(at, low, high, color=color, alpha=0.15, linewidth=0)
    if panel.raw:  # a step function, which is drawn at its steps alone
        steps = np.append(np.flatnonzero(np.diff(values, prepend=np.nan)), len(values) - 1)
        ax.step(frames[steps], values[steps], where="post", color=color, alpha=0.25, linewidth=0.6)
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.plot(at[full], mean[full], color=color, linewidth=1.2, label=label)


def draw_cost(runs: Runs, ax: Axes, window: int) -> None:
    """Draw each run's training losses and their rolling mean."""
    for number, (label, run) in enumerate(runs.items()):
        color = f"C{number}"
        mean = rolling(run.cost, window, np.nanmean)
        ax.plot(run.cost_frame, run.cost, color=color, alpha=0.25, linewidth=0.6)
        ax.plot(run.cost_frame, mean, color=color, linewidth=1.2, label=label)
    positive = any((run.cost > 0).any() for run in runs.values())
    scale = "log" if positive else "linear"
    ax.set(xlabel="Time frame", ylabel="Training loss", yscale=scale)


def draw_reference(runs: Runs, panel: Panel, ax: Axes) -> None:
    """Draw reference lines: the optimum, which is 1, and a setting of the runs."""
    if panel.band == "range":  # of a normalized quantity, whose optimum is 1
        lowest = float(ax.dataLim.y0)
        ax.axhline(1.0, color="0.3", linewidth=0.7, linestyle=":")
        ax.set_ylim(lowest - 0.02 * (1 - lowest), 1 + 0.05 * (1 - lowest) + 1e-6)
    if panel.reference is not None:
        values = {run.settings.get(panel.reference) for run in runs.values()}
        value = values.pop() if len(values) == 1 else None
        if value is not None:
            ax.axhline(value, color="0.3", linewidth=0.9, linestyle="--")
    if panel.bottom is not None:  # last: a limit set earlier would cut off the reference line
        ax.set_ylim(bottom=panel.bottom)


def finish(ax: Axes, runs: Mapping[str, object], panel: Panel, title: str) -> Axes:
    """Set the title and the format of the frame axis; add a legend if there are several runs."""
    ax.set_title(title, loc="left")
    ax.margins(x=0.01)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    if len(runs) > 1:
        ax.legend(loc=panel.legend)
    return ax


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Save a figure as PNG and PDF, and return the two files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    layout = figure.get_layout_engine()
    if layout is not None:  # solved once: `savefig` would draw and solve it for each of the files
        layout.execute(figure)
        figure.set_layout_engine(None)
    files = [path.with_suffix(suffix) for suffix in (".png", ".pdf")]
    for file in files:
        figure.savefig(file)
    return files


def frames_shown(num_frames: int, window: int) -> slice:
    """Return the indices at which rolling curves are drawn, so that every frame is in a window."""
    every = min(max(1, num_frames // POINTS), window)
    return slice((num_frames - 1) % every, None, every)  # the last frame is among them


def rolling(
    values: Floats, window: int, reduce: Callable[..., Floats], indices: slice = ALL
) -> Floats:
    """Reduce the last `window` values at indices, fewer at the start; `reduce` must skip NaN."""
    if len(values) == 0:
        return values
    padded = np.concatenate([np.full(window - 1, np.nan), values])
    return reduce(sliding_window_view(padded, window)[indices], axis=1)
