"""The problems as Gymnasium environments: made, checked, seeded, drawn, many at once, with DROO.

`python examples/gymnasium_environments.py [folder]` takes seconds; the pictures go to the folder,
`results` by default.
"""

import sys
import time
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env
from matplotlib.image import imsave

import env  # noqa: F401 (registers the environments)
from agent import DROO, MemoryDNN
from env.schemes import certified_optimum, lyapunov_optimum, optimum

PROBLEMS = ("WPMEC-v0", "QueueingMEC-v0")


def check() -> None:
    """Let Gymnasium check the environments, and see that a seed makes one repeatable."""
    for problem in PROBLEMS:
        made = gymnasium.make(problem, num_devices=10)
        with warnings.catch_warnings():  # that gains and queues have no largest value
            warnings.filterwarnings("ignore", ".*maximum value is infinity")
            check_env(made.unwrapped, skip_render_check=True)
        state, _ = made.reset(seed=7)
        assert (made.reset(seed=7)[0] == state).all()
        print(f"{problem}: passes Gymnasium's checker; states {made.observation_space}")


def draw(folder: Path) -> None:
    """Carry out the optimal decisions of five frames, and draw the last."""
    folder.mkdir(parents=True, exist_ok=True)
    schemes: dict[str, Any] = {
        "wpmec": optimum,
        "queueing": lyapunov_optimum,
    }
    for (name, decide), problem in zip(schemes.items(), PROBLEMS, strict=True):
        made: Any = gymnasium.make(problem, render_mode="rgb_array")
        made.reset(seed=0)
        for _ in range(5):
            made.step(decide(made.unwrapped))
        file = folder / f"render_{name}.png"
        imsave(file, made.render())
        print(f"{problem}: {file}")


def many() -> None:
    """Step 256 environments at once, with random decisions."""
    for problem in PROBLEMS:
        vector = gymnasium.make_vec(problem, num_envs=256, max_episode_steps=200)
        vector.action_space.seed(0)
        vector.reset(seed=0)
        actions = vector.action_space.sample()
        vector.step(actions)  # compiles
        start, total = time.perf_counter(), np.zeros(256)
        for _ in range(200):
            _, rewards, _, _, _ = vector.step(vector.action_space.sample())
            total += rewards
        speed = 200 * actions.size / (time.perf_counter() - start)
        print(f"{problem}: 256 at once, {speed / 1e6:.1f} million device-decisions a second")


def learn() -> None:
    """Let DROO decide in 1,000 frames, and compare with the optimum of each and with chance."""
    wpmec: Any = gymnasium.make("WPMEC-v0", num_devices=10).unwrapped
    droo = DROO(MemoryDNN([10, 120, 80, 10], seed=0))
    wpmec.reset(seed=0)
    rng = np.random.default_rng(0)
    rates = np.empty((1000, 3))
    for frame in range(1000):
        best = certified_optimum(wpmec).computation_rate
        chance = wpmec.score(rng.integers(0, 2, (1, 10)))[0]
        choice = droo.decide(wpmec.state, wpmec.score)
        _, reward, *_ = wpmec.step(choice.decision)
        rates[frame] = reward, chance, best
    of_droo, of_chance, best = rates[-200:].mean(axis=0)
    print(
        f"last 200 of 1,000 frames: DROO {of_droo / best:.4f} of the optimum, "
        f"random decisions {of_chance / best:.4f}"
    )


def main(folder: Path) -> None:
    """Show all of it."""
    check()
    draw(folder)
    many()
    learn()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("results"))
