"""Many runs: in parallel processes, or as a fleet if they differ only in their seeds."""

import copy
import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm

from agent.networks import POLICIES
from droo_core.compiling import announce_compilation
from experiments.configs import RunConfig, resolve
from experiments.consumers.recorder import Timing, play_to_the_end
from experiments.problems import experiment_of
from experiments.problems.experiment import Experiment, Task
from experiments.running.run import run, save
from experiments.runs.folder import find, saved_runs
from experiments.runs.provenance import provenance
from experiments.runs.table import Table

NO_CURVES = "tensorboard is not available for a fleet: drop --device"


def run_together(
    configs: Sequence[RunConfig], device: str = "cpu", *, draw: bool = True
) -> list[Path]:
    """Run experiments that differ only in their seeds, with their agents as a fleet.

    Args:
        configs: settings of the runs `[B]`.
        device: torch device of the networks, as for `Fleet`.
        draw: whether to draw the figures of each run.

    Returns:
        The run folders. The time recorded for a run is the total time over the number of runs.

    Raises:
        ValueError: as for `run`, or if the settings differ in more than the seeds, or if the agents
            cannot form a fleet, or if `tensorboard` is set.
        FileNotFoundError: if the data file does not exist.
    """
    if any(config.curves is not None for config in configs):
        raise ValueError(NO_CURVES)
    configs = [resolve(config) for config in configs]
    if len(groups := _alike(configs)) != 1:
        raise ValueError(f"configs must differ in nothing but seed, got {len(groups)} settings")
    experiment = experiment_of(configs[0])
    came_from = [provenance(config) for config in configs]
    tasks = [experiment.prepare(config) for config in configs]
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
    """Play runs whose agents form a fleet; return their frames, and the time divided by B."""
    tables = [task.new_table(experiment.schema) for task in tasks]
    return tables, play_to_the_end(experiment.play_together(tasks, tables, device), tables)


def warm_up_fleet(experiment: Experiment[Any], tasks: Sequence[Task[Any]], device: str) -> None:
    """Compile all kernels of a fleet: copies of the agents play up to a training step."""
    frames = min(tasks[0].num_frames, tasks[0].config.training_interval)
    trials = [
        replace(task, decider=copy.deepcopy(task.decider), num_frames=frames) for task in tasks
    ]
    play_fleet(experiment, trials, device)


def run_all(
    configs: Sequence[RunConfig], jobs: int = -1, *, device: str | None = None, draw: bool = True
) -> list[Path]:
    """Run an experiment with each of these settings, and return the run folders.

    Runs that exist are not repeated. joblib runs the others in parallel processes; within
    `joblib.parallel_config("dask")` it runs them on a Dask cluster.

    Args:
        configs: settings of the runs.
        jobs: number of runs, or of fleets, at a time; -1 uses all cores.
        device: if given, runs that differ only in their seeds form a fleet on this torch device;
            None runs each in a process of its own.
        draw: whether to draw the figures of each run, which takes a second.
    """
    configs = [resolve(config) for config in configs]
    saved = functools.cache(saved_runs)  # each config.json is read once, not once a config
    found = {
        config: find(saved(config.results / experiment_of(config).name), config)
        for config in configs
    }
    todo = [config for config, folder in found.items() if folder is None]
    groups = [[config] for config in todo] if device is None else _alike(todo)
    tasks = [delayed(_run)(group, device, draw=draw) for group in groups]
    if len(groups) == 1:  # run in this process, where a fleet can use all cores
        jobs = 1
    finished = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    new: dict[RunConfig, Path] = {}
    with tqdm(total=len(todo), unit="run", disable=None) as bar:
        for group, folders in zip(groups, finished, strict=True):
            new |= dict(zip(group, folders, strict=True))
            bar.update(len(group))
    return [found[config] or new[config] for config in configs]


def _run(configs: Sequence[RunConfig], device: str | None, *, draw: bool) -> list[Path]:
    """Run experiments that differ only in their seeds, as a fleet if requested and possible."""
    announce_compilation()  # in a worker process, which shares nothing with the command's
    first = configs[0]
    assert first.policy is not None  # `resolve` has filled it in
    if device and experiment_of(first).learns(first) and POLICIES[first.policy].batchable:
        return run_together(configs, device, draw=draw)
    return [run(config, progress=False, draw=draw) for config in configs]


def _alike(configs: Sequence[RunConfig]) -> list[list[RunConfig]]:
    """Return the configs in groups that differ only in their seeds."""
    groups: dict[RunConfig, list[RunConfig]] = {}
    for config in configs:
        groups.setdefault(replace(config, seed=0), []).append(config)
    return list(groups.values())
