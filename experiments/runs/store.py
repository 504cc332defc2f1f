"""Files of a run's table: frames.csv, cost.csv and, for per-device values, result.mat."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints
from droo_core.validation import in_range
from env.datasets import read_variables
from experiments.runs.files import read_csv, write_csv
from experiments.runs.table import Column, Schema, Table

RESULT_FILE = "result.mat"


def write_table(folder: Path, table: Table) -> None:
    """Write the files of a run's table into a folder."""
    frames: dict[str, Any] = {"frame": range(1, len(table) + 1)}
    for column, values in sorted(table.means(), key=lambda pair: pair[0].name == "decision"):
        frames[column.header] = as_text(values) if values.ndim == 2 else values.tolist()
    write_csv(folder / "frames.csv", frames)
    write_csv(
        folder / "cost.csv", {"frame": table.cost_frame.tolist(), "cost": table.cost.tolist()}
    )
    if table.schema.needs_mat:
        scipy.io.savemat(folder / RESULT_FILE, published(table), do_compression=True)


def published(table: Table) -> dict[str, NDArray[Any]]:
    """Return the variables of a run's result.mat: `[T, N]`, or `[1, T]` for one value per frame.

    The variables are the per-device columns, the quantity and the constants, under their published
    names.
    """
    variables = {
        name: as_saved(table[column.name])
        for column in stored_in_mat(table.schema)
        for name in column.variables
    }
    of_run = {name: table.constants[key] for key, name in table.schema.constants.items()}
    return {name: np.atleast_2d(values) for name, values in {**variables, **of_run}.items()}


def stored_in_mat(schema: Schema) -> list[Column]:
    """Return the columns of result.mat."""
    return [
        column
        for column in schema
        if column.stored and (column.per_device or column.name == schema.quantity)
    ]


def as_saved(values: NDArray[Any]) -> NDArray[Any]:
    """Return decisions `[T, N]` as uint8, other values unchanged."""
    return values.astype(np.uint8) if values.ndim == 2 and values.dtype == np.int64 else values


def as_text(decisions: NDArray[Any]) -> list[str]:
    """Return decisions `[T, N]` as text such as 0110, one for each frame."""
    digits = np.ascontiguousarray(decisions, np.uint8) + ord("0")
    text: list[str] = digits.view(f"S{digits.shape[1]}")[:, 0].astype(str).tolist()
    return text


def headers(schema: Schema) -> list[str]:
    """Return the columns that every frames.csv has, whether an agent or a scheme decided."""
    return [column.header for column in schema.in_csv if not column.of_agent]


def read_table(folder: Path, schema: Schema) -> Table:
    """Read the files that `write_table` wrote.

    Raises:
        FileNotFoundError: if `folder` is not a run folder.
        ValueError: if a file in it is damaged.
    """
    file = folder / "frames.csv"
    of_agent = [column.header for column in schema.in_csv if column.of_agent]
    text = read_csv(file, headers(schema), of_agent)
    agent = any(name in text for name in of_agent)
    if agent and not all(name in text for name in of_agent):
        raise ValueError(f"{file} must have all of the columns {', '.join(of_agent)}")
    columns: dict[str, NDArray[Any]] = {"decision": read_decisions(file, text["decision"], schema)}
    for column in schema.in_csv:
        if column.header in text and not column.per_device:
            columns[column.name] = numbers(file, column, text[column.header])
    table = Table(schema, columns, agent=agent)
    if schema.needs_mat:
        columns |= read_mat(folder / RESULT_FILE, schema, columns["decision"].shape, table)
    read_costs(folder / "cost.csv", table)
    return table


def read_costs(file: Path, table: Table) -> None:
    """Read frames, from 1, and losses of the training steps into a table.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if an entry is no number, or a frame is beyond the run.
    """
    text = read_csv(file, ("frame", "cost"))
    table.cost_frame = numbers(file, Column("frame", dtype=np.int64, of_agent=True), text["frame"])
    table.cost = numbers(file, Column("cost", of_agent=True), text["cost"])
    beyond = table.cost_frame[(table.cost_frame < 1) | (table.cost_frame > len(table))]
    if len(beyond):
        raise ValueError(f"{file} has frame {beyond[-1]}, frames.csv holds 1 to {len(table)}")


def read_decisions(file: Path, text: Sequence[str], schema: Schema) -> Ints:
    """Return decisions `[T, N]` from text such as 0110.

    Raises:
        ValueError: if a text has other characters than the digits of places, or lengths differ.
    """
    try:
        decision = np.array([list(digits) for digits in text], dtype=np.int64)
    except ValueError:
        decision = np.empty(0, np.int64)
    if decision.ndim != 2 or decision.shape[1] == 0 or decision.max() >= schema.places:
        raise ValueError(f"{file} must have one or more decisions such as 0110, of equal length")
    return decision


def numbers(file: Path, column: Column, text: Sequence[str]) -> NDArray[Any]:
    """Return a column `[T]` of frames.csv as numbers.

    Raises:
        ValueError: if an entry is not a number, or not finite; columns of agents alone may hold
            -inf.
    """
    try:
        values: NDArray[Any] = np.array(text, dtype=column.dtype)
    except ValueError as error:
        raise ValueError(f"{column.header} of {file} must hold numbers: {error}") from error
    if not column.of_agent:  # the own decision of an agent may be infeasible: its score is -inf
        in_range(f"{column.header} of {file}", values, -math.inf, math.inf)
    return values


def read_mat(
    file: Path, schema: Schema, shape: tuple[int, ...], table: Table
) -> dict[str, NDArray[Any]]:
    """Return the columns of result.mat, and set the table's constants from it.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if a variable is missing, has another shape or is not finite.
    """
    stored = stored_in_mat(schema)
    names = [column.variables[0] for column in stored]
    saved = read_variables(file, [*names, *schema.constants.values()])

    def checked(name: str, wanted: tuple[int, ...]) -> Floats:
        values = saved[name].reshape(-1) if len(wanted) == 1 else saved[name]
        return in_range(f"{name} of {file}", values, -math.inf, math.inf, wanted)

    for key, name in schema.constants.items():
        table.constants[key] = checked(name, shape[1:])
    return {
        column.name: checked(name, shape if column.per_device else shape[:1]).astype(column.dtype)
        for column, name in zip(stored, names, strict=True)
    }
