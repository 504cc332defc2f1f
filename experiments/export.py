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

from experiments.cli import run_module
from experiments.configs import ExportConfig
from experiments.problems.queueing import history as queueing_history
from experiments.problems.wpmec.played_frames import played_frames
from experiments.runs import results
from experiments.runs.matlab import write_mat
from experiments.runs.results import History

Columns = Mapping[str, NDArray[Any]]


class Content(NamedTuple):
    """What a result holds, for pandas and for MATLAB.

    Attributes:
        tables: of the .csv files by name, their columns `[rows]`.
        variables: of the .mat file by name.
    """

    tables: Mapping[str, Columns]
    variables: Mapping[str, object]


def main(config: ExportConfig) -> None:
    """Export, and print the files."""
    for file in export(config):
        print(file)


def export(config: ExportConfig) -> list[Path]:
    """Export a run or a study into a new folder, and return its files.

    Raises:
        FileNotFoundError: if there is no such run or study.
        FileExistsError: if the output is there already.
        ValueError: if the run is damaged, or has nothing of this format.
    """
    output = config.output or config.run / config.format
    if output.exists():
        raise FileExistsError(f"{output} is there already: remove it or name another --output")
    read = reader_of(config.run)
    if config.format == "txt" and read is not of_run:
        raise ValueError(
            f"{config.run} is no run of droo run, of which alone the published scripts write text: "
            "export it as mat or csv"
        )
    write: Callable[[Path], None]
    try:
        if config.format == "txt":
            write = partial(write_texts, texts_of(config.run))
        else:
            write = partial(WRITERS[config.format], read(config.run))
    except ValueError as error:
        raise ValueError(f"{config.run} is damaged: {error}") from error
    return sorted(results.new_folder(output.parent, output.name, write).iterdir())


def reader_of(run: Path) -> Callable[[Path], Content]:
    """Return what reads a folder: a study's, that of a run with queues, or else of `droo run`."""
    if results.study_module(run) is not None:
        return of_study
    return of_queueing_run if (run / queueing_history.RESULT_FILE).exists() else of_run


def of_run(run: Path) -> Content:
    """Return what a run of `droo run` holds.

    Raises:
        FileNotFoundError: if it is no folder of such a run.
        ValueError: if a file in it is damaged.
    """
    history = results.load(run)
    about = described(run, len(history.rate))
    steps = {"frame": history.cost_frame, "cost": history.cost}
    columns: dict[str, NDArray[Any]] = {
        "rate": history.rate,
        "own_rate": history.own_rate,
        "optimal_rate": history.optimal_rate,
        "normalized_rate": history.normalized_rate,
        "k": history.k,
        "best_candidate": history.best_candidate,
        "scored": history.scored,
        "decision": history.decision.astype(np.uint8),
    }
    played = gains_and_weights(run, history)
    variables = {**columns, **training(steps), **about}
    if played:
        variables |= {
            "input_h": played["gain"],
            "weights": played["weight"][:1],
            "frame_weights": played["weight"],
        }
    return Content(as_tables(columns | played, steps), variables)


def gains_and_weights(run: Path, history: History) -> dict[str, NDArray[Any]]:
    """Return the frames that a run was played on; say why if they are not to be had."""
    try:
        gain, weight = played_frames(results.load_config(run), history)
    except (OSError, TypeError, ValueError) as error:
        print(f"left out: gains and weights of the frames: {error}", file=sys.stderr)
        return {}
    return {"gain": gain, "weight": weight}


def texts_of(run: Path) -> dict[str, Iterable[object]]:
    """Return the lines that the published scripts save, by file; the errors are `of_run`'s."""
    history = results.load(run)
    described(run, len(history.rate))  # says so if the run is damaged
    return {
        "K_his": history.k.tolist(),
        "cost_his": history.cost.tolist(),
        "k_idx_his": history.best_candidate.tolist(),
        "mode_his": [f"[{' '.join(bits)}]" for bits in results.as_text(history.decision)],
        "rate_his_ratio": history.normalized_rate.tolist(),
    }


def of_queueing_run(run: Path) -> Content:
    """Return what a run of `droo lydroo` holds; the errors are those of `of_run`."""
    history = queueing_history.load(run)
    about = described(run, len(history.objective))
    steps = {"frame": history.cost_frame, "cost": history.cost}
    more = {
        "optimal_objective": history.optimal_objective,
        "normalized_objective": history.normalized_objective,
        **({} if history.learned is None else history.learned._asdict()),
    }
    columns = {
        name: getattr(history, name) for name in queueing_history.PUBLISHED if name != "weights"
    }
    variables = {**queueing_history.published(history), **more, **training(steps), **about}
    return Content(as_tables(columns | more, steps), variables)


def of_study(study: Path) -> Content:
    """Return what the folder of a study holds; the errors are those of `of_run`."""
    files = [study / "runs.csv", study / "curves.csv"]
    found = {
        file.stem: {name: np.array(values) for name, values in results.read_csv(file).items()}
        for file in files
        if file.exists() or file == files[0]
    }
    numbers = {
        table: {name: typed(values) for name, values in columns.items()}
        for table, columns in found.items()
    }
    return Content(found, {**numbers, **settings_of(study)})


def settings_of(folder: Path) -> dict[str, Any]:
    """Return what the config.json of a run or a study holds, settings and the rest apart.

    Raises:
        ValueError: if there are no settings in it.
    """
    rest = results.load_config(folder)
    if "config" not in rest:
        raise ValueError(f"{folder / 'config.json'} must hold the settings, as config")
    return {"config": rest.pop("config"), "provenance": rest}


def described(run: Path, frames: int) -> dict[str, Any]:
    """Return a run's settings, where it comes from, and its summary.

    Raises:
        ValueError: if the summary is not of as many frames.
    """
    summary = results.load_summary(run)
    if summary.get("frames") != frames:
        told = summary.get("frames")
        raise ValueError(f"summary.json tells of {told} frames, and frames.csv holds {frames}")
    return {**settings_of(run), "summary": summary}


def training(steps: Columns) -> dict[str, NDArray[Any]]:
    """Return the variables of the training steps."""
    return {"cost_frame": steps["frame"], "cost": steps["cost"]}


def as_tables(columns: Columns, steps: Columns) -> dict[str, Columns]:
    """Return the tables of a run, where values `[T, N]` become columns gain_1, gain_2, ...

    Args:
        columns: of the frames, `[T]` or `[T, N]`.
        steps: of the training steps, `[U]`.
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
    """Return a column of text as numbers, NaN where it is empty, if it holds nothing else."""
    try:
        return np.where(values == "", "nan", values).astype(np.float64)
    except ValueError:
        return values


def write_csv_files(content: Content, folder: Path) -> None:
    """Write the tables."""
    for name, columns in content.tables.items():
        as_lists = {column: values.tolist() for column, values in columns.items()}
        results.write_csv(folder / f"{name}.csv", as_lists)


def write_mat_file(content: Content, folder: Path) -> None:
    """Write the variables."""
    write_mat(folder / "data.mat", content.variables)


def write_texts(texts: Mapping[str, Iterable[object]], folder: Path) -> None:
    """Write files of lines, with the space that the published scripts leave at their ends."""
    for name, lines in texts.items():
        (folder / f"{name}.txt").write_text("".join(f"{line} \n" for line in lines))


WRITERS: Mapping[str, Callable[[Content, Path], None]] = {
    "csv": write_csv_files,
    "mat": write_mat_file,
}


if __name__ == "__main__":
    run_module(ExportConfig, main)
