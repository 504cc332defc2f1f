"""What every study has in common: how much it runs, its table, and the folder that it leaves."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from tqdm import tqdm

from droo_core.arrays import Floats
from experiments.configs import RunConfig, RunsConfig, ScaledConfig
from experiments.running.many import run_all
from experiments.runs.files import read_csv, write_csv, write_json
from experiments.runs.folder import new_folder, timestamp

Row = Mapping[str, Any]
Curves = dict[tuple[str, ...], Sequence[NDArray[Any]]]
"""label of several parts -> several numbers of a curve's points, `[P]` each"""
R = TypeVar("R")

SMOKE_SEEDS, SMOKE_FRAMES = (0, 1), 400


def seeds_of(config: ScaledConfig, full: int) -> tuple[int, ...]:
    """Return the seeds to run; `full` is how many at full scale."""
    return config.seeds or (SMOKE_SEEDS if config.scale == "smoke" else tuple(range(full)))


def frames_of(config: ScaledConfig, full: int) -> int:
    """Return how many frames a run has; `full` is how many at full scale."""
    return config.frames or (SMOKE_FRAMES if config.scale == "smoke" else full)


def run_missing(name: str, config: ScaledConfig, runs: Sequence[RunConfig]) -> list[Path]:
    """Say how much a study runs, run what was not run yet, and return the run folders."""
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
    """Write a study's folder: config.json, runs.csv, table.txt and what `draw` makes of them.

    Args:
        name: of the study.
        config: its settings.
        came_from: what `provenance` returned before the runs.
        rows: of runs.csv.
        table: text of table.txt.
        draw: called with the folder, to read from, the folder again, to draw into, and `described`.
        described: content of config.json under "study", beside the name.
        write_more: called with the folder before `draw`.
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
    """Write rows with the same keys as CSV."""
    write_csv(path, {name: [row[name] for row in rows] for name in rows[0]})


def write_curves(
    path: Path,
    curves: Curves,
    labels: Sequence[str],
    numbers: Sequence[str],
) -> None:
    """Write curves as CSV, a row for each of their points.

    Args:
        path: of the file.
        curves: what to write.
        labels: the columns of a label's parts.
        numbers: the columns of a point's numbers.
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
    """Return what `write_curves` wrote: label -> the numbers of its points `[numbers, P]`."""
    columns = read_csv(path, (*labels, *numbers))
    points: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row in zip(*columns.values(), strict=True):
        points.setdefault(row[: len(labels)], []).append(row[len(labels) :])
    return {label: np.array(rows, dtype=np.float64).T for label, rows in points.items()}


def collect(
    rows: Iterable[Row], label: str, metrics: Sequence[str], varied: str = "num_devices"
) -> dict[str, dict[float, dict[str, list[float]]]]:
    """Return the runs' values by label, by what was varied, and metric."""
    collected: dict[str, dict[float, dict[str, list[float]]]] = {}
    for row in rows:
        of_label, at = collected.setdefault(row[label], {}), float(row[varied])
        at = int(at) if at.is_integer() else at
        values = of_label.setdefault(at, {metric: [] for metric in metrics})
        for metric in metrics:
            if row[metric] != "":  # None, where it tells nothing
                values[metric].append(float(row[metric]))
    return collected


def read_rows(path: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file, of them the columns wanted."""
    columns = read_csv(path, wanted)
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
