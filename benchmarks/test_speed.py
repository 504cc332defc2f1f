"""Speed of a frame and of its parts: `make bench`.

Rows of one group are comparable; the figure in brackets is the ratio to the fastest. A row `plain`
is the baseline `benchmarks/plain.py`, measured in the same run.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from agent import MemoryDNN, nearest_neighbours, noisy_order_preserving, order_preserving
from agent.networks import POLICIES
from benchmarks import plain
from env import WirelessPoweredMEC, WPMECCritic, WPMECFrame, default_channel, default_weights
from env.schemes import certified_optimum, coordinate_descent
from experiments.configs import DROOConfig, Preset, resolve
from experiments.problems.wpmec.experiment import build
from experiments.simulation import simulate

torch.set_num_threads(1)
Quantizer = Callable[[NDArray[np.float64], int], NDArray[np.int64]]
WARM_UP = 3000  # frames, after which K has settled


def frames(num_devices: int, preset: Preset = "published") -> Iterator[None]:
    """Play frames endlessly: decide, learn, step."""
    config = resolve(DROOConfig(preset=preset))
    agent = build(config, num_devices, np.random.SeedSequence(0))
    env = WirelessPoweredMEC(num_devices, features=config.features or ())
    for _ in simulate(agent, env, sys.maxsize, seed=0):
        yield


def best_frames(num_devices: int) -> Iterator[None]:
    """Play frames with the default settings, which learn within hundreds of frames."""
    return frames(num_devices, "best")


def plain_frames(num_devices: int) -> Iterator[None]:
    """Play frames with the baseline."""
    agent, channel = plain.DROO(num_devices), default_channel(num_devices)
    weights, rng = default_weights(num_devices), np.random.default_rng(0)
    torch.manual_seed(0)
    while True:
        agent.step(channel.sample(rng, 1)[0], weights)
        yield


@pytest.mark.parametrize("num_devices", [10, 20, 30])
@pytest.mark.parametrize("kind", [frames, best_frames, plain_frames])
def test_ten_early_frames(
    benchmark: BenchmarkFixture, kind: Callable[[int], Iterator[None]], num_devices: int
) -> None:
    """Time ten of the first frames of a run, with training."""
    benchmark.group = f"ten of the first 300 frames, N = {num_devices}"
    play = kind(num_devices)
    benchmark.pedantic(lambda: [next(play) for _ in range(10)], rounds=30, warmup_rounds=1)


@pytest.mark.parametrize("kind", [frames, best_frames, plain_frames])
def test_ten_late_frames(
    benchmark: BenchmarkFixture, kind: Callable[[int], Iterator[None]]
) -> None:
    benchmark.group = f"ten frames after {WARM_UP}, N = 10"
    play = kind(10)
    for _ in range(WARM_UP):
        next(play)
    benchmark.pedantic(lambda: [next(play) for _ in range(10)], rounds=100)


@pytest.fixture
def gain() -> NDArray[np.float64]:
    gain: NDArray[np.float64] = default_channel(10).sample(np.random.default_rng(0), 1)[0]
    return gain


@pytest.mark.benchmark(group="critic, 10 candidates, N = 10")
def test_critic(benchmark: BenchmarkFixture, gain: NDArray[np.float64]) -> None:
    decisions = np.random.default_rng(1).integers(0, 2, (10, 10))
    benchmark(WPMECCritic(default_weights(10)).score, gain, decisions)


@pytest.mark.benchmark(group="critic, 10 candidates, N = 10")
def test_plain_critic(benchmark: BenchmarkFixture, gain: NDArray[np.float64]) -> None:
    decisions = np.random.default_rng(1).integers(0, 2, (10, 10))
    weights = default_weights(10)
    rates = benchmark(lambda: [plain.critic(gain, weights, x) for x in decisions])
    np.testing.assert_allclose(rates, WPMECCritic(weights).score(gain, decisions), rtol=1e-9)


@pytest.mark.parametrize("weights", ["default", "random"])
@pytest.mark.parametrize("num_devices", [10, 30])
def test_certified_optimum(benchmark: BenchmarkFixture, num_devices: int, weights: str) -> None:
    benchmark.group = f"certified optimum of a frame, {weights} weights"
    rng = np.random.default_rng(0)
    gains = default_channel(num_devices).sample(rng, 100)
    per_frame = rng.uniform(0.5, 2, (100, num_devices))
    if weights == "default":
        per_frame[:] = default_weights(num_devices)
    critics = map(WPMECCritic, per_frame)
    frames = cycle([WPMECFrame(*frame) for frame in zip(critics, gains, strict=True)])
    benchmark(lambda: certified_optimum(next(frames)))


@pytest.mark.parametrize("num_devices", [10, 30])
def test_coordinate_descent(benchmark: BenchmarkFixture, num_devices: int) -> None:
    benchmark.group = f"coordinate descent, N = {num_devices}"
    critic = WPMECCritic(default_weights(num_devices))
    gains = default_channel(num_devices).sample(np.random.default_rng(0), 100)
    frames = cycle([WPMECFrame(critic, gain) for gain in gains])
    benchmark(lambda: coordinate_descent(next(frames)))


@pytest.mark.parametrize("num_devices", [10, 30])
def test_plain_coordinate_descent(benchmark: BenchmarkFixture, num_devices: int) -> None:
    benchmark.group = f"coordinate descent, N = {num_devices}"
    weights = default_weights(num_devices)
    gain = default_channel(num_devices).sample(np.random.default_rng(0), 1)[0]
    benchmark.pedantic(lambda: plain.coordinate_descent(gain, weights), rounds=3)


QUANTIZERS: dict[str, Quantizer] = {
    "OP": order_preserving,
    "KNN": nearest_neighbours,
    "OPN": lambda relaxed, k: noisy_order_preserving(relaxed, k, np.random.default_rng(0)),
}


@pytest.mark.parametrize("name", QUANTIZERS)
@pytest.mark.benchmark(group="quantizers, N = K = 10")
def test_quantizer(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark(QUANTIZERS[name], np.random.default_rng(0).random(10), 10)


def filled(policy: str, num_devices: int = 10) -> MemoryDNN:
    """Return an agent with a full replay memory."""
    config = resolve(DROOConfig(policy=policy))
    features, hidden = config.features or (), config.hidden or ()
    net = [len(features) * num_devices, *hidden, num_devices]
    agent = MemoryDNN(
        net, batch_size=128, memory_size=1024, policy=policy, features=features, seed=0
    )
    rng = np.random.default_rng(0)
    for _ in range(1024):
        agent.remember(rng.exponential(size=net[0]), rng.integers(0, 2, num_devices))
    return agent


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.benchmark(group="policy, one state, N = 10")
def test_forward(benchmark: BenchmarkFixture, policy: str) -> None:
    agent = filled(policy)
    benchmark(agent.relaxed_decision, np.ones(agent.net[0]))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.benchmark(group="training step, batch 128, N = 10")
def test_learn(benchmark: BenchmarkFixture, policy: str) -> None:
    benchmark(filled(policy).learn)
