"""Runs an experiment: prepare, play, certify and save it; loads it again."""

import contextlib
import copy
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent import DROO
from experiments import problems
from experiments.configs import RunConfig, resolve
from experiments.consumers import event_log
from experiments.consumers.event_log import EventLog
from experiments.consumers.progress import with_progress
from experiments.consumers.recorder import Timing, play_to_the_end
from experiments.problems import experiment_of
from experiments.problems.experiment import Experiment, Task
from experiments.runs import figures, store
from experiments.runs.files import header_of
from experiments.runs.folder import load_config, load_summary, save_run
from experiments.runs.provenance import provenance
from experiments.runs.table import Table


def carry_out(config: RunConfig) -> None:
    """Run an experiment, save it, and print its summary: the body of its command."""
    event_log.announce(config.curves)
    folder = run(config)
    summary = load_summary(folder)
    experiment = experiment_of(config)
    for name, value in (experiment.rows(summary) | common_rows(summary)).items():
        print(f"{name:41}{value}")
    print(f"\nSaved in {folder}")
    warning = experiment.warning(summary)
    if warning is not None:
        print(warning, file=sys.stderr)


def common_rows(summary: Mapping[str, Any]) -> dict[str, object]:
    """Return the lines of a summary that are common to all problems: name -> value."""
    of_agent: dict[str, object] = {}
    if summary["parameters"] is not None:
        of_agent = {
            "Decisions scored per frame": f"{summary['mean_scored']:.2f}",
            "Mean number of candidates K": f"{summary['mean_k']:.2f}",
        }
    return of_agent | {
        "Time": f"{summary['seconds']:.1f} s, {summary['microseconds_per_frame']:.0f} us a frame",
        "Decision and learning, p50 / p99": (
            f"{summary['decision_us_p50']:.0f} / {summary['decision_us_p99']:.0f} us"
        ),
    }


def run(config: RunConfig, *, progress: bool = True, draw: bool = True) -> Path:
    """Run an experiment, save it, and return the run folder.

    Args:
        config: settings of the run.
        progress: whether to show a progress bar, on a terminal.
        draw: whether to draw the run's figures into the folder.

    Raises:
        ValueError: if a setting is out of range, or the data file is damaged.
        FileNotFoundError: if the data file does not exist.
        MissingExtraError: if `tensorboard` is set and TensorBoard is not installed.
    """
    event_log.check(config.curves)
    config = resolve(config)
    experiment, came_from = experiment_of(config), provenance(config)
    task = experiment.prepare(config)
    with event_log.opened(config.curves, came_from, task.num_devices) as log:
        # A run that shows progress is the only one of its command; many keep all cores busy.
        table, timing = play(experiment, task, progress=progress, beside=progress, log=log)
        folder = save(experiment, task, came_from, table, timing, draw=draw)
        if log is not None:
            log.finish(folder)
    return folder


def play(
    experiment: Experiment[Any],
    task: Task[Any],
    *,
    progress: bool = False,
    beside: bool = False,
    log: EventLog | None = None,
) -> tuple[Table, Timing]:
    """Play the frames of a run; return their table and their duration, without compilation.

    Args:
        experiment: the experiment.
        task: the run.
        progress: whether to show progress bars, on a terminal.
        beside: whether to work for `Experiment.complete` on a second core meanwhile.
        log: TensorBoard log for the run's curves; None writes none.
    """
    warm_up(experiment, task)
    if beside:
        experiment.begin(task)
    table = task.new_table(experiment.schema)
    blocks = experiment.play(task, table)
    if log is not None:
        blocks = log.follow(blocks, table)
    shown = with_progress(blocks, table, show=progress)
    timing = play_to_the_end(([block] for block in shown), [table])
    experiment.complete(task, table)
    if log is not None:
        log.complete(table)
    return table, timing


def warm_up(experiment: Experiment[Any], task: Task[Any]) -> None:
    """Compile all kernels of a run: a copy plays two frames and makes a training step."""
    trial = replace(task, decider=copy.deepcopy(task.decider), num_frames=min(2, task.num_frames))
    for _ in experiment.play(trial, trial.new_table(experiment.schema)):
        pass
    if isinstance(trial.decider, DROO):
        trial.decider.agent.learn()


def save(
    experiment: Experiment[Any],
    task: Task[Any],
    came_from: Mapping[str, Any],
    table: Table,
    timing: Timing,
    *,
    draw: bool,
) -> Path:
    """Save a run that has been played, and return its folder."""
    decider = task.decider
    parameters = decider.agent.num_parameters if isinstance(decider, DROO) else None
    summary = experiment.summarize(task, table) | {
        "seed": task.config.seed,
        "parameters": parameters,
        **task.facts,
        **timing.summary(),
    }

    def write(folder: Path) -> None:
        store.write_table(folder, table)
        if isinstance(decider, DROO):
            decider.save(folder / "checkpoint.safetensors")
        if draw:
            table.settings = came_from["config"]
            figures.save_figures({experiment.title: table}, folder)

    return save_run(task.config.results / experiment.name, came_from, summary, write)


def load(folder: Path) -> Table:
    """Load the frames of a run folder.

    Raises:
        FileNotFoundError: if `folder` is not a run folder.
        ValueError: if a file in it is damaged.
    """
    table = store.read_table(folder, experiment_of_run(folder).schema)
    with contextlib.suppress(FileNotFoundError):
        table.settings = load_config(folder).get("config") or {}
    return table


def experiment_of_run(folder: Path) -> Experiment[Any]:
    """Return the experiment of a run folder, told by the columns of its frames.csv.

    Raises:
        FileNotFoundError: if it is not a run folder.
        ValueError: if no experiment has these columns.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not (folder / "frames.csv").is_file():
        raise FileNotFoundError(f"{folder} is not a run folder: it has no frames.csv")
    header = set(header_of(folder / "frames.csv"))
    for experiment in problems.experiments():
        if set(store.headers(experiment.schema)) <= header:
            return experiment
    columns = "; or ".join(
        f"{', '.join(store.headers(experiment.schema))} of a run of {experiment.name}"
        for experiment in problems.experiments()
    )
    raise ValueError(f"{folder / 'frames.csv'} must have the columns {columns}")
