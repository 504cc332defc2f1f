"""Figures of studies, drawn on Axes that callers may provide."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterMathtext, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from droo_core.arrays import Floats
from experiments.runs.figures import SIZE, STYLE, save_figure
from experiments.runs.statistics import LEAST, mean_and_interval, shortfall
from experiments.studies.catalogue import DEVICES
from experiments.studies.metrics import Metric

MOST = 1e-2  # largest shortfall on the colour scale of the transfer study


def draw_learning_curves(
    curves: Mapping[str, tuple[Floats, Floats]], events: Sequence[int], ax: Axes, quantity: str
) -> Axes:
    """Draw the shortfall of mean curves from the optimum, with their intervals as bands.

    Args:
        curves: label -> frames `[P]`; and mean, lower and upper end of the interval `[3, P]`.
        events: frames to mark, in which the problem changes.
        ax: Axes to draw on.
        quantity: name of the normalized quantity.
    """
    ends = np.concatenate([shortfall(curve).ravel() for _, curve in curves.values()])
    for number, (label, (frames, curve)) in enumerate(curves.items()):
        mean, high, low = shortfall(curve)
        ax.fill_between(frames, low, high, color=f"C{number}", alpha=0.2, linewidth=0)
        ax.plot(frames, mean, color=f"C{number}", linewidth=1.2, label=label)
    for event in events:
        ax.axvline(event, color="0.5", linewidth=0.7, linestyle=":")
    # The limits come before the scale: matplotlib finds none if all values are equal.
    ax.set(ylim=(0.7 * ends.min(), 1.4 * ends.max()), yscale="log")
    ax.set(xlabel="Time frame", ylabel=f"1 - normalized {quantity}")
    ax.set_title("Learning: rolling mean, with 95 % interval", loc="left")
    ax.margins(x=0.01)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    return ax


def draw_shortfalls(shortfalls: Mapping[str, Floats], ax: Axes, quantity: str) -> Axes:
    """Draw for each setting its runs and their mean, with its interval, on a logarithmic scale.

    Args:
        shortfalls: label -> relative shortfall of each run from the optimum `[R]`.
        ax: Axes to draw on.
        quantity: name of the normalized quantity.
    """
    for number, values in enumerate(shortfalls.values()):
        mean, low, high = np.maximum(mean_and_interval(values), LEAST)
        color = f"C{number}"
        ax.plot(
            np.maximum(values, LEAST), np.full(len(values), number), ".", color=color, alpha=0.4
        )
        ax.errorbar(
            mean, number, xerr=[[mean - low], [high - mean]], fmt="o", color=color, capsize=3
        )
    ax.set(xscale="log", xlabel=f"1 - normalized {quantity}, test frames")
    everything = np.maximum(np.concatenate(list(shortfalls.values())), LEAST)
    if everything.max() > 30 * everything.min():  # a wide range has room for powers of ten only
        ax.xaxis.set_major_locator(LogLocator(numticks=6))
        ax.xaxis.set_major_formatter(LogFormatterMathtext())
    else:
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
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
    quantity: str = "rate",
) -> list[Path]:
    """Draw a study's learning curves and final shortfalls, side by side, as PNG and PDF."""
    with mpl.rc_context(STYLE):
        figure = Figure((2 * SIZE[0], SIZE[1]), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        draw_learning_curves(curves, events, left, quantity)
        draw_shortfalls(shortfalls, right, quantity)
        ncols = 3 if max(map(len, curves)) > 20 else 5
        figure.legend(loc="outside lower center", ncols=min(len(curves), ncols))
        figure.suptitle(title)
        return save_figure(figure, folder / "study")


Values = Mapping[str, Mapping[float, Mapping[str, Sequence[float]]]]
"""label -> value of the varied setting, such as N -> metric -> values of the runs"""


def save_against(
    values: Values,
    panels: Mapping[str, Metric],
    file: Path,
    varied: str = DEVICES,
    limits: Mapping[str, Any] = MappingProxyType({}),
) -> list[Path]:
    """Draw metrics against N or another varied setting, side by side, as PNG and PDF.

    Args:
        values: values of the runs.
        panels: metric -> description of its Axes.
        file: path of the figure without suffix.
        varied: label of the varied setting, for the horizontal axis.
        limits: settings of all Axes.
    """
    with mpl.rc_context(STYLE):
        figure = Figure((0.8 * len(panels) * SIZE[0], SIZE[1] + 0.3), layout="constrained")
        axes = figure.subplots(1, len(panels))
        for ax, (metric, panel) in zip(axes, panels.items(), strict=True):
            of_metric = {
                label: {n: runs[metric] for n, runs in by_n.items() if metric in runs}
                for label, by_n in values.items()
            }
            draw_against(of_metric, ax, panel.convert, apart=limits.get("xscale") != "log")
            ax.set(xlabel=varied, ylabel=panel.label, **limits, **panel.limits)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=(len(values) + 1) // 2)
        return save_figure(figure, file)


def save_bars(values: Mapping[str, Sequence[float]], panel: Metric, file: Path) -> list[Path]:
    """Draw the mean of each label's runs, with its 95 % interval, as PNG and PDF.

    Args:
        values: label -> values of the runs.
        panel: description of the Axes.
        file: path of the figure without suffix.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(SIZE, layout="constrained")
        ax = figure.subplots()
        for number, (label, runs) in enumerate(values.items()):
            mean, low, high = panel.convert(mean_and_interval(runs))
            error = ([mean - low], [high - mean])
            ax.barh(label, mean, xerr=error, color=f"C{number}", capsize=3)
            ax.annotate(f"  {mean:.2f}", (high, number), va="center")
        ax.set(xlabel=panel.label, **panel.limits)
        ax.invert_yaxis()
        ax.grid(visible=False, axis="y")
        ax.margins(x=0.15)
        return save_figure(figure, file)


def save_curves(
    curves: Mapping[str, Mapping[str, Floats]], panels: Mapping[str, Metric], file: Path
) -> list[Path]:
    """Draw quantities against frames, each on Axes of its own, two per row, as PNG and PDF.

    Args:
        curves: quantity -> label -> frames, mean, lower and upper end of the interval `[4, P]`.
        panels: quantity -> description of its Axes; its limits may replace the label "Time frame".
        file: path of the figure without suffix.
    """
    with mpl.rc_context(STYLE):
        rows = len(panels) // 2
        figure = Figure((2 * SIZE[0], rows * SIZE[1]), layout="constrained")
        labels = list(dict.fromkeys(label for by_label in curves.values() for label in by_label))
        axes = figure.subplots(rows, 2).flat
        for ax, (quantity, panel) in zip(axes, panels.items(), strict=True):
            for label, (frames, *found) in curves[quantity].items():
                mean, low, high = (panel.convert(each) for each in found)
                color = f"C{labels.index(label)}"
                ax.fill_between(frames, low, high, color=color, alpha=0.2, linewidth=0)
                ax.plot(frames, mean, color=color, linewidth=1.2, label=label)
            ax.set(**{"xlabel": "Time frame", "ylabel": panel.label, **panel.limits})
            ax.margins(x=0.01)
            ax.xaxis.set_major_formatter("{x:,g}")
        handles, names = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=4)
        return save_figure(figure, file)


def save_transfer(
    rates: Floats, trained: Sequence[int], used: Sequence[int], title: str, folder: Path
) -> list[Path]:
    """Draw the shortfall of policies used at other N than that of their training.

    Args:
        rates: normalized rates, mean over runs `[trained, used]`.
        trained: numbers of devices in training.
        used: numbers of devices in use.
        title: title of the figure.
        folder: folder for the files.
    """
    with mpl.rc_context(STYLE):
        figure = Figure((SIZE[0], SIZE[1]), layout="constrained")
        ax = figure.subplots()
        lacks = shortfall(rates)
        scale = LogNorm(LEAST, MOST)
        ax.imshow(lacks, cmap="viridis_r", norm=scale, aspect="auto")
        for (row, column), value in np.ndenumerate(lacks):
            color = "white" if scale(value) > 0.5 else "black"
            ax.text(column, row, f"{value:.0e}", ha="center", va="center", color=color)
        ax.set_xticks(range(len(used)), list(map(str, used)))
        ax.set_yticks(range(len(trained)), list(map(str, trained)))
        ax.set(xlabel="Used at $N$", ylabel="Trained at $N$")
        ax.set_title(title, loc="left")
        ax.grid(visible=False)
        return save_figure(figure, folder / "transfer")


def draw_against(
    values: Mapping[str, Mapping[float, ArrayLike]],
    ax: Axes,
    convert: Callable[[Floats], Floats] = np.asarray,
    *,
    apart: bool = True,
) -> Axes:
    """Draw each label's mean against N or another varied setting, with 95 % intervals.

    Args:
        values: label -> value of the varied setting -> values of the runs.
        ax: Axes to draw on.
        convert: function from a mean and the ends of its interval to the numbers drawn.
        apart: whether to shift the error bars of the labels so that they do not overlap.
    """
    spread = max(max(by_n) - min(by_n) for by_n in values.values() if by_n) / 450 if apart else 0.0
    for number, (label, by_n) in enumerate(values.items()):
        if not by_n:  # no values of this metric; the colour stays reserved for the label
            continue
        found = convert(np.array([mean_and_interval(runs) for runs in by_n.values()]).T)
        mean, low, high = found[0], found.min(axis=0), found.max(axis=0)
        shift = spread * (number - (len(values) - 1) / 2)
        ax.errorbar(
            np.array(list(by_n)) + shift,
            mean,
            (mean - low, high - mean),
            color=f"C{number}",
            marker="osD^v<>pX"[number % 9],
            markersize=4,
            capsize=2,
            linewidth=1.2,
            label=label,
        )
    ax.set(xlabel=DEVICES)
    return ax
