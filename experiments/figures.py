"""Figures of runs, each drawn on Axes that the caller may hand in."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from experiments.results import History
from experiments.statistics import mean_and_interval

Floats = NDArray[np.float64]
Runs = Mapping[str, History]

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


def draw_normalized_rate(runs: Runs, ax: Axes, window: int = 50) -> Axes:
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
    return _finish(
        ax, runs, f"Mean and range over {window} frames; 1 is the optimum", "lower right"
    )


def draw_cost(runs: Runs, ax: Axes, window: int = 50) -> Axes:
    """Draw each run's training losses and their rolling mean."""
    for number, (label, run) in enumerate(runs.items()):
        color = f"C{number}"
        mean = rolling(run.cost, window, np.nanmean)
        ax.plot(run.cost_frame, run.cost, color=color, alpha=0.25, linewidth=0.6)
        ax.plot(run.cost_frame, mean, color=color, linewidth=1.2, label=label)
    ax.set(xlabel="Time frame", ylabel="Training loss", yscale="log")
    title = f"Cross-entropy of each training step, and its mean over {window} steps"
    return _finish(ax, runs, title, "upper right")


def draw_k(runs: Runs, ax: Axes, window: int = 50) -> Axes:
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
    return _finish(ax, runs, title, "upper right")


FIGURES = {
    "cost": draw_cost,
    "normalized_rate": draw_normalized_rate,
    "k": draw_k,
}


def save_figures(runs: Runs, folder: Path, window: int = 50) -> list[Path]:
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
            files += _save(figure, folder / name)
    return files


def draw_learning_curves(
    curves: Mapping[str, tuple[Floats, Floats]], events: Sequence[int], ax: Axes
) -> Axes:
    """Draw mean curves of the normalized computation rate in the band of their intervals.

    Args:
        curves: label -> frames `[P]`, and mean, lower and upper end there `[3, P]`.
        events: frames to mark: what happens there changes the problem.
        ax: where to draw.
    """
    for number, (label, (frames, (mean, low, high))) in enumerate(curves.items()):
        ax.fill_between(frames, low, high, color=f"C{number}", alpha=0.2, linewidth=0)
        ax.plot(frames, mean, color=f"C{number}", linewidth=1.2, label=label)
    for event in events:
        ax.axvline(event, color="0.5", linewidth=0.7, linestyle=":")
    ax.set(xlabel="Time frame", ylabel="Normalized computation rate")
    lowest = min(float(curve.min()) for _, curve in curves.values())
    ax.set_ylim(max(lowest, 0.8) - 0.002, 1.002)
    ax.set_title("Learning: rolling mean, with 95 % interval", loc="left")
    ax.margins(x=0.01)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    return ax


def draw_shortfalls(shortfalls: Mapping[str, Floats], ax: Axes) -> Axes:
    """Draw for each setting its runs and their mean, with interval, on a logarithmic scale.

    Args:
        shortfalls: label -> what each run lacks to the optimum, relative.
        ax: where to draw.
    """
    for number, values in enumerate(shortfalls.values()):
        mean, low, high = mean_and_interval(values)
        color = f"C{number}"
        ax.plot(values, np.full(len(values), number), ".", color=color, alpha=0.4)
        ax.errorbar(
            mean, number, xerr=[[mean - low], [high - mean]], fmt="o", color=color, capsize=3
        )
    ax.set(xscale="log", xlabel="1 - normalized rate, test frames")
    everything = np.concatenate(list(shortfalls.values()))
    wide = everything.max() > 30 * max(everything.min(), 1e-300)
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks(range(len(shortfalls)), list(shortfalls))
    ax.set_ylim(len(shortfalls) - 0.5, -0.5)
    ax.set_title("In the end: less is better", loc="left")
    return ax


def save_study(
    title: str,
    curves: Mapping[str, tuple[Floats, Floats]],
    shortfalls: Mapping[str, Floats],
    events: Sequence[int],
    folder: Path,
) -> list[Path]:
    """Draw a study's learning curves and where they end, side by side, as PNG and PDF."""
    with mpl.rc_context(STYLE):
        figure = Figure((2 * SIZE[0], SIZE[1]), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        draw_learning_curves(curves, events, left)
        draw_shortfalls(shortfalls, right)
        figure.legend(loc="outside lower center", ncols=len(curves))
        figure.suptitle(title)
        return _save(figure, folder / "study")


def save_comparison(
    values: Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]], folder: Path
) -> list[Path]:
    """Draw rate, what it lacks to the optimum, and latency against N, as PNG and PDF.

    Args:
        values: scheme -> N -> metric -> a value per run.
        folder: where the files go.
    """
    panels: dict[str, tuple[str, float, dict[str, Any]]] = {
        "rate": ("Computation rate (Mbit/s)", 1e-6, {}),
        "shortfall": ("1 - normalized rate", 1.0, {"yscale": "log", "ylim": (1e-7, 1.0)}),
        "decision_us": ("Time per decision (us)", 1.0, {"yscale": "log"}),
    }
    with mpl.rc_context(STYLE):
        figure = Figure((2.4 * SIZE[0], SIZE[1] + 0.3), layout="constrained")
        axes = figure.subplots(1, len(panels))
        for ax, (metric, (label, unit, limits)) in zip(axes, panels.items(), strict=True):
            of_metric = {
                scheme: {n: np.array(runs[metric]) * unit for n, runs in by_n.items()}
                for scheme, by_n in values.items()
            }
            draw_against_n(of_metric, ax)
            ax.set(ylabel=label, **limits)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(values) // 2)
        return _save(figure, folder / "comparison")


def draw_against_n(values: Mapping[str, Mapping[int, ArrayLike]], ax: Axes) -> Axes:
    """Draw the mean of each scheme's runs against N, with 95 % intervals.

    Args:
        values: scheme -> N -> a value per run.
        ax: where to draw.
    """
    for number, (scheme, by_n) in enumerate(values.items()):
        mean, low, high = np.array([mean_and_interval(runs) for runs in by_n.values()]).T
        ax.errorbar(
            list(by_n),
            mean,
            (mean - low, high - mean),
            color=f"C{number}",
            marker="osD^v<>p"[number % 8],
            markersize=4,
            capsize=2,
            linewidth=1.2,
            label=scheme,
        )
    ax.set(xlabel="Devices $N$")
    return ax


def _save(figure: Figure, path: Path) -> list[Path]:
    """Save as PNG and PDF; return the two files."""
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


def _finish(
    ax: Axes, runs: Runs, title: str, legend_place: Literal["lower right", "upper right"]
) -> Axes:
    ax.set_title(title, loc="left")
    ax.margins(x=0.01)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    if len(runs) > 1:
        ax.legend(loc=legend_place)
    return ax
