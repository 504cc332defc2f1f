"""Many runs: spread over processes, or those that differ in their seeds alone as a fleet."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm

from agent.networks import POLICIES
from experiments.configs import RunConfig, resolve
from experiments.loops.recorder import Timing, play_to_the_end
from experiments.problems import experiment_of
from experiments.problems.experiment import Experiment, Task
from experiments.running.run import run, save
from experiments.runs.folder import find
from experiments.runs.provenance import provenance
from experiments.runs.table import Table

NO_CURVES = "tensorboard follows runs that play alone, not a fleet: drop --device"


def run_together(
    configs: Sequence[RunConfig], device: str = "cpu", *, draw: bool = True
) -> list[Path]:
    """Run experiments that differ in their seeds alone, their agents a fleet.

    Args:
        configs: the settings of each run.
        device: where the networks compute, as for `Fleet`.
        draw: whether to draw the figures of each run.

    Returns:
        The run folders. A run's times are those of all runs over their number.

    Raises:
        ValueError: as for `run`, or if the agents cannot be a fleet, or curves are wanted.
        FileNotFoundError: if there is no such data file.
    """
    if any(config.curves is not None for config in configs):
        raise ValueError(NO_CURVES)
    configs = [resolve(config) for config in configs]
    experiment = experiment_of(configs[0])
    came_from = [provenance(config) for config in configs]
    tasks = [experiment.prepare(config, progress=False) for config in configs]
    warm_up_fleet(experiment, tasks, device)
    tables, timing = play_fleet(experiment, tasks, device)
    folders = []
    for task, origin, table in zip(tasks, came_from, tables, strict=True):
        experiment.complete(task, table)
        folders.append(save(experiment, task, origin, table, timing, draw=draw))
    return folders


def play_fleet(
    experiment: Experiment[Any], tasks: Sequence[Task[Any]], device: str
) -> tuple[list[Table], Timing]:
    """Play runs whose agents are a fleet; return their frames, and a run's share of the time."""
    tables = [task.new_table(experiment.schema) for task in tasks]
    return tables, play_to_the_end(experiment.play_together(tasks, tables, device), tables)


def warm_up_fleet(experiment: Experiment[Any], tasks: Sequence[Task[Any]], device: str) -> None:
    """Compile all that a fleet's frames need, by copies that play up to a training step."""
    frames = min(tasks[0].num_frames, tasks[0].config.training_interval)
    trials = [
        replace(task, decider=copy.deepcopy(task.decider), num_frames=frames) for task in tasks
    ]
    play_fleet(experiment, trials, device)


def run_all(
    configs: Sequence[RunConfig], jobs: int = -1, *, device: str | None = None, draw: bool = True
) -> list[Path]:
    """Run an experiment with each of these settings, and return the run folders.

    A run that exists is not run again. The runs are spread over processes by joblib: within
    `joblib.parallel_config("dask")` they go to a Dask cluster instead.

    Args:
        configs: the settings of each run.
        jobs: runs at a time, or fleets; -1 takes all cores.
        device: where the networks of runs that differ in their seeds alone compute, these runs
            being a fleet; None for a process each.
        draw: whether to draw the figures of each run, which takes a second.
    """
    configs = [resolve(config) for config in configs]
    found = {
        config: find(config.results / experiment_of(config).name, config) for config in configs
    }
    todo = [config for config, folder in found.items() if folder is None]
    groups = [[config] for config in todo] if device is None else _alike(todo)
    tasks = [delayed(_run)(group, device, draw=draw) for group in groups]
    if len(groups) == 1:  # in this process, where a fleet may have all cores
        jobs = 1
    finished = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    new: dict[RunConfig, Path] = {}
    with tqdm(total=len(todo), unit="run", disable=None) as bar:
        for group, folders in zip(groups, finished, strict=True):
            new |= dict(zip(group, folders, strict=True))
            bar.update(len(group))
    return [found[config] or new[config] for config in configs]


def _run(configs: Sequence[RunConfig], device: str | None, *, draw: bool) -> list[Path]:
    """Run experiments that differ in their seeds alone, as a fleet if that is wanted and can be."""
    first = configs[0]
    assert first.policy is not None  # `resolve` filled it in
    if device and experiment_of(first).learns(first) and POLICIES[first.policy].batchable:
        return run_together(configs, device, draw=draw)
    return [run(config, progress=False, draw=draw) for config in configs]


def _alike(configs: Sequence[RunConfig]) -> list[list[RunConfig]]:
    """Return the configs in groups that differ in their seeds alone."""
    groups: dict[RunConfig, list[RunConfig]] = {}
    for config in configs:
        groups.setdefault(replace(config, seed=0), []).append(config)
    return list(groups.values())
