"""Figures of runs, each drawn on Axes that the caller may hand in."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from experiments.runs.results import History

Floats = NDArray[np.float64]
Runs = Mapping[str, History]


class Trained(Protocol):
    """A run with training losses `[U]`, and the frames of these steps `[U]`, from 1."""

    @property
    def cost(self) -> Floats:
        """The losses."""

    @property
    def cost_frame(self) -> NDArray[np.int64]:
        """The frames."""


STYLE: Any = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "font.size": 9,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # text that a publisher's checks accept, and that can be edited
    "savefig.dpi": 200,
}
SIZE = (5.0, 3.0)  # inches: a column and a half
WINDOW = 50  # frames


def draw_normalized_rate(runs: Runs, ax: Axes, window: int = WINDOW) -> Axes:
    """Draw each run's rolling mean of the normalized computation rate, in its min-max band."""
    lowest = 1.0
    for number, (label, run) in enumerate(runs.items()):
        frames = np.arange(1, len(run.rate) + 1)
        rate = run.normalized_rate
        mean = rolling(rate, window, np.nanmean)
        low, high = rolling(rate, window, np.nanmin), rolling(rate, window, np.nanmax)
        color = f"C{number}"
        ax.fill_between(frames, low, high, color=color, alpha=0.2, linewidth=0)
        ax.plot(frames, mean, color=color, linewidth=1.2, label=label)
        lowest = min(lowest, float(low.min()))
    ax.axhline(1.0, color="0.3", linewidth=0.7, linestyle=":")
    ax.set(xlabel="Time frame", ylabel="Normalized computation rate")
    ax.set_ylim(lowest - 0.02 * (1 - lowest), 1 + 0.05 * (1 - lowest) + 1e-6)
    return finish(ax, runs, f"Mean and range over {window} frames; 1 is the optimum", "lower right")


def draw_cost(runs: Mapping[str, Trained], ax: Axes, window: int = WINDOW) -> Axes:
    """Draw each run's training losses and their rolling mean."""
    for number, (label, run) in enumerate(runs.items()):
        color = f"C{number}"
        mean = rolling(run.cost, window, np.nanmean)
        ax.plot(run.cost_frame, run.cost, color=color, alpha=0.25, linewidth=0.6)
        ax.plot(run.cost_frame, mean, color=color, linewidth=1.2, label=label)
    positive = any((run.cost > 0).any() for run in runs.values())
    scale = "log" if positive else "linear"
    ax.set(xlabel="Time frame", ylabel="Training loss", yscale=scale)
    title = f"Loss of each training step, and its mean over {window} steps"
    return finish(ax, runs, title, "upper right")


def draw_k(runs: Runs, ax: Axes, window: int = WINDOW) -> Axes:
    """Draw each run's number of candidates K, and its mean over ten windows, K moving in steps."""
    window *= 10
    for number, (label, run) in enumerate(runs.items()):
        color = f"C{number}"
        frames = np.arange(1, len(run.rate) + 1)
        mean = rolling(run.k.astype(np.float64), window, np.nanmean)
        ax.step(frames, run.k, where="post", color=color, alpha=0.25, linewidth=0.6)
        ax.plot(frames, mean, color=color, linewidth=1.2, label=label)
    ax.set(xlabel="Time frame", ylabel="$K$")
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    title = f"Number of candidates asked for, and its mean over {window} frames"
    return finish(ax, runs, title, "upper right")


FIGURES = {
    "cost": draw_cost,
    "normalized_rate": draw_normalized_rate,
    "k": draw_k,
}


def save_figures(runs: Runs, folder: Path, window: int = WINDOW) -> list[Path]:
    """Draw the three figures of one or several runs into `folder`, as PNG and PDF.

    Args:
        runs: label -> run; labels go into the legend if there are several.
        folder: made if it does not exist.
        window: frames of the rolling means and ranges.

    Returns:
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    with mpl.rc_context(STYLE):
        for name, draw in FIGURES.items():
            figure = Figure(SIZE, layout="constrained")
            draw(runs, figure.subplots(), window)
            files += save_figure(figure, folder / name)
    return files


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Save a figure as PNG and PDF; return the two files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files = [path.with_suffix(suffix) for suffix in (".png", ".pdf")]
    for file in files:
        figure.savefig(file)
    return files


def rolling(values: Floats, window: int, reduce: Callable[..., Floats]) -> Floats:
    """Reduce the last `window` values at each place, fewer at the start; `reduce` must skip NaN."""
    if len(values) == 0:
        return values
    padded = np.concatenate([np.full(window - 1, np.nan), values])
    return reduce(sliding_window_view(padded, window), axis=1)


def finish(
    ax: Axes,
    runs: Mapping[str, object],
    title: str,
    legend_place: Literal["lower right", "upper right"],
) -> Axes:
    """Put a title over Axes with frames below, and a legend in if there are several runs."""
    ax.set_title(title, loc="left")
    ax.margins(x=0.01)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    if len(runs) > 1:
        ax.legend(loc=legend_place)
    return ax
