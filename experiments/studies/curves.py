"""Studies of learning curves: an experiment under several settings, each with several seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats
from experiments.configs import RunConfig, ScaledConfig
from experiments.problems import named
from experiments.running.run import load
from experiments.runs.cells import table_of
from experiments.runs.figures import COST, rolling
from experiments.runs.files import read_csv
from experiments.runs.folder import load_summary
from experiments.runs.provenance import provenance
from experiments.runs.statistics import mean_and_interval
from experiments.runs.table import Table
from experiments.studies import figures
from experiments.studies.catalogue import CurveStudy
from experiments.studies.folder import (
    Curves,
    frames_of,
    publish,
    read_curves,
    run_missing,
    seeds_of,
    write_curves,
)
from experiments.studies.metrics import METRICS

WINDOW = 200  # frames of the curves' rolling means
POINTS = 150  # maximum number of points of a curve
NUMBERS = ("frame", "mean", "low", "high")  # columns of curves.csv that hold a point's numbers


def run(name: str, study: CurveStudy, config: ScaledConfig) -> Path:
    """Run the study's missing runs, and return the folder with its figure and data.

    The folder holds config.json, runs.csv (one row per run), curves.csv (the learning curves with
    their intervals), table.txt and the figure.
    """
    came_from, num_frames = provenance(config), frames_of(config, study.frames)
    runs = [
        (label, run_config(study, config, setting, seed, num_frames))
        for label, setting in study.settings.items()
        for seed in seeds_of(config, study.seeds)
    ]
    folders: dict[str, list[Path]] = {label: [] for label in study.settings}
    found = run_missing(name, config, [run for _, run in runs])
    for (label, _), folder in zip(runs, found, strict=True):
        folders[label].append(folder)
    rows = [
        {"setting": label, **load_summary(run), "run": run.name}
        for label, of_label in folders.items()
        for run in of_label
    ]
    curves = curves_of(study, folders, num_frames)
    return publish(
        name,
        config,
        came_from,
        rows,
        table_of(
            named(study.experiment).key_figures,
            {(label,): each for label, each in folders.items()},
            ("setting",),
        ),
        draw,
        described={
            "kind": "curves",
            "title": study.title,
            "quantity": named(study.experiment).schema.quantity,
            "curves": list(study.curves),
            "events": sorted(
                {at for _, run in runs for at in named(study.experiment).changes(run, num_frames)}
            ),
        },
        write_more=lambda folder: write_curves(
            folder / "curves.csv", curves, label_columns(study.curves), NUMBERS
        ),
    )


def run_config(
    study: CurveStudy, config: ScaledConfig, setting: Mapping[str, Any], seed: int, num_frames: int
) -> RunConfig:
    """Return the settings of one run."""
    settings = {**study.common, **setting, "frames": num_frames, "seed": seed}
    num_devices = getattr(config, "num_devices", None)
    if num_devices is not None:
        settings["num_devices"] = num_devices
    of_run: RunConfig = named(study.experiment).config(**settings, results=config.results)
    return of_run


def label_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of curves.csv that identify a curve."""
    return ("setting",) if len(names) == 1 else ("setting", "curve")


def curves_of(study: CurveStudy, folders: Mapping[str, Sequence[Path]], num_frames: int) -> Curves:
    """Return the content of curves.csv: rolling means, averaged over runs, with 95 % intervals."""
    at = curve_frames(num_frames)
    curves: Curves = {}
    for label, of_label in folders.items():
        tables = [load(folder) for folder in of_label]
        for name in study.curves:
            values = [rolling_mean(per_frame(table, name))[at - 1] for table in tables]
            if not np.isnan(values).all():  # a scheme that does not learn has no loss
                key = (label,) if len(study.curves) == 1 else (label, name)
                curves[key] = at, *mean_and_interval(values)
    return curves


def curve_frames(num_frames: int) -> NDArray[np.int64]:
    """Return the frames, from 1, at which curves are drawn."""
    first = min(WINDOW, num_frames)
    return np.unique(np.linspace(first, num_frames, POINTS).astype(np.int64))


def per_frame(table: Table, name: str) -> Floats:
    """Return a column averaged over the devices, or the loss, NaN in frames without one `[T]`."""
    if name == COST:
        cost = np.full(len(table), np.nan)
        cost[table.cost_frame - 1] = table.cost
        return cost
    return table.per_frame(name)


def rolling_mean(values: Floats) -> Floats:
    """Return the mean of the values in the last `WINDOW` frames that are not NaN, or NaN `[T]`."""
    if not np.isnan(values).any():
        return rolling(values, WINDOW, np.nanmean)
    known = rolling(np.nan_to_num(values), WINDOW, np.nansum)
    count = rolling((~np.isnan(values)).astype(np.float64), WINDOW, np.nansum)
    mean: Floats = known / np.where(count > 0, count, np.nan)
    return mean


def draw(study: Path, output: Path, described: Mapping[str, Any]) -> list[Path]:
    """Draw the figure of a saved study into another folder; return the files.

    Args:
        study: folder of the study.
        output: folder for the files.
        described: entry "study" of the study's config.json.
    """
    names = described.get("curves", ["normalized_rate"])
    found = read_curves(study / "curves.csv", label_columns(names), NUMBERS)
    if len(names) > 1:
        grid = {
            name: {label: points for (label, curve), points in found.items() if curve == name}
            for name in names
        }
        metrics = {name: METRICS[name] for name in names}
        return figures.save_curves(grid, metrics, output / described["name"])
    quantity = described.get("quantity", "rate")
    metric = f"normalized_{quantity}_test"
    runs = read_csv(study / "runs.csv", ("setting", metric))
    ends = np.array(runs[metric], np.float64)
    return figures.save_study(
        described["title"],
        {label: (points[0], points[1:]) for (label,), points in found.items()},
        {label: 1 - ends[np.array(runs["setting"]) == label] for (label,) in found},
        described["events"],
        output,
        quantity,
    )
