"""What every study has in common: how much it runs, its table, and the folder that it leaves."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.configs import RunConfig, RunsConfig, ScaledConfig
from experiments.runs import results
from experiments.studies.statistics import aligned, lack, lack_text, mean_text
from experiments.sweep import run_all

Row = Mapping[str, Any]
Floats = NDArray[np.float64]
Curves = dict[tuple[str, ...], Sequence[NDArray[Any]]]
"""label of several parts -> several numbers of a curve's points, `[P]` each"""

SMOKE_SEEDS, SMOKE_FRAMES = (0, 1), 400

RATES = {
    "normalized_rate_test": "1 - rate, test",
    "normalized_rate_first_200": "1 - rate, first 200",
    "normalized_rate_200_after_change": "1 - rate, 200 after a change",
    "own_normalized_rate_test": "1 - rate, own decision",
}
"""Shown as what they lack to 1, with intervals; the worst run of the first three is told too."""
COUNTS = {
    "frames_to_0_99": "frames to 0.99",
    "frames_to_0_999": "to 0.999",
    "mean_scored": "scored per frame",
    "gradient_steps": "gradient steps",
}


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


def publish(
    name: str,
    config: ScaledConfig,
    came_from: Row,
    rows: Sequence[Row],
    table: str,
    draw: Callable[[Path, Path], object],
    *,
    module: str | None = None,
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
        draw: called with the folder, twice: to read from and to draw into.
        module: which draws the study again; by default that of its name.
        described: what else `draw` finds in config.json, under "study".
        write_more: called with the folder before `draw`.
    """
    described = {"module": module or name, **(described or {})}

    def write(folder: Path) -> None:
        results.write_json(folder / "config.json", {**came_from, "study": described})
        write_rows(folder / "runs.csv", rows)
        (folder / "table.txt").write_text(table)
        write_more(folder)
        draw(folder, folder)

    return results.new_folder(config.results / name, f"{results.timestamp()}-{config.scale}", write)


def show(folder: Path) -> None:
    """Print a study's table, and where the rest is."""
    print((folder / "table.txt").read_text(), end="")
    print(f"\nSaved in {folder}\n")


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows with the same keys as CSV."""
    results.write_csv(path, {name: [row[name] for row in rows] for name in rows[0]})


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
    results.write_csv(path, dict(zip((*labels, *numbers), zip(*rows, strict=True), strict=True)))


def read_curves(
    path: Path, labels: Sequence[str], numbers: Sequence[str]
) -> dict[tuple[str, ...], Floats]:
    """Return what `write_curves` wrote: label -> the numbers of its points `[numbers, P]`."""
    columns = results.read_csv(path, (*labels, *numbers))
    points: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row in zip(*columns.values(), strict=True):
        points.setdefault(row[: len(labels)], []).append(row[len(labels) :])
    return {label: np.array(rows, dtype=np.float64).T for label, rows in points.items()}


def summary_table(
    folders: Mapping[tuple[str, ...], Sequence[Path]],
    header: Sequence[str],
    more: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return a table of runs' summaries: the mean over the runs under each label.

    Args:
        folders: labels, whose parts are the first cells of a row -> run folders.
        header: titles of these cells.
        more: name in the summary -> title, of further columns.
    """
    summaries = {
        label: [results.load_summary(run) for run in runs] for label, runs in folders.items()
    }
    everything = [summary for of_label in summaries.values() for summary in of_label]
    rates = [name for name in RATES if any(summary[name] is not None for summary in everything)]
    rows = [list(header)]
    for name in rates:
        rows[0] += [RATES[name]] if name.startswith("own") else [RATES[name], "worst"]
    rows[0] += [*COUNTS.values(), *more.values()]
    for label, of_label in summaries.items():
        row = list(label)
        for name in rates:
            values = [summary[name] for summary in of_label]
            row.append(lack_text(values))
            if not name.startswith("own"):
                there = [value for value in values if value is not None]
                row.append(lack(min(there)) if there else "")
        row += [mean_text([summary[name] for summary in of_label]) for name in [*COUNTS, *more]]
        rows.append(row)
    return aligned(rows)


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
    columns = results.read_csv(path, wanted)
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
