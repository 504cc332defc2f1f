"""The section `vector` of `python -m benchmarks.report`, on vector environments."""

import time

import gymnasium
import numpy as np

import env  # noqa: F401 (registers the environments)
from benchmarks.common import RUNS, table
from experiments.configs import BenchConfig

NUM_ENVS, NUM_DEVICES = 256, 10
PROBLEMS = {"wireless powered MEC": "WPMEC-v0", "MEC with queues": "QueueingMEC-v0"}


def vector(config: BenchConfig) -> str:
    """Return the decisions per second of the vector environments."""
    rows: list[list[str | float]] = []
    for name, problem in PROBLEMS.items():
        together = decisions_a_second(problem, "sync", config.some(30))
        native = decisions_a_second(problem, "vector_entry_point", config.some(640))
        rows.append([name, together, native, native / together])
    header = ["device decisions per second", "SyncVectorEnv", "native", "speedup"]
    return f"""\
{NUM_ENVS} environments of {NUM_DEVICES} devices each, random decisions, in one process. The
baseline is `gymnasium.vector.SyncVectorEnv`, which steps single environments; the native vector
environment returns the same values bit for bit. Best of {RUNS} runs.

{table(header, rows)}"""


def decisions_a_second(problem: str, mode: str, num_steps: int) -> float:
    """Return the device decisions (environments x devices x steps) per second of one kind."""
    made = gymnasium.make_vec(problem, NUM_ENVS, mode, num_devices=NUM_DEVICES)
    made.reset(seed=0)
    rng = np.random.default_rng(0)
    actions = rng.integers(0, 2, (16, NUM_ENVS, NUM_DEVICES), dtype=np.int8)
    made.step(actions[0])  # warm-up: compiles the kernels
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        for step in range(num_steps):
            made.step(actions[step % len(actions)])
        seconds.append(time.perf_counter() - start)
    made.close()
    return NUM_ENVS * NUM_DEVICES * num_steps / min(seconds)
