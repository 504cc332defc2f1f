"""The section `late` of `python -m benchmarks.report`: a training step of a confident policy."""

import numpy as np

from agent import MemoryDNN
from agent.backends import Compiled
from agent.networks import POLICIES
from benchmarks.common import best_us_a_call, table
from experiments.configs import BenchConfig

N = 10
FEATURES = ("log_gain", "weight", "active")
COMPILED_STEPS = 100_000
TORCH_STEPS = 3000


def late(config: BenchConfig) -> str:
    """Return the times of a training step at first, and after the policy has become confident."""
    rounds = config.some(50)
    rows = [late_row(config, name, rounds) for name in POLICIES]
    header = ["policy", "steps", "at first, us", "after these steps, us", "ratio"]
    return f"""\
The label of all {N} devices is 0 in every frame. Derivatives, moments and weights fall towards zero
in training; unless negligible ones are set to zero, they become denormal numbers, which some
processors process much more slowly. Best of {rounds} rounds of training steps on batches of 128.

{table(header, rows)}"""


def late_row(config: BenchConfig, name: str, rounds: int) -> list[str | float]:
    """Return the steps between, and the microseconds of a training step before and after them."""
    agent = one_sided_agent(name)
    steps = COMPILED_STEPS if isinstance(agent.learner.backend, Compiled) else TORCH_STEPS
    steps = config.some(steps)
    first = best_us_a_call(agent.learn, rounds)
    for _ in range(steps):
        agent.learn()
    last = best_us_a_call(agent.learn, rounds)
    return [name, steps, first, last, last / first]


def one_sided_agent(policy: str) -> MemoryDNN:
    """Return an agent with the default hidden layers of a policy, and labels that are all 0."""
    net = [len(FEATURES) * N, *POLICIES[policy].hidden, N]
    agent = MemoryDNN(net, policy=policy, features=FEATURES, batch_size=128, seed=0)
    rng = np.random.default_rng(0)
    for _ in range(agent.memory_size):
        state = np.concatenate([rng.normal(size=N), np.ones(N), np.ones(N)])
        agent.remember(state, np.zeros(N))
    return agent
