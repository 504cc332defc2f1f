"""Which labels of a dataset are not optimal.

`python -m experiments.check --help` lists its settings.
"""

import numpy as np

from env import WPMECCritic
from env.datasets import read_dataset
from env.labels import LabelCheck, check_labels
from experiments.cli import run_module
from experiments.configs import CheckConfig
from experiments.frames import device_weights
from experiments.parallel import map_chunks

LISTED = 50  # frames at most


def main(config: CheckConfig) -> None:
    """Check the labels, and print which are not optimal."""
    check = check_file(config)
    print(f"{len(check.shortfall):,} frames in {config.data}")
    print(f"certified to a gap of {check.gap.max():.1e}")
    for title, error in {
        "labels whose decision is not optimal": check.shortfall,
        "labels whose rate is not what their decision earns": check.rate_error,
    }.items():
        wrong = np.flatnonzero(error > config.tolerance)
        print(f"{title} (by more than {config.tolerance:g}): {len(wrong)}")
        for frame in wrong[:LISTED]:
            print(f"  frame {frame + 1:6}: by {error[frame]:.2e}")
        if len(wrong) > LISTED:
            print(f"  and {len(wrong) - LISTED:,} more")


def check_file(config: CheckConfig) -> LabelCheck:
    """Return how good the labels of a file are.

    Raises:
        ValueError: if it is damaged or no dataset, or the weights do not fit it.
        FileNotFoundError: if there is no such file.
    """
    dataset = read_dataset(config.data)
    weights = device_weights(config.weights, dataset.weights, dataset.gain.shape[1])
    parts = map_chunks(
        check_labels,
        dataset,
        config.jobs,
        "checking",
        critic=WPMECCritic(weights),
        time_limit=config.time_limit,
    )
    return LabelCheck(*map(np.concatenate, zip(*parts, strict=True)))


if __name__ == "__main__":
    run_module(CheckConfig, main)
