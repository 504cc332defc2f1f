"""The main experiment from several seeds, with confidence intervals.

`python -m experiments.sweep --help` lists its settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from experiments import droo, lydroo
from experiments.cli import run_module
from experiments.configs import DROOConfig, LyDROOConfig, RunConfig, SweepConfig, resolve
from experiments.loops import event_log
from experiments.problems.wpmec.fleet_loop import columns_of, compile_fleet, play_together
from experiments.problems.wpmec.frame_loop import new_columns, time_all
from experiments.runs import results
from experiments.studies.statistics import aligned, interval_text, number

EXPERIMENTS: Mapping[type, ModuleType] = {DROOConfig: droo, LyDROOConfig: lydroo}
"""The experiment of each kind of settings."""

NOT_BATCHED = ("gru", "bigru_attention")
"""The policies that torch cannot compute for several agents at once."""

COLUMNS = {
    "normalized_rate_test": "rate (test)",
    "own_normalized_rate_test": "own decision",
    "optimal_decision_fraction_test": "optimal",
    "frames_to_0_99": "to 0.99",
    "frames_to_0_999": "to 0.999",
    "mean_scored": "scored",
    "microseconds_per_frame": "us/frame",
}
NO_CURVES = "tensorboard follows runs that play alone, not a fleet: drop --device"


def main(config: SweepConfig) -> None:
    """Run the seeds that were not run yet, and print a table of all."""
    if config.tensorboard and config.device is not None:
        raise ValueError(NO_CURVES)
    event_log.announce(config.curves)
    settings = {field.name: getattr(config, field.name) for field in fields(DROOConfig)}
    configs = [DROOConfig(**settings | {"seed": seed}) for seed in config.seeds]
    folders = run_all(configs, config.jobs, device=config.device)
    print_table(config.seeds, folders)


def run_all(
    configs: Sequence[RunConfig], jobs: int = -1, *, device: str | None = None, draw: bool = True
) -> list[Path]:
    """Run an experiment with each of these settings, and return the run folders.

    A run that exists is not run again. The runs are spread over processes by joblib: within
    `joblib.parallel_config("dask")` they go to a Dask cluster instead.

    Args:
        configs: the settings of each run.
        jobs: runs at a time, or fleets; -1 takes all cores.
        device: where the networks of all runs of DROO that differ in their seeds alone compute,
            these runs being a fleet; None for a process each.
        draw: whether to draw the figures of each run, which takes a second.
    """
    configs = [resolve(config) for config in configs]
    found = {
        config: results.find(config.results / EXPERIMENTS[type(config)].EXPERIMENT, config)
        for config in configs
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
    of_droo = [config for config in configs if isinstance(config, DROOConfig)]
    if device is None or not of_droo or configs[0].policy in NOT_BATCHED:
        run = EXPERIMENTS[type(configs[0])].run
        return [run(config, progress=False, draw=draw) for config in configs]
    return run_together(of_droo, device, draw=draw)


def _alike(configs: Sequence[RunConfig]) -> list[list[RunConfig]]:
    """Return the configs in groups that differ in their seeds alone."""
    groups: dict[RunConfig, list[RunConfig]] = {}
    for config in configs:
        groups.setdefault(replace(config, seed=0), []).append(config)
    return list(groups.values())


def run_together(
    configs: Sequence[DROOConfig], device: str = "cpu", *, draw: bool = True
) -> list[Path]:
    """Run experiments that differ in their seeds alone, their agents a fleet.

    Args:
        configs: the settings of each run.
        device: where the networks compute, as for `Fleet`.
        draw: whether to draw the figures of each run.

    Returns:
        The run folders. A run's times are those of all runs over their number.

    Raises:
        ValueError: as for `experiments.droo.run`, or if the agents cannot be a fleet, or their
            curves are wanted.
        FileNotFoundError: if there is no such data file.
    """
    if any(config.tensorboard for config in configs):
        raise ValueError(NO_CURVES)
    tasks = [droo.prepare(config, progress=False) for config in configs]
    agents, weights_from = [task.droo for task in tasks], tasks[0].weights_from
    gains = np.stack([task.gains for task in tasks])
    compile_fleet(agents, gains, weights_from[0], device)
    columns = new_columns(*gains.shape)
    playing = play_together(agents, gains, weights_from, columns, device)
    timed = time_all(playing, len(tasks), gains.shape[1])
    timing = droo.timing_of(timed.seconds / len(tasks), timed.decision_us)
    return [
        droo.save(
            task,
            droo.history_of(columns_of(columns, b), task.optimal_rate, timed.costs[b]),
            timing,
            draw=draw,
        )
        for b, task in enumerate(tasks)
    ]


def print_table(seeds: Sequence[int], folders: Sequence[Path]) -> None:
    """Print a row per run, then the means with their 95 % bootstrap intervals."""
    summaries = [results.load_summary(folder) for folder in folders]
    runs = [["seed", *COLUMNS.values()]]
    for seed, summary in zip(seeds, summaries, strict=True):
        runs.append([str(seed), *(number(summary[name]) for name in COLUMNS)])
    means = [["", "mean [95 % interval]", "least", "most"]]
    for name, title in COLUMNS.items():
        values = [summary[name] for summary in summaries]
        there = [value for value in values if value is not None]
        ends = number(min(there, default=None)), number(max(there, default=None))
        means.append([title, interval_text(values), *ends])
    print(aligned(runs), aligned(means), sep="\n", end="")


if __name__ == "__main__":
    run_module(SweepConfig, main)
