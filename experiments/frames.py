"""The frames of an experiment: recorded or generated, with the devices' weights."""

import numpy as np
from numpy.typing import NDArray

from env import BlockFading, default_weights, linear_placement, path_loss_gain
from env.datasets import read_gains, read_weights
from experiments.configs import DROOConfig, FramesConfig

Floats = NDArray[np.float64]

TEST_FRACTION = 0.2

# Fractions of a run at which the published demonstrations change something.
SWAPS = (0.6, 0.8)
SWITCHES = {0.6: -1, 0.65: -1, 0.7: -1, 0.75: -1, 0.8: 1, 0.85: 1, 0.9: 2, 0.95: -2}
EVENTS = {"steady": (), "alternating-weights": SWAPS, "on-off": tuple(SWITCHES)}


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


def apply_scenario(
    scenario: str, gains: Floats, weights: Floats
) -> tuple[Floats, dict[int, Floats]]:
    """Let weights or devices change during a run, as in the published demonstrations.

    alternating-weights: where a weight was the largest it becomes the smallest, and so on; later
    back. on-off: the devices with the highest numbers switch off and on; one that is off has no
    gain, so that it neither earns anything nor takes any time.

    Args:
        scenario: of `EVENTS`.
        gains: channel gains `[T, N]`.
        weights: `[N]`.

    Returns:
        The gains `[T, N]`, and the weights `[N]` from each frame on at which they change, the
        first being 0.

    Raises:
        ValueError: if more devices would switch off than there are.
    """
    num_frames, num_devices = gains.shape
    weights_from = {0: weights}
    if scenario == "alternating-weights":
        swapped = weights.max() + weights.min() - weights
        weights_from |= {
            int(at * num_frames): new for at, new in zip(SWAPS, (swapped, weights), strict=True)
        }
    if scenario == "on-off":
        if num_devices < 5:
            raise ValueError(f"num_devices must be at least 5 for on-off, got {num_devices}")
        active = np.full(num_frames, num_devices)
        for at, switched in SWITCHES.items():
            active[int(at * num_frames) :] += switched
        gains = np.where(np.arange(num_devices) < active[:, None], gains, 0.0)
    return gains, weights_from
