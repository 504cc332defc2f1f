"""The main experiment from several seeds.

`python -m experiments.sweep --help` lists its settings.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from joblib import Parallel, delayed
from tqdm import tqdm

from experiments import droo, results
from experiments.cli import run_module
from experiments.configs import DROOConfig, SweepConfig
from experiments.statistics import aligned, interval_text, number

COLUMNS = {
    "normalized_rate_test": "rate (test)",
    "own_normalized_rate_test": "own decision",
    "optimal_decision_fraction_test": "optimal",
    "frames_to_0_99": "to 0.99",
    "frames_to_0_999": "to 0.999",
    "mean_scored": "scored",
    "microseconds_per_frame": "us/frame",
}


def main(config: SweepConfig) -> None:
    """Run the seeds that were not run yet, and print a table of all."""
    settings = {field.name: getattr(config, field.name) for field in fields(DROOConfig)}
    folders = run_all([DROOConfig(**settings | {"seed": s}) for s in config.seeds], config.jobs)
    print_table(config.seeds, folders)


def run_all(configs: Sequence[DROOConfig], jobs: int = -1, *, draw: bool = True) -> list[Path]:
    """Run the main experiment with each of these settings, and return the run folders.

    A run that exists is not run again. The runs are spread over processes by joblib: within
    `joblib.parallel_config("dask")` they go to a Dask cluster instead.

    Args:
        configs: the settings of each run.
        jobs: runs at a time; -1 takes all cores.
        draw: whether to draw the figures of each run, which takes a second.
    """
    found = {config: results.find(config.results / droo.EXPERIMENT, config) for config in configs}
    todo = [config for config, folder in found.items() if folder is None]
    finished = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(droo.run)(config, progress=False, draw=draw) for config in todo
    )
    new = dict(zip(todo, tqdm(finished, total=len(todo), unit="run", disable=None), strict=True))
    return [found[config] or new[config] for config in configs]


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
