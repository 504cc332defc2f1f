"""Figures of runs of multi-slot MEC with queues, each drawn on Axes that the caller may hand in."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.problems.queueing.history import QueueingHistory
from experiments.runs import results
from experiments.runs.figures import SIZE, STYLE, draw_cost, finish, rolling, save_figure

Floats = NDArray[np.float64]
Runs = Mapping[str, QueueingHistory]

WINDOW = 100  # frames
STEPS = 20  # training steps of the loss's rolling mean
LEAST = 1e-7  # what lacks less to the optimum is drawn here


def draw_data_queue(runs: Runs, ax: Axes, window: int = WINDOW) -> Axes:
    """Draw each run's data queue, averaged over the devices, in the band of all devices."""
    for number, (label, run) in enumerate(runs.items()):
        frames = np.arange(1, len(run.data_queue) + 1)
        mean = rolling(run.data_queue.mean(axis=1), window, np.nanmean)
        if len(runs) == 1:
            low, high = (rolling(ends(run.data_queue, axis=1), window, np.nanmean) for ends in ENDS)
            ax.fill_between(frames, low, high, color="C0", alpha=0.15, linewidth=0)
        ax.plot(frames, mean, color=f"C{number}", linewidth=1.2, label=label)
    ax.set(xlabel="Time frame", ylabel="Data queue (Mbit)")
    ax.set_ylim(bottom=0)
    of = "mean and range of the devices" if len(runs) == 1 else "mean of the devices"
    return finish(ax, runs, f"Data queue over the last {window} frames: {of}", "upper right")


def draw_energy(runs: Runs, ax: Axes, window: int = WINDOW, budget: float | None = None) -> Axes:
    """Draw the energy that each run uses, averaged over the devices, and the budget in J."""
    for number, (label, run) in enumerate(runs.items()):
        frames = np.arange(1, len(run.energy) + 1)
        mean = rolling(run.energy.mean(axis=1), window, np.nanmean)
        ax.plot(frames, mean, color=f"C{number}", linewidth=1.2, label=label)
    if budget is not None:
        ax.axhline(budget, color="0.3", linewidth=0.9, linestyle="--", label="budget")
    ax.set(xlabel="Time frame", ylabel="Energy (J a frame)")
    ax.set_ylim(bottom=0)
    dashed = "" if budget is None else "; dashed: the budget"
    title = f"Energy over the last {window} frames{dashed}"
    return finish(ax, runs, title, "lower right")


def draw_objective(runs: Runs, ax: Axes, window: int = WINDOW) -> Axes:
    """Draw what each run's objective lacks to the optimum of the same states."""
    for number, (label, run) in enumerate(runs.items()):
        frames = np.arange(1, len(run.objective) + 1)
        lack = np.maximum(1 - rolling(run.normalized_objective, window, np.nanmean), LEAST)
        whole = slice(min(window, len(frames)) - 1, None)
        ax.plot(frames[whole], lack[whole], color=f"C{number}", linewidth=1.2, label=label)
    ax.set(xlabel="Time frame", ylabel="1 - objective / optimum", yscale="log")
    title = f"Lack to the optimum over the last {window} frames ({LEAST:g}: none)"
    return finish(ax, runs, title, "upper right")


ENDS = (np.min, np.max)


def common_budget(folders: Sequence[Path]) -> float | None:
    """Return the energy budget of saved runs, J; None if they differ in it."""
    configs = [results.load_config(folder) for folder in folders]
    budgets = {config.get("config", {}).get("energy_budget") for config in configs}
    return budgets.pop() if len(budgets) == 1 else None


def save_run(runs: Runs, budget: float | None, folder: Path, window: int = WINDOW) -> list[Path]:
    """Draw queue, energy, objective and loss of one or several runs, as PNG and PDF.

    Args:
        runs: label -> run; labels go into the legend if there are several.
        budget: of energy, J, if it is the same in all.
        folder: where the files go.
        window: frames of the rolling means, but for the loss's.
    """
    with mpl.rc_context(STYLE):
        figure = Figure((2 * SIZE[0], 2 * SIZE[1]), layout="constrained")
        (queue, energy), (objective, cost) = figure.subplots(2, 2)
        draw_data_queue(runs, queue, window)
        draw_energy(runs, energy, window, budget)
        draw_objective(runs, objective, window)
        draw_cost(runs, cost, STEPS)
        if len(runs) > 1:  # one legend for all
            for legend in filter(None, (ax.get_legend() for ax in figure.axes)):
                legend.remove()
            handles, labels = queue.get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=5)
        return save_figure(figure, folder / "queues")
