"""The section `parts` of `python -m benchmarks.report`: times of the parts of a frame."""

from collections.abc import Callable
from itertools import cycle

import numpy as np
import torch

from agent import MemoryDNN, nearest_neighbours, noisy_order_preserving, order_preserving
from agent.networks import MLP, Layout
from benchmarks import plain
from benchmarks.common import median_us, table
from env import WirelessPoweredMEC, WPMECCritic, WPMECFrame, default_channel, default_weights
from env.schemes import certified_optimum
from experiments.configs import BenchConfig, DROOConfig, resolve
from experiments.problems.experiment import build_agent

Call = Callable[[], object]


def parts(config: BenchConfig) -> str:
    """Return the times of the parts of a frame, called from Python."""
    rounds = config.some(200)
    agent = filled_agent()
    compared: dict[str, tuple[Call, Call, str]] = {
        "critic, 10 candidates, N = 10": (*critics(), "plain"),
        "forward pass of the mlp, one state": (*forward_passes(agent), "torch"),
        "training step of the mlp, batch 128": (*training_steps(agent), "torch"),
    }
    rows: list[list[str | float]] = []
    for name, (ours, theirs, whose) in compared.items():
        us, by_them = median_us(ours, rounds), median_us(theirs, rounds)
        rows.append([name, us, whose, by_them, by_them / us])
    alone = quantizers() | optima() | {"step of the environment, N = 10": step_of_environment()}
    return f"""\
Medians of {rounds} rounds of calls from Python, N = 10 unless stated otherwise; generated channels.

{table(["", "us per call", "baseline", "baseline, us per call", "speedup"], rows)}

{table(["", "us per call"], [(name, median_us(call, rounds)) for name, call in alone.items()])}"""


def filled_agent() -> MemoryDNN:
    """Return an agent with the published settings for ten devices and a full replay memory."""
    agent = build_agent(resolve(DROOConfig(preset="published")), 10, np.random.SeedSequence(0))
    rng = np.random.default_rng(0)
    for _ in range(agent.memory_size):
        agent.remember(rng.exponential(size=10), rng.integers(0, 2, 10))
    return agent


def critics() -> tuple[Call, Call]:
    """Return calls that score ten decisions: by the project's critic, and by the baseline."""
    gain, weights = default_channel(10).sample(np.random.default_rng(0), 1)[0], default_weights(10)
    decisions = np.random.default_rng(1).integers(0, 2, (10, 10))
    critic = WPMECCritic(weights)
    return (
        lambda: critic.score(gain, decisions),
        lambda: [plain.critic(gain, weights, decision) for decision in decisions],
    )


def forward_passes(agent: MemoryDNN) -> tuple[Call, Call]:
    """Return calls that compute a relaxed decision: by the agent, and by torch."""
    state = np.ones(agent.net[0])
    batch = torch.ones(1, agent.net[0])

    def by_torch() -> object:
        with torch.no_grad():
            return agent.model(batch)

    return lambda: agent.relaxed_decision(state), by_torch


def training_steps(agent: MemoryDNN) -> tuple[Call, Call]:
    """Return calls that make a training step: by the agent, and by torch on a copy of it."""
    network = MLP(agent.net, Layout(agent.net[-1], agent.features or (), 2))
    for copied, parameter in zip(network.parameters(), agent.model.parameters(), strict=True):
        copied.data.copy_(parameter.data)
    optimizer = torch.optim.Adam(network.parameters(), agent.lr, weight_decay=1e-4, fused=True)
    loss = torch.nn.BCEWithLogitsLoss()

    def by_torch() -> object:
        batch = torch.from_numpy(agent.replay.sample(agent.batch_size))
        optimizer.zero_grad()
        logits = network(batch[:, : agent.net[0]])
        loss(logits, batch[:, agent.net[0] :]).backward()
        return optimizer.step()

    return agent.learn, by_torch


def quantizers() -> dict[str, Call]:
    """Return name -> call of each quantizer, N = K = 10."""
    relaxed, rng = np.random.default_rng(0).random(10), np.random.default_rng(1)
    return {
        "quantizer OP, K = 10": lambda: order_preserving(relaxed, 10),
        "quantizer OPN, K = 10": lambda: noisy_order_preserving(relaxed, 10, rng),
        "quantizer KNN, K = 10": lambda: nearest_neighbours(relaxed, 10),
    }


def optima() -> dict[str, Call]:
    """Return name -> call that computes the certified optimum of a frame."""
    return {f"certified optimum, N = {n}": optimum_of_frames(n) for n in (10, 30)}


def optimum_of_frames(num_devices: int) -> Call:
    """Return a call that computes the certified optimum of one of a hundred frames in turn."""
    critic = WPMECCritic(default_weights(num_devices))
    gains = default_channel(num_devices).sample(np.random.default_rng(0), 100)
    frames = cycle([WPMECFrame(critic, gain) for gain in gains])
    return lambda: certified_optimum(next(frames))


def step_of_environment() -> Call:
    """Return a call that steps an environment."""
    env = WirelessPoweredMEC(10)
    env.reset(seed=0)
    decision = np.arange(10) % 2
    return lambda: env.step(decision)
