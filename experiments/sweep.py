"""The main experiment with several seeds, and means with confidence intervals.

`python -m experiments.sweep --help` lists its settings.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from experiments.cli import run_module
from experiments.configs import DROOConfig, SweepConfig
from experiments.consumers import event_log
from experiments.running.many import NO_CURVES, run_all
from experiments.runs.folder import load_summary
from experiments.runs.statistics import aligned, interval_text, number

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
    """Run the missing seeds, and print a table of all seeds."""
    if config.tensorboard and config.device is not None:
        raise ValueError(NO_CURVES)
    event_log.announce(config.curves)
    settings = {field.name: getattr(config, field.name) for field in fields(DROOConfig)}
    configs = [DROOConfig(**settings | {"seed": seed}) for seed in config.seeds]
    folders = run_all(configs, config.jobs, device=config.device)
    print_table(config.seeds, folders)


def print_table(seeds: Sequence[int], folders: Sequence[Path]) -> None:
    """Print one row per run, then the means with their 95 % bootstrap intervals."""
    summaries = [load_summary(folder) for folder in folders]
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
