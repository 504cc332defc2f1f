"""Write frames with their certified optimal decisions.

The file serves as training labels, or as a reference.

`python -m experiments.dataset --help` lists its settings.
"""

from env import WPMECCritic
from env.datasets import Dataset, check_output, write_dataset
from env.labels import label
from experiments.cli import run_module
from experiments.configs import DatasetConfig
from experiments.problems.wpmec.frames import make_frames


def main(config: DatasetConfig) -> None:
    """Label the frames, write the file, and print how good the labels are."""
    dataset = make_dataset(config)
    write_dataset(config.output, dataset)
    frames, devices = dataset.gain.shape
    print(f"{frames:,} frames of {devices} devices: {config.output}")
    assert dataset.gap is not None  # `label` sets it
    print(f"largest certified gap: {dataset.gap.max():.1e}")
    wider = int((dataset.gap > config.gap).sum())
    if wider:
        print(f"frames that reached the time limit before the gap {config.gap:g}: {wider:,}")


def make_dataset(config: DatasetConfig) -> Dataset:
    """Return the labelled frames.

    Raises:
        ValueError: if a setting is out of range, or the data file is damaged or has no gains.
        OSError: if the data file does not exist, or the output exists or cannot be written.
    """
    check_output(config.output)  # before minutes of work, not after
    if config.output.exists():
        raise FileExistsError(f"{config.output} exists: remove it or name another file")
    gains, weights = make_frames(config)
    if config.frames is not None and config.frames > len(gains):
        raise ValueError(
            f"frames must be at most {len(gains)} as in {config.data}, got {config.frames}"
        )
    return label(
        gains[: config.frames],
        WPMECCritic(weights),
        gap=config.gap,
        time_limit=config.time_limit,
        jobs=config.jobs,
    )


if __name__ == "__main__":
    run_module(DatasetConfig, main)
