"""List the labels of a dataset that are not optimal.

`python -m experiments.check --help` lists its settings.
"""

import numpy as np

from env import WPMECCritic
from env.datasets import read_dataset
from env.labels import LabelCheck, check_labels
from experiments.cli import run_module
from experiments.configs import CheckConfig
from experiments.problems.wpmec.frames import recorded_weights

LISTED = 50  # at most so many frames are printed for each kind of error


def main(config: CheckConfig) -> None:
    """Check the labels, and print those that are not optimal."""
    check = check_file(config)
    print(f"{len(check.shortfall):,} frames in {config.data}")
    for title, error in {
        "labels whose decision is not optimal": check.shortfall,
        "labels whose rate is not that of their decision": check.rate_error,
        "labels whose rate is not that of their allocation": check.allocation_error,
    }.items():
        wrong = np.flatnonzero(error > config.tolerance)
        print(f"{title} (by more than {config.tolerance:g}): {len(wrong)}")
        for frame in wrong[:LISTED]:
            print(f"  frame {frame + 1:6}: by {error[frame]:.2e}")
        if len(wrong) > LISTED:
            print(f"  and {len(wrong) - LISTED:,} more")
    undecided = (check.shortfall <= config.tolerance) & (check.doubt > config.tolerance)
    print(f"labels neither confirmed nor refuted within the time limit: {undecided.sum()}")


def check_file(config: CheckConfig) -> LabelCheck:
    """Return how good the labels of a file are.

    Raises:
        ValueError: if it is damaged or no dataset, or the weights do not fit it.
        FileNotFoundError: if there is no such file.
    """
    dataset = read_dataset(config.data)
    weights = recorded_weights(config.weights, dataset.weights, dataset.gain.shape[1])
    return check_labels(
        dataset, WPMECCritic(weights), time_limit=config.time_limit, jobs=config.jobs
    )


if __name__ == "__main__":
    run_module(CheckConfig, main)
