"""Frames of MEC with queues, recorded or generated, and the environment that plays them."""

import math
from typing import Any

import numpy as np

from droo_core.arrays import Floats
from droo_core.validation import in_range
from env import (
    BlockFading,
    ExponentialArrivals,
    PoissonBatches,
    QueueingMEC,
    QueueingParameters,
    RecordedArrivals,
    RecordedChannel,
    default_queueing_channel,
    default_queueing_weights,
)
from env.datasets import read_recording
from experiments.configs import LyDROOConfig, QueuesConfig, resolve
from experiments.problems.queueing import stability
from experiments.problems.weights import device_weights, number_of_devices

FRAMES = 10_000


def make_frames(config: QueuesConfig) -> tuple[Floats, Floats, Floats]:
    """Return channel gains `[T, N]`, arrivals `[T, N]` in Mbit, and weights `[N]`.

    The seed spawns three random streams: for the channel, the agent and the arrivals.

    Raises:
        ValueError: if the data file is damaged; if there are too few frames to judge stability, or
            more than recorded; or if numbers of devices differ.
        FileNotFoundError: if the data file does not exist.
    """
    frames = config.frames
    if frames is not None and frames < stability.LEAST_FRAMES:
        raise ValueError(f"frames must be at least {stability.LEAST_FRAMES}, got {frames}")
    if config.data is None:
        num_devices = number_of_devices(config)
        weights = device_weights(config.weights, default_queueing_weights(num_devices))
        return *generate(config, frames or FRAMES, num_devices), weights

    gains, arrivals, recorded = read_recording(config.data)
    num_devices = number_of_devices(config, gains.shape[1])
    if frames is not None and frames > len(gains):
        raise ValueError(f"frames must be at most {len(gains)} as in {config.data}, got {frames}")
    default = default_queueing_weights(num_devices) if recorded is None else recorded
    weights = device_weights(config.weights, default)
    return gains[:frames], arrivals[:frames], weights


def generate(config: QueuesConfig, frames: int, num_devices: int) -> tuple[Floats, Floats]:
    """Return generated channel gains and arrivals in Mbit, `[frames, N]` each."""
    for_channel, _, for_arrivals = np.random.SeedSequence(config.seed).spawn(3)
    average = default_queueing_channel(num_devices).average_gain
    channel = BlockFading(average, config.line_of_sight, config.correlation)
    kind = {"exponential": ExponentialArrivals, "poisson": PoissonBatches}[config.arrivals]
    rate = float(in_range("arrival_rate", config.arrival_rate, 0, math.inf, ()))
    arrivals = kind(np.full(num_devices, rate))
    return (
        channel.sample(np.random.default_rng(for_channel), frames),
        arrivals.sample(np.random.default_rng(for_arrivals), frames),
    )


def make_env(
    config: LyDROOConfig, gains: Floats, arrivals: Floats, weights: Floats
) -> tuple[QueueingMEC, dict[str, Any]]:
    """Return an environment that plays these gains and arrivals, and the options of its reset.

    The virtual energy queues start at nu times the energy reserve.

    Args:
        config: settings of the run.
        gains: channel gains `[T, N]`.
        arrivals: arrivals `[T, N]`, in Mbit.
        weights: weights of the devices `[N]`.

    Raises:
        ValueError: if a parameter is out of range, or a feature is unknown.
    """
    of_agent = config.scheme == "lydroo"  # schemes do not read the state
    config = resolve(config)
    assert config.features is not None
    env = QueueingMEC(
        weights=weights,
        channel=RecordedChannel(gains),
        arrivals=RecordedArrivals(arrivals),
        parameters=QueueingParameters(
            tradeoff=config.tradeoff,
            energy_budget=config.energy_budget,
            max_power=config.max_power,
            bandwidth=config.bandwidth,
        ),
        features=config.features if of_agent else ("gain",),
        allocation="myopic" if config.scheme == "myopic" else "lyapunov",
    )
    reserve = float(in_range("energy_reserve", config.energy_reserve, 0, math.inf, ()))
    queue = np.full(env.num_devices, env.parameters.energy_queue_scale * reserve)
    return env, {"energy_queue": queue}
