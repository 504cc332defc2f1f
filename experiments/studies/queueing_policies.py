"""Which policy learns LyDROO's problem how fast: the published run, and what is done differently.

The published network, with Adam as published and kept; a convolutional one; the policies that treat
all devices alike; and what refining adds.
`python -m experiments.studies.queueing_policies --help` lists its settings.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.cli import run_module
from experiments.configs import LyDROOConfig, ScaledConfig
from experiments.problems.queueing import history as queueing_history
from experiments.problems.queueing.history import QueueingHistory
from experiments.runs import results
from experiments.runs.figures import rolling
from experiments.runs.provenance import provenance
from experiments.studies.against import FRAMES, PANELS, table
from experiments.studies.curves import WINDOW, curve_frames
from experiments.studies.figures import Panel, save_curves
from experiments.studies.folder import (
    Curves,
    frames_of,
    publish,
    read_curves,
    run_missing,
    seeds_of,
    show,
    write_curves,
)
from experiments.studies.statistics import mean_and_interval

Floats = NDArray[np.float64]

SEEDS = 10
RAW = ("log_gain", "log_data_queue", "log_energy_queue", "weight")
ALIKE = {"policy": "equivariant", "hidden": (32, 32), "learn_when_wrong": True}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "MLP, Adam as published": {"preset": "published", "rebuild_optimizer": True},
    "MLP": {"preset": "published"},
    "Conv": {"preset": "published", "policy": "conv"},
    "Equivariant, queues and gains": {"preset": "published", "features": RAW, **ALIKE},
    "Equivariant, prices of time": {"preset": "published", **ALIKE, "hidden": (16, 16)},
    "LyDROO here": {},
    "Exact": {"scheme": "exact"},
}


def cost_by_frame(history: QueueingHistory) -> Floats:
    """Return the training losses `[T]`, NaN in the frames without a training step."""
    cost = np.full(len(history.objective), np.nan)
    cost[history.cost_frame - 1] = history.cost
    return cost


CURVES: Mapping[str, Callable[[QueueingHistory], Floats]] = {
    "data_queue": lambda history: history.data_queue.mean(axis=1),
    "energy": lambda history: history.energy.mean(axis=1),
    "normalized_objective": lambda history: history.normalized_objective,
    "cost": cost_by_frame,
}
CURVE_PANELS = {
    "data_queue": Panel("Data queue (Mbit)", limits={"yscale": "log"}),
    "energy": PANELS["mean_energy"],
    "normalized_objective": PANELS["normalized_objective"],
    "cost": Panel("Training loss", limits={"yscale": "log"}),
}
COLUMNS = ("setting", "curve"), ("frame", "mean", "low", "high")  # of curves.csv


def main(config: ScaledConfig) -> None:
    """Carry the study out, and print what came of it."""
    show(run(config))


def run(config: ScaledConfig) -> Path:
    """Run what was not run yet; return the folder with the table, the curves and the figure."""
    came_from = provenance(config)
    frames = frames_of(config, FRAMES)
    tasks = [
        (
            label,
            LyDROOConfig(**{"frames": frames, "seed": seed, **settings}, results=config.results),
        )
        for label, settings in SETTINGS.items()
        for seed in seeds_of(config, SEEDS)
    ]
    folders = run_missing("queueing_policies", config, [settings for _, settings in tasks])
    rows, of_label = [], dict[str, list[Path]]()
    for (label, _), folder in zip(tasks, folders, strict=True):
        summary = results.load_summary(folder)
        row = {"decides": label, "varied": summary["num_devices"], **summary, "run": folder.name}
        rows.append(row)
        of_label.setdefault(label, []).append(folder)
    curves = curves_of(of_label, frames)
    return publish(
        "queueing_policies",
        config,
        came_from,
        rows,
        table(rows, "N"),
        draw,
        write_more=lambda folder: write_curves(folder / "curves.csv", curves, *COLUMNS),
    )


def curves_of(folders: Mapping[str, Sequence[Path]], frames: int) -> Curves:
    """Return what curves.csv holds: rolling means, averaged over runs, with intervals."""
    at = curve_frames(frames)
    curves: Curves = {}
    for label, of_label in folders.items():
        histories = [queueing_history.load(folder) for folder in of_label]
        for name, read in CURVES.items():
            values = [rolling_mean(read(history))[at - 1] for history in histories]
            if not np.isnan(values).all():  # a scheme that does not learn has no loss
                curves[label, name] = at, *mean_and_interval(values)
    return curves


def rolling_mean(values: Floats) -> Floats:
    """Return the mean of what is known of the last `WINDOW` frames `[T]`; NaN where nothing is."""
    known = rolling(np.nan_to_num(values), WINDOW, np.nansum)
    count = rolling((~np.isnan(values)).astype(np.float64), WINDOW, np.nansum)
    mean: Floats = known / np.where(count > 0, count, np.nan)
    return mean


def draw(study: Path, output: Path) -> list[Path]:
    """Draw the figure of a saved study into another folder; return the files."""
    read = read_curves(study / "curves.csv", *COLUMNS)
    curves = {
        name: {label: found for (label, curve), found in read.items() if curve == name}
        for name in CURVES
    }
    return save_curves(curves, CURVE_PANELS, output / "queueing_policies")


if __name__ == "__main__":
    run_module(ScaledConfig, main)
