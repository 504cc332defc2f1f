"""JSON and CSV files of run folders: human-readable, and checked when they are read."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write human-readable JSON."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file is damaged, or holds something other than an object.
    """
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} cannot be read, it may be damaged: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold an object, got {type(content).__name__}")
    return content


def write_csv(path: Path, columns: Mapping[str, Iterable[object]]) -> None:
    """Write columns of equal length under their names."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def read_csv(
    path: Path, wanted: Sequence[str] | None = None, optional: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Return columns of a CSV file in a run folder, as text.

    Args:
        path: path of the file.
        wanted: names of required columns; None requires and returns all in the file.
        optional: names of further columns, returned if the file has them.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if a column is missing, or a row is incomplete.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} is not a run folder: it has no {path.name}")
    try:
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    header = rows[0] if rows else []
    wanted = header if wanted is None else wanted
    if not set(wanted) <= set(header) or any(len(row) != len(header) for row in rows):
        raise ValueError(f"{path} must have the columns {', '.join(wanted)} in every row")
    there = [*wanted, *(name for name in optional if name in header and name not in wanted)]
    return {name: [row[header.index(name)] for row in rows[1:]] for name in there}


def header_of(path: Path) -> list[str]:
    """Return the names of a CSV file's columns; an empty list if the file does not exist.

    Raises:
        ValueError: if the file is damaged.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="") as file:
            return next(csv.reader(file), [])
    except csv.Error as error:
        raise ValueError(f"{path} is damaged: {error}") from error
