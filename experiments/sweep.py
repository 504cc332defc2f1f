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
from experiments.statistics import mean_with_interval, number

COLUMNS = {
    "normalized_rate_test": "rate (test)",
    "optimal_decision_fraction_test": "optimal",
    "frames_to_0_99": "to 0.99",
    "frames_to_0_999": "to 0.999",
    "mean_k": "mean K",
    "microseconds_per_frame": "us/frame",
}


def main(config: SweepConfig) -> None:
    """Run the seeds that were not run yet, and print a table of all."""
    settings = {field.name: getattr(config, field.name) for field in fields(DROOConfig)}
    folders = run_all([DROOConfig(**settings | {"seed": s}) for s in config.seeds], config.jobs)
    print_table(config.seeds, folders)


def run_all(configs: Sequence[DROOConfig], jobs: int = -1, *, figures: bool = True) -> list[Path]:
    """Run the main experiment with each of these settings, and return the run folders.

    A run that exists is not run again. The runs are spread over processes by joblib: within
    `joblib.parallel_config("dask")` they go to a Dask cluster instead.

    Args:
        configs: the settings of each run.
        jobs: runs at a time; -1 takes all cores.
        figures: whether to draw those of each run, which takes a second.
    """
    found = {config: results.find(config.results / droo.EXPERIMENT, config) for config in configs}
    todo = [config for config, folder in found.items() if folder is None]
    finished = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(droo.run)(config, progress=False, draw=figures) for config in todo
    )
    new = dict(zip(todo, tqdm(finished, total=len(todo), unit="run", disable=None), strict=True))
    return [found[config] or new[config] for config in configs]


def print_table(seeds: Sequence[int], folders: Sequence[Path]) -> None:
    """Print a row per run, then the means with their 95 % bootstrap intervals."""
    summaries = [results.load_summary(folder) for folder in folders]
    print("  ".join(["seed", *(f"{title:>11}" for title in COLUMNS.values())]))
    for seed, summary in zip(seeds, summaries, strict=True):
        cells = (number(summary[name]) for name in COLUMNS)
        print("  ".join([f"{seed:4}", *(f"{cell:>11}" for cell in cells)]))
    print()
    for name, title in COLUMNS.items():
        values = [summary[name] for summary in summaries]
        if None in values:
            print(f"{title:12} not reached by {values.count(None)} of {len(values)} runs")
        else:
            print(f"{title:12} {mean_with_interval(values)}")


if __name__ == "__main__":
    run_module(SweepConfig, main)
