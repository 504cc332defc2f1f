"""Studies: the main experiment under several settings, each from several seeds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.cli import run_module
from experiments.configs import DROOConfig, Preset, StudyConfig
from experiments.problems.wpmec.frames import EVENTS
from experiments.runs import figures, results
from experiments.runs.provenance import provenance
from experiments.studies import figures as study_figures
from experiments.studies.folder import (
    Curves,
    frames_of,
    publish,
    read_curves,
    run_missing,
    seeds_of,
    show,
    summary_table,
    write_curves,
)
from experiments.studies.statistics import mean_and_interval

Floats = NDArray[np.float64]

WINDOW = 200  # frames of the curves' rolling means
POINTS = 150  # of a curve
COLUMNS = ("setting",), ("frame", "mean", "low", "high")  # of curves.csv


@dataclass(frozen=True)
class Study:
    """What one figure of the paper varies.

    Attributes:
        name: of its module and of its folder of results.
        title: of its figure.
        settings: for each curve its label and how it differs from the main experiment.
        frames: of a run, at full scale.
        seeds: how many, at full scale.
        num_devices: N, unless another is asked for.
        preset: of the settings that are not varied.
    """

    name: str
    title: str
    settings: Mapping[str, Mapping[str, Any]] = field(hash=False)
    frames: int = 30_000
    seeds: int = 5
    num_devices: int = 10
    preset: Preset = "published"

    def main(self, config: StudyConfig) -> None:
        """Carry the study out, and print what came of it."""
        show(run_study(self, config))


def run_study_module(study: Study) -> None:
    """Carry a study out with the arguments of this process."""
    run_module(StudyConfig, study.main)


def run_study(study: Study, config: StudyConfig) -> Path:
    """Run what was not run yet, and return the folder with the study's figure and data.

    The folder holds config.json, runs.csv (a row per run), curves.csv (the learning curves with
    their intervals), table.txt and the figure.
    """
    came_from = provenance(config)
    common: dict[str, Any] = {
        "preset": study.preset,
        "num_devices": config.num_devices or study.num_devices,
        "frames": frames_of(config, study.frames),
        "results": config.results,
    }
    runs = [
        (label, DROOConfig(**common | dict(setting), seed=seed))
        for label, setting in study.settings.items()
        for seed in seeds_of(config, study.seeds)
    ]
    folders: dict[str, list[Path]] = {label: [] for label in study.settings}
    found = run_missing(study.name, config, [run for _, run in runs])
    for (label, _), folder in zip(runs, found, strict=True):
        folders[label].append(folder)

    frames = curve_frames(common["frames"])
    curves: Curves = {
        (label,): (frames, *learning_curve(of_label, frames)) for label, of_label in folders.items()
    }
    events = [
        at * common["frames"] // 100
        for setting in study.settings.values()
        for at in EVENTS[setting.get("scenario", "steady")]
    ]

    rows = [
        {"setting": label, **results.load_summary(run), "run": run.name}
        for label, of_label in folders.items()
        for run in of_label
    ]
    return publish(
        study.name,
        config,
        came_from,
        rows,
        summary_table({(label,): of_label for label, of_label in folders.items()}, ("setting",)),
        draw,
        module="curves",
        described={"title": study.title, "events": sorted(set(events))},
        write_more=lambda folder: write_curves(folder / "curves.csv", curves, *COLUMNS),
    )


def curve_frames(num_frames: int) -> NDArray[np.int64]:
    """Return the frames, from 1, at which curves are drawn."""
    first = min(WINDOW, num_frames)
    return np.unique(np.linspace(first, num_frames, POINTS).astype(np.int64))


def learning_curve(folders: Sequence[Path], frames: NDArray[np.int64]) -> Floats:
    """Return the rolling mean of the normalized rate, over runs: mean, low, high `[3, frames]`."""
    curves = [
        figures.rolling(results.load(folder).normalized_rate, WINDOW, np.nanmean)[frames - 1]
        for folder in folders
    ]
    return mean_and_interval(curves)


def draw(study: Path, output: Path) -> list[Path]:
    """Draw the figure of a saved study into another folder; return the files."""
    described = json.loads((study / "config.json").read_text())["study"]
    curves = read_curves(study / "curves.csv", *COLUMNS)
    runs = results.read_csv(study / "runs.csv", ("setting", "normalized_rate_test"))
    rates = np.array(runs["normalized_rate_test"], np.float64)
    return study_figures.save_study(
        described["title"],
        {label: (found[0], found[1:]) for (label,), found in curves.items()},
        {label: 1 - rates[np.array(runs["setting"]) == label] for (label,) in curves},
        described["events"],
        output,
    )
