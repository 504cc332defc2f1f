"""Cells of tables that summarize several runs: functions from the runs' summaries to text."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from experiments.runs.folder import load_summary
from experiments.runs.statistics import aligned, interval_text, lack, lack_text, mean_text

Summaries: TypeAlias = Sequence[Mapping[str, Any]]
Cell: TypeAlias = Callable[[Summaries], str]
KeyFigures: TypeAlias = Sequence[tuple[str, Cell]]
"""Pairs of a title and a cell; columns with only empty cells are left out."""


def values_of(summaries: Summaries, name: str) -> list[Any]:
    """Return the values of a metric, without those of runs that have none."""
    return [summary[name] for summary in summaries if summary.get(name) is not None]


def cell_of(name: str, text: Callable[[list[Any]], str]) -> Cell:
    """Return a cell: the text of a metric's values; empty if no run has one."""
    return lambda runs: text(found) if (found := values_of(runs, name)) else ""


def shortfall_of(name: str) -> Cell:
    """Return a cell: the mean shortfall of a normalized metric from 1, with its interval."""
    return cell_of(name, lambda found: lack_text([min(1.0, value) for value in found]))


def worst_of(name: str) -> Cell:
    """Return a cell: the largest shortfall of a normalized metric."""
    return cell_of(name, lambda found: lack(min(found)))


def mean_of(name: str, form: str | None = None) -> Cell:
    """Return a cell: the mean of a metric, in a format or as by `mean_text`."""
    if form is None:
        return cell_of(name, mean_text)
    return cell_of(name, lambda found: form.format(sum(found) / len(found)))


def frames_until(name: str) -> Cell:
    """Return a cell: the mean number of frames, or how many runs never reached the level."""
    return lambda runs: mean_text([run[name] for run in runs])


def interval_of(name: str, form: str) -> Cell:
    """Return a cell: the mean of a metric with its interval, in a format."""
    return cell_of(name, lambda found: interval_text(found, form.format))


def most_of(name: str, form: str) -> Cell:
    """Return a cell: the largest value of a metric, in a format."""
    return cell_of(name, lambda found: form.format(max(found)))


def table_of(
    key_figures: KeyFigures, runs: Mapping[tuple[str, ...], Sequence[Path]], header: Sequence[str]
) -> str:
    """Return a table of run folders, a row for each label.

    Args:
        key_figures: titles and cells.
        runs: label -> run folders; the parts of a label are the first cells of its row.
        header: titles of these first cells.
    """
    summaries = {label: [load_summary(run) for run in each] for label, each in runs.items()}
    cells = [(title, [cell(each) for each in summaries.values()]) for title, cell in key_figures]
    shown = [(title, column) for title, column in cells if any(column)]
    rows = [[*header, *(title for title, _ in shown)]]
    for number, label in enumerate(summaries):
        rows.append([*label, *(column[number] or "-" for _, column in shown)])
    return aligned(rows)
