"""Figures of studies, each drawn on Axes that the caller may hand in."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from experiments.figures import SIZE, STYLE, save_figure
from experiments.statistics import mean_and_interval

Floats = NDArray[np.float64]

LEAST = 1e-7  # what lacks less to the optimum is drawn here: single frames decide about it
LOWEST = 0.8  # normalized rate that learning curves show


def draw_learning_curves(
    curves: Mapping[str, tuple[Floats, Floats]],
    events: Sequence[int],
    ax: Axes,
    *,
    logarithmic: bool = False,
) -> Axes:
    """Draw mean curves of the normalized computation rate in the band of their intervals.

    Args:
        curves: label -> frames `[P]`, and mean, lower and upper end there `[3, P]`.
        events: frames to mark: what happens there changes the problem.
        ax: where to draw.
        logarithmic: draw what the rates lack to 1 instead, on a logarithmic scale.
    """
    if logarithmic:
        curves = {label: (frames, shortfall(curve)) for label, (frames, curve) in curves.items()}
    for number, (label, (frames, (mean, low, high))) in enumerate(curves.items()):
        ax.fill_between(frames, low, high, color=f"C{number}", alpha=0.2, linewidth=0)
        ax.plot(frames, mean, color=f"C{number}", linewidth=1.2, label=label)
    for event in events:
        ax.axvline(event, color="0.5", linewidth=0.7, linestyle=":")
    ax.set(xlabel="Time frame", ylabel="Normalized computation rate")
    if logarithmic:
        ax.set(ylabel="1 - normalized rate", yscale="log")
    else:
        # Settings that do not learn stay far below; they must not flatten the others.
        lowest = min(float(curve.min()) for _, curve in curves.values())
        ax.set_ylim(max(lowest, LOWEST) - 0.002, 1.002)
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
    shortfalls = {label: np.maximum(values, LEAST) for label, values in shortfalls.items()}
    for number, values in enumerate(shortfalls.values()):
        mean, low, high = mean_and_interval(values)
        color = f"C{number}"
        ax.plot(values, np.full(len(values), number), ".", color=color, alpha=0.4)
        ax.errorbar(
            mean, number, xerr=[[mean - low], [high - mean]], fmt="o", color=color, capsize=3
        )
    ax.set(xscale="log", xlabel="1 - normalized rate, test frames")
    everything = np.concatenate(list(shortfalls.values()))
    wide = everything.max() > 30 * everything.min()  # with room for powers of ten alone
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
    *,
    logarithmic: bool,
) -> list[Path]:
    """Draw a study's learning curves and where they end, side by side, as PNG and PDF."""
    with mpl.rc_context(STYLE):
        figure = Figure((2 * SIZE[0], SIZE[1]), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        draw_learning_curves(curves, events, left, logarithmic=logarithmic)
        draw_shortfalls(shortfalls, right)
        figure.legend(loc="outside lower center", ncols=min(len(curves), 5))
        figure.suptitle(title)
        return save_figure(figure, folder / "study")


def save_comparison(
    values: Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]], folder: Path
) -> list[Path]:
    """Draw rate, what it lacks to the optimum, and latency against N, as PNG and PDF.

    Args:
        values: scheme -> N -> metric -> a value per run.
        folder: where the files go.
    """
    panels = {
        "rate": Panel("Computation rate (Mbit/s)", lambda rate: rate / 1e6),
        "normalized_rate": Panel(
            "1 - normalized rate", shortfall, {"yscale": "log", "ylim": (1e-7, 1.0)}
        ),
        "decision_us": Panel("Time per decision (us)", limits={"yscale": "log"}),
    }
    return save_against_n(values, panels, folder / "comparison")


def save_policies(
    values: Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]], folder: Path
) -> list[Path]:
    """Draw how soon and how well policies learn, and their time a frame, against N.

    Args:
        values: policy -> N -> metric -> a value per run.
        folder: where the files go.
    """
    panels = {
        "normalized_rate_first_200": Panel(
            "1 - rate, first 200 frames", shortfall, {"yscale": "log"}
        ),
        "normalized_rate_test": Panel("1 - rate, test frames", shortfall, {"yscale": "log"}),
        "microseconds_per_frame": Panel("Time per frame, learning (us)", limits={"yscale": "log"}),
    }
    return save_against_n(values, panels, folder / "policies")


def shortfall(rate: Floats) -> Floats:
    """Return what normalized rates lack to the optimum, but at least `LEAST`."""
    return np.maximum(1 - rate, LEAST)


class Panel(NamedTuple):
    """One metric against N: its label, what is drawn of it, and settings of the Axes."""

    label: str
    convert: Callable[[Floats], Floats] = np.asarray
    limits: Mapping[str, Any] = {}


def save_against_n(
    values: Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]],
    panels: Mapping[str, Panel],
    file: Path,
) -> list[Path]:
    """Draw metrics against N side by side, as PNG and PDF.

    Args:
        values: label -> N -> metric -> a value per run.
        panels: metric -> what to draw of it.
        file: of the figure, without suffix.
    """
    with mpl.rc_context(STYLE):
        figure = Figure((2.4 * SIZE[0], SIZE[1] + 0.3), layout="constrained")
        axes = figure.subplots(1, len(panels))
        for ax, (metric, panel) in zip(axes, panels.items(), strict=True):
            of_metric = {
                scheme: {n: panel.convert(np.array(runs[metric])) for n, runs in by_n.items()}
                for scheme, by_n in values.items()
            }
            draw_against_n(of_metric, ax)
            ax.set(ylabel=panel.label, **panel.limits)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=(len(values) + 1) // 2)
        return save_figure(figure, file)


def save_transfer(
    rates: Floats, trained: Sequence[int], used: Sequence[int], folder: Path
) -> list[Path]:
    """Draw what policies lack to the optimum at other N than those that they were trained at.

    Args:
        rates: normalized, the mean over runs `[trained, used]`.
        trained: N of the training.
        used: N of the use.
        folder: where the files go.
    """
    with mpl.rc_context(STYLE):
        figure = Figure((SIZE[0], SIZE[1]), layout="constrained")
        ax = figure.subplots()
        lacks = shortfall(rates)
        image = ax.imshow(np.log10(lacks), cmap="viridis_r", aspect="auto")
        image.set_clim(-7, -2)
        for (row, column), value in np.ndenumerate(lacks):
            color = "white" if value > 10**-4.5 else "black"
            ax.text(column, row, f"{value:.0e}", ha="center", va="center", color=color)
        ax.set_xticks(range(len(used)), list(map(str, used)))
        ax.set_yticks(range(len(trained)), list(map(str, trained)))
        ax.set(xlabel="Used at $N$", ylabel="Trained at $N$")
        ax.set_title("1 - normalized rate, no training at the new $N$", loc="left")
        ax.grid(visible=False)
        return save_figure(figure, folder / "transfer")


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
            marker="osD^v<>pX"[number % 9],
            markersize=4,
            capsize=2,
            linewidth=1.2,
            label=scheme,
        )
    ax.set(xlabel="Devices $N$")
    return ax
