"""The problems as Gymnasium environments: DROO, rendering, and 256 environments at once.

`python examples/gymnasium_environments.py [folder]` takes a few seconds, and writes pictures to the
folder, by default `results`.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from matplotlib.image import imsave

import env  # noqa: F401 (registers the environments)
from agent import DROO, MemoryDNN
from env.schemes import certified_optimum, lyapunov_optimum, optimum


def learn() -> None:
    """Train DROO for 1,000 frames, and compare it with the optimum of each frame."""
    mec: Any = gymnasium.make("WPMEC-v0", num_devices=10).unwrapped
    droo = DROO(MemoryDNN([10, 120, 80, 10], seed=0))
    mec.reset(seed=0)
    rates = np.empty((1000, 2))
    for frame in range(1000):
        best = certified_optimum(mec).computation_rate
        choice = droo.decide(mec.state, mec.score)
        _, rate, *_ = mec.step(choice.decision)
        rates[frame] = rate, best
    rate, best = rates[-200:].mean(axis=0)
    print(f"last 200 of 1,000 frames: DROO {rate / best:.4f} of the optimum")


def draw(problem: str, scheme: Callable[[Any], Any], file: Path) -> None:
    """Carry out a scheme's decisions in five frames, and render the last frame to a file."""
    mec: Any = gymnasium.make(problem, render_mode="rgb_array")
    mec.reset(seed=0)
    for _ in range(5):
        mec.step(scheme(mec.unwrapped))
    imsave(file, mec.render())
    print(f"{problem}: {file}")


def step_many() -> None:
    """Step 256 environments of ten devices at once, with random decisions."""
    vector = gymnasium.make_vec("WPMEC-v0", num_envs=256, num_devices=10)
    vector.reset(seed=0)
    decisions = vector.action_space.sample()
    vector.step(decisions)  # warm-up: compiles the kernels
    start = time.perf_counter()
    for _ in range(200):
        vector.step(decisions)
    speed = 200 * decisions.size / (time.perf_counter() - start)
    print(f"256 environments: {speed / 1e6:.1f} million device decisions per second")


def main(folder: Path) -> None:
    """Run all parts of the example."""
    learn()
    folder.mkdir(parents=True, exist_ok=True)
    draw("WPMEC-v0", optimum, folder / "render_wpmec.png")
    draw("QueueingMEC-v0", lyapunov_optimum, folder / "render_queueing.png")
    step_many()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("results"))
