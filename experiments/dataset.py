"""Frames with their certified optimal decisions, for training on labels or as a reference.

`python -m experiments.dataset --help` lists its settings.
"""

import numpy as np

from env import WPMECCritic
from env.datasets import Dataset, check_output, write_dataset
from env.labels import label
from experiments.cli import run_module
from experiments.configs import DatasetConfig
from experiments.frames import make_frames
from experiments.parallel import map_chunks


def main(config: DatasetConfig) -> None:
    """Label the frames, write the file, and print how good the labels are."""
    dataset = make_dataset(config)
    write_dataset(config.output, dataset)
    print(f"{len(dataset):,} frames of {dataset.gain.shape[1]} devices: {config.output}")
    gap = np.zeros(1) if dataset.gap is None else dataset.gap
    print(f"largest certified gap: {gap.max():.1e}")
    if (gap > config.gap).any():
        wider = (gap > config.gap).sum()
        print(f"frames whose time was over before the gap {config.gap:g}: {wider:,}")


def make_dataset(config: DatasetConfig) -> Dataset:
    """Return the labelled frames.

    Raises:
        ValueError: if a setting is out of range, or the data file damaged or without gains.
        FileNotFoundError: if there is no such data file, or no folder for the output.
    """
    check_output(config.output)  # before the work, not after it
    gains, weights = make_frames(config, np.random.default_rng(config.seed))
    parts = map_chunks(
        label,
        gains[: config.frames],
        config.jobs,
        "labelling",
        critic=WPMECCritic(weights),
        gap=config.gap,
        time_limit=config.time_limit,
    )
    return Dataset.join(parts)


if __name__ == "__main__":
    run_module(DatasetConfig, main)
