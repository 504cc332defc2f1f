"""Export runs and studies to MATLAB, Octave and pandas.

`python -m experiments.export --help` lists its settings.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments import problems
from experiments.cli import run_module
from experiments.configs import ExportConfig
from experiments.running.run import experiment_of_run, load
from experiments.runs import store
from experiments.runs.files import read_csv, write_csv
from experiments.runs.folder import described_study, load_config, load_summary, new_folder
from experiments.runs.matlab import write_mat
from experiments.runs.table import Table

Columns = Mapping[str, NDArray[Any]]


class Content(NamedTuple):
    """Content of a run or a study, for pandas and for MATLAB.

    Attributes:
        tables: name of a .csv file -> name of a column -> values `[rows]`.
        variables: name of a variable of the .mat file -> value.
    """

    tables: Mapping[str, Columns]
    variables: Mapping[str, object]


def main(config: ExportConfig) -> None:
    """Export, and print the names of the files."""
    for file in export(config):
        print(file)


def export(config: ExportConfig) -> list[Path]:
    """Export a run or a study into a new folder, and return its files.

    Raises:
        FileNotFoundError: if there is no such run or study.
        FileExistsError: if the output exists.
        ValueError: if the run is damaged, or cannot be exported in this format.
    """
    output = config.output or config.run / config.format
    if output.exists():
        raise FileExistsError(f"{output} exists: remove it or name another --output")
    study = described_study(config.run) is not None
    if config.format == "txt" and (study or not experiment_of_run(config.run).schema.texts):
        names = ", ".join(each.name for each in problems.experiments() if each.schema.texts)
        raise ValueError(
            f"--format txt needs a run of {names}, whose published scripts write text files; "
            f"export {config.run} as mat or csv"
        )
    write: Callable[[Path], None]
    try:
        if config.format == "txt":
            write = partial(write_texts, texts_of(config.run))
        else:
            content = of_study(config.run) if study else of_run(config.run)
            write = partial(WRITERS[config.format], content)
    except ValueError as error:
        raise ValueError(f"{config.run} is damaged: {error}") from error
    return sorted(new_folder(output.parent, output.name, write).iterdir())


def of_run(run: Path) -> Content:
    """Return the content of a run folder.

    Raises:
        FileNotFoundError: if `run` is not a run folder.
        ValueError: if a file in it is damaged.
    """
    experiment, table = experiment_of_run(run), load(run)
    about = described(run, len(table))
    try:
        experiment.restore(load_config(run), table)
    except (OSError, TypeError, ValueError) as error:
        left_out = ", ".join(column.name for column in table.schema if not column.stored)
        print(f"columns left out: {left_out}: {error}", file=sys.stderr)
    columns = {
        column.name: store.as_saved(table[column.name])
        for column in table.schema
        if column.exported and column.name in table
    }
    variables = {
        name: columns[column.name]
        for column in table.schema
        if column.name in columns
        for name in column.variables
    }
    constants = {
        name: np.atleast_2d(table.constants[key])
        for key, name in table.schema.constants.items()
        if key in table.constants
    }
    if table.schema.needs_mat:  # in the shapes of the run's own result.mat
        variables |= store.published(table)
    steps = {"frame": table.cost_frame, "cost": table.cost}
    of_training = {"cost_frame": table.cost_frame, "cost": table.cost}
    return Content(as_tables(columns, steps), {**variables, **constants, **of_training, **about})


def texts_of(run: Path) -> dict[str, Iterable[object]]:
    """Return file name -> the lines that the published scripts save; raises as `of_run`."""
    table = load(run)
    described(run, len(table))  # raises if the run is damaged
    return {file: text_lines(table, name) for name, file in table.schema.texts.items()}


def text_lines(table: Table, name: str) -> Iterable[object]:
    """Return a column, or the training losses, as the lines of a text file."""
    if name == "cost":
        return list(table.cost.tolist())
    values = table[name]
    if values.ndim == 1:
        return list(values.tolist())
    return [f"[{' '.join(digits)}]" for digits in store.as_text(values)]


def of_study(study: Path) -> Content:
    """Return the content of a study's folder; raises as `of_run`."""
    files = [study / "runs.csv", study / "curves.csv"]
    found = {
        file.stem: {name: np.array(values) for name, values in read_csv(file).items()}
        for file in files
        if file.exists() or file == files[0]
    }
    numbers = {
        table: {name: typed(values) for name, values in columns.items()}
        for table, columns in found.items()
    }
    return Content(found, {**numbers, **settings_of(study)})


def settings_of(folder: Path) -> dict[str, Any]:
    """Return the settings ("config") and the rest ("provenance") of a folder's config.json.

    Raises:
        ValueError: if config.json holds no settings.
    """
    rest = load_config(folder)
    if "config" not in rest:
        raise ValueError(f"{folder / 'config.json'} must hold the settings under config")
    return {"config": rest.pop("config"), "provenance": rest}


def described(run: Path, frames: int) -> dict[str, Any]:
    """Return a run's settings, provenance and summary.

    Raises:
        ValueError: if the summary is of another number of frames.
    """
    summary = load_summary(run)
    if summary.get("frames") != frames:
        told = summary.get("frames")
        raise ValueError(f"summary.json counts {told} frames, frames.csv holds {frames}")
    return {**settings_of(run), "summary": summary}


def as_tables(columns: Columns, steps: Columns) -> dict[str, Columns]:
    """Return the tables of a run; values `[T, N]` become the columns gain_1, gain_2, ...

    Args:
        columns: columns of the frames, `[T]` or `[T, N]`.
        steps: columns of the training steps, `[U]`.
    """
    frames: dict[str, NDArray[Any]] = {"frame": np.arange(1, len(columns["decision"]) + 1)}
    for name, values in columns.items():
        if values.ndim == 1:
            frames[name] = values
        else:
            frames |= {
                f"{name}_{device}": of_device for device, of_device in enumerate(values.T, start=1)
            }
    return {"frames": frames, "cost": steps}


def typed(values: NDArray[np.str_]) -> NDArray[Any]:
    """Return a column of text as numbers, with NaN for empty cells; if that fails, as it is."""
    try:
        return np.where(values == "", "nan", values).astype(np.float64)
    except ValueError:
        return values


def write_csv_files(content: Content, folder: Path) -> None:
    """Write the tables."""
    for name, columns in content.tables.items():
        as_lists = {column: values.tolist() for column, values in columns.items()}
        write_csv(folder / f"{name}.csv", as_lists)


def write_mat_file(content: Content, folder: Path) -> None:
    """Write the variables."""
    write_mat(folder / "data.mat", content.variables)


def write_texts(texts: Mapping[str, Iterable[object]], folder: Path) -> None:
    """Write lines to text files, each with a space at its end as the published scripts do."""
    for name, lines in texts.items():
        (folder / f"{name}.txt").write_text("".join(f"{line} \n" for line in lines))


WRITERS: Mapping[str, Callable[[Content, Path], None]] = {
    "csv": write_csv_files,
    "mat": write_mat_file,
}


if __name__ == "__main__":
    run_module(ExportConfig, main)
