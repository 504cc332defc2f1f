"""The frames of an experiment: recorded or generated, with the devices' weights."""

import numpy as np
from numpy.typing import NDArray

from env import BlockFading, default_weights, linear_placement, path_loss_gain
from env.datasets import read_gains, read_weights
from experiments.configs import DROOConfig, FramesConfig

Floats = NDArray[np.float64]

TEST_FRACTION = 0.2


def make_frames(config: FramesConfig, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return channel gains `[T, N]`, all that are recorded or as many as wanted, and weights `[N]`.

    Raises:
        ValueError: if the data file is damaged, or the numbers of devices do not agree.
        FileNotFoundError: if there is no such data file.
    """
    recorded_weights = None
    if config.data is None:
        num_devices = config.num_devices or len(config.weights or range(10))
        average_gain = path_loss_gain(linear_placement(num_devices))
        channel = BlockFading(average_gain, config.line_of_sight, config.correlation)
        gains = channel.sample(rng, config.frames or 30_000)
    else:
        gains, recorded_weights = read_gains(config.data), read_weights(config.data)
        if config.num_devices not in (None, gains.shape[1]):
            raise ValueError(
                f"num_devices must be {gains.shape[1]} as in {config.data}, "
                f"got {config.num_devices}"
            )
    return gains, device_weights(config.weights, recorded_weights, gains.shape[1])


def device_weights(
    given: tuple[float, ...] | None, recorded: Floats | None, num_devices: int
) -> Floats:
    """Return the weights `[N]`: those given, or else recorded, or else the paper's.

    Raises:
        ValueError: if there are not `num_devices` of them.
    """
    weights = default_weights(num_devices)
    if given is not None:
        weights = np.array(given)
    elif recorded is not None:
        weights = recorded
    if len(weights) != num_devices:
        raise ValueError(f"weights must be as many as devices, {num_devices}, got {len(weights)}")
    return weights


def split_frames(gains: Floats, config: DROOConfig) -> tuple[Floats, int]:
    """Return the gains `[T, N]` of a run, and how many frames at its end are the test.

    Recorded frames are split 80:20 as published: a run trains on the first part, as often as it
    takes, and ends with the second.

    Raises:
        ValueError: if fewer than two frames are recorded.
    """
    test_frames = config.frames - int((1 - TEST_FRACTION) * config.frames)
    if config.data is None:
        return gains, test_frames
    split = int((1 - TEST_FRACTION) * len(gains))
    if split < 1:
        raise ValueError(f"data must hold at least 2 frames, got {len(gains)} in {config.data}")
    test_frames = min(test_frames, len(gains) - split)
    training = np.arange(config.frames - test_frames) % split
    return gains[np.concatenate([training, split + np.arange(test_frames)])], test_frames
