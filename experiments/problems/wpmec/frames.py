"""Frames of wireless powered MEC, recorded or generated, with the devices' weights."""

from collections.abc import Sequence

import numpy as np

from droo_core.arrays import Floats
from env import (
    BlockFading,
    RecordedChannel,
    WirelessPoweredMEC,
    default_weights,
    linear_placement,
    path_loss_gain,
)
from env.datasets import read_gains
from experiments.configs import DROOConfig, FramesConfig
from experiments.problems.weights import device_weights, number_of_devices

TEST_FRACTION = 0.2

# The changes of the published demonstrations, in percent of a run: the weights are swapped; the
# number of active devices changes by the values.
SWAPS = (60, 80)
SWITCHES = {60: -1, 65: -1, 70: -1, 75: -1, 80: 1, 85: 1, 90: 2, 95: -2}
EVENTS = {"steady": (), "alternating-weights": SWAPS, "on-off": tuple(SWITCHES)}


def make_frames(config: FramesConfig) -> tuple[Floats, Floats]:
    """Return channel gains `[T, N]` and weights `[N]`.

    Of a recording, all frames are returned; of a generated channel, `config.frames`. The channel
    has the first random stream that the seed spawns; the experiment uses the others.

    Raises:
        ValueError: if the data file is damaged, or numbers of devices differ.
        FileNotFoundError: if the data file does not exist.
    """
    if config.data is not None:
        gains, weights = read_gains(config.data)
        num_devices = number_of_devices(config, gains.shape[1])
        return gains, recorded_weights(config.weights, weights, num_devices)

    num_devices = number_of_devices(config)
    weights = recorded_weights(config.weights, None, num_devices)
    average_gain = path_loss_gain(linear_placement(num_devices))
    channel = BlockFading(average_gain, config.line_of_sight, config.correlation)
    (stream,) = np.random.SeedSequence(config.seed).spawn(1)
    return channel.sample(np.random.default_rng(stream), config.frames or 30_000), weights


def make_env(gains: Floats, weights: Floats, features: Sequence[str] | None) -> WirelessPoweredMEC:
    """Return an environment that plays these gains `[T, N]`, with these features as its state."""
    channel = RecordedChannel(gains)
    return WirelessPoweredMEC(weights=weights, channel=channel, features=features or ())


def recorded_weights(
    given: tuple[float, ...] | None, recorded: Floats | None, num_devices: int
) -> Floats:
    """Return the weights `[N]`: those given, otherwise those recorded, otherwise the paper's.

    Raises:
        ValueError: if their number is not `num_devices`.
    """
    default = default_weights(num_devices)
    return device_weights(given, default if recorded is None else recorded)


def split_frames(gains: Floats, config: DROOConfig) -> tuple[Floats, int]:
    """Return the gains `[T, N]` of a run, and the number of test frames at its end.

    Recorded frames are split 80:20 as published: a run repeats the first part as often as needed
    to train, and ends with the second part as its test frames.

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


def frames_of_run(config: DROOConfig) -> tuple[Floats, dict[int, Floats], int]:
    """Return the frames of a run of the main experiment.

    Returns:
        The gains `[T, N]`; first frame, from 0, -> the weights `[N]` from that frame on; and the
        number of test frames at the end.

    Raises:
        ValueError: if a setting is out of range, or the data file is damaged.
        FileNotFoundError: if the data file does not exist.
    """
    gains, weights = make_frames(config)
    gains, test_frames = split_frames(gains, config)
    gains, weights_from = apply_scenario(config.scenario, gains, weights)
    return gains, weights_from, test_frames


def apply_scenario(
    scenario: str, gains: Floats, weights: Floats
) -> tuple[Floats, dict[int, Floats]]:
    """Change weights or devices during a run, as in the published demonstrations.

    alternating-weights: each weight w becomes max + min - w, so that the largest and the smallest
    are swapped; later they are swapped back. on-off: the devices with the highest indices switch
    off and on; a device that is off has gain 0, so that it computes nothing and takes no time.

    Args:
        scenario: a key of `EVENTS`.
        gains: channel gains `[T, N]`.
        weights: weights of the devices `[N]`.

    Returns:
        The gains `[T, N]`; and first frame, from 0, -> the weights `[N]` from that frame on.

    Raises:
        ValueError: if there are fewer devices than are switched off.
    """
    num_frames, num_devices = gains.shape
    weights_from = {0: weights}
    if scenario == "alternating-weights":
        swapped = weights.max() + weights.min() - weights
        weights_from |= {
            at * num_frames // 100: new for at, new in zip(SWAPS, (swapped, weights), strict=True)
        }
    if scenario == "on-off":
        if num_devices < 5:
            raise ValueError(f"num_devices must be at least 5 for on-off, got {num_devices}")
        active = np.full(num_frames, num_devices)
        for at, switched in SWITCHES.items():
            active[at * num_frames // 100 :] += switched
        gains = np.where(np.arange(num_devices) < active[:, None], gains, 0.0)
    return gains, weights_from
