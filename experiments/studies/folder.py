"""Functions common to all studies: scale, missing runs, tables and folders."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from tqdm import tqdm

from droo_core.arrays import Floats
from experiments.configs import RunConfig, RunsConfig, ScaledConfig, SizesConfig
from experiments.running.many import run_all
from experiments.runs.files import read_csv, write_csv, write_json
from experiments.runs.folder import new_folder, timestamp

Row = Mapping[str, Any]
Curves = dict[tuple[str, ...], Sequence[NDArray[Any]]]
"""label, as a tuple of its parts -> the numbers of the curve's P points, one array `[P]` each"""
R = TypeVar("R")
C = TypeVar("C", bound=RunConfig)

SMOKE_SEEDS, SMOKE_FRAMES = (0, 1), 400


def seeds_of(config: ScaledConfig, full: int) -> tuple[int, ...]:
    """Return the seeds to run; at full scale, `full` is their number."""
    return config.seeds or (SMOKE_SEEDS if config.scale == "smoke" else tuple(range(full)))


def frames_of(config: ScaledConfig, full: int) -> int:
    """Return the number of frames of a run; at full scale, it is `full`."""
    return config.frames or (SMOKE_FRAMES if config.scale == "smoke" else full)


def grid(
    config: SizesConfig,
    of_run: Callable[..., C],
    settings: Iterable[Mapping[str, Any]],
    sizes: Mapping[str, Sequence[int]],
    frames: int,
    seeds: int,
) -> list[C]:
    """Return the settings of a study's runs: every setting at every N, from every seed.

    Args:
        config: of the study.
        of_run: class of the settings of a run.
        settings: those in which the runs differ beside N and seed.
        sizes: scale -> numbers of devices, where `config` names none.
        frames: number of frames of a run at full scale.
        seeds: number of seeds at full scale.
    """
    return [
        of_run(
            num_devices=n,
            seed=seed,
            frames=frames_of(config, frames),
            results=config.results,
            **setting,
        )
        for setting in settings
        for n in config.num_devices or sizes[config.scale]
        for seed in seeds_of(config, seeds)
    ]


def run_missing(name: str, config: ScaledConfig, runs: Sequence[RunConfig]) -> list[Path]:
    """Print the number of a study's runs, run the missing ones, and return all run folders."""
    print(f"{name}: {len(runs)} runs of {runs[0].frames or 0:,} frames")
    device = config.device if isinstance(config, RunsConfig) else None
    return run_all(runs, config.jobs, device=device, draw=False)


def spread(
    title: str, work: Callable[..., R], tasks: Sequence[tuple[Any, ...]], jobs: int
) -> list[R]:
    """Return the results of a function for the arguments of each task, under a progress bar.

    Args:
        title: of the bar.
        work: called with the arguments of a task.
        tasks: arguments.
        jobs: processes; -1 takes all cores.
    """
    found = Parallel(n_jobs=jobs, return_as="generator")(delayed(work)(*task) for task in tasks)
    return list(tqdm(found, title, len(tasks), unit="run", disable=None))


def publish(
    name: str,
    config: ScaledConfig,
    came_from: Row,
    rows: Sequence[Row],
    table: str,
    draw: Callable[[Path, Path, Row], object],
    *,
    described: Row | None = None,
    write_more: Callable[[Path], None] = lambda _: None,
) -> Path:
    """Write a study's folder: config.json, runs.csv, table.txt and the figure.

    Args:
        name: name of the study.
        config: settings of the study.
        came_from: provenance, taken before the runs.
        rows: rows of runs.csv.
        table: text of table.txt.
        draw: draws the figure; called with the study's folder, the output folder (the same), and
            the entry "study" of config.json.
        described: further content of that entry, beside the name.
        write_more: called with the folder before `draw`, to write further files.

    Returns:
        The folder.
    """
    about = {"name": name, **(described or {})}

    def write(folder: Path) -> None:
        write_json(folder / "config.json", {**came_from, "study": about})
        write_rows(folder / "runs.csv", rows)
        (folder / "table.txt").write_text(table)
        write_more(folder)
        draw(folder, folder, about)

    return new_folder(config.results / name, f"{timestamp()}-{config.scale}", write)


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV; all must have the keys of the first."""
    write_csv(path, {name: [row[name] for row in rows] for name in rows[0]})


def write_curves(
    path: Path,
    curves: Curves,
    labels: Sequence[str],
    numbers: Sequence[str],
) -> None:
    """Write curves as CSV, one row per point.

    Args:
        path: path of the file.
        curves: the curves.
        labels: names of the columns for the parts of a label.
        numbers: names of the columns for the numbers of a point.
    """
    rows = [
        (*label, *point)
        for label, curve in curves.items()
        for point in zip(*(values.tolist() for values in curve), strict=True)
    ]
    write_csv(path, dict(zip((*labels, *numbers), zip(*rows, strict=True), strict=True)))


def read_curves(
    path: Path, labels: Sequence[str], numbers: Sequence[str]
) -> dict[tuple[str, ...], Floats]:
    """Read curves written by `write_curves`: label -> numbers of its points `[numbers, P]`."""
    columns = read_csv(path, (*labels, *numbers))
    points: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row in zip(*columns.values(), strict=True):
        points.setdefault(row[: len(labels)], []).append(row[len(labels) :])
    return {label: np.array(rows, dtype=np.float64).T for label, rows in points.items()}


def collect(
    rows: Iterable[Row], label: str, metrics: Sequence[str], varied: str = "num_devices"
) -> dict[str, dict[float, dict[str, list[float]]]]:
    """Group the values of runs: label -> value of the varied setting -> metric -> values.

    Args:
        rows: rows of runs.csv.
        label: name of the column that holds the label.
        metrics: names of the columns to collect; empty cells are left out.
        varied: name of the column that holds the varied setting.
    """
    collected: dict[str, dict[float, dict[str, list[float]]]] = {}
    for row in rows:
        of_label, at = collected.setdefault(row[label], {}), float(row[varied])
        at = int(at) if at.is_integer() else at
        values = of_label.setdefault(at, {metric: [] for metric in metrics})
        for metric in metrics:
            if row[metric] != "":  # the metric does not apply to this run
                values[metric].append(float(row[metric]))
    return collected


def read_rows(path: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file with the wanted columns."""
    columns = read_csv(path, wanted)
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
