"""A custom problem: tasks with deadlines, delay and energy; all devices share a band and a server.

Run it with `python examples/custom_environment.py`. It checks the problem, trains DROO on it, and
compares DROO with the optimum of every frame, which is found by scoring all decisions.
"""

import numpy as np
from numpy.typing import NDArray

from agent import DROO, MemoryDNN
from env import check_problem
from env.schemes import all_local, coordinate_descent, full_enumeration, random_offloading

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BAND, POWER, NOISE = 4e6, 0.1, 1e-20  # Hz, W, W/Hz
SPEED, SERVER_SPEED = 1e9, 10e9  # cycles/s of a device and of the server
ENERGY = 1e-27  # J/(cycle/s)^2: the energy of a cycle is this times the speed squared
LATE = 1.0  # cost of a missed deadline; a second and a joule cost 1 each

NUM_DEVICES, NUM_FRAMES, EARLY = 10, 600, 200


class DeadlineOffloading:
    """Each device has one task per frame; it costs delay (s), energy (J), and `LATE` if late."""

    features = ("local_time", "remote_time", "deadline")

    def __init__(self, num_devices: int) -> None:
        self.num_devices = num_devices
        self.mean_gain = 1e-3 * np.linspace(50, 200, num_devices) ** -3.0

    def reset(self, *, seed: int | None = None) -> tuple[Floats, dict[str, object]]:
        """Draw the first frame."""
        if seed is not None or not hasattr(self, "rng"):
            self.rng = np.random.default_rng(seed)
        return self._next_frame(), {}

    def step(self, decision: Ints) -> tuple[Floats, float, bool, bool, dict[str, object]]:
        """Carry out a decision `[N]`."""
        reward = float(self.score(decision[None])[0])
        return self._next_frame(), reward, False, False, {}

    def score(self, decisions: Ints) -> Floats:
        """Return minus the cost `[K]` of decisions `[K, N]`; offloading devices share the band."""
        sharing = decisions.sum(axis=1, keepdims=True)
        delay = np.where(decisions, sharing * self.remote_time, self.local_time)
        energy = np.where(decisions, sharing * self.upload_time * POWER, self.local_energy)
        cost: Floats = (delay + energy + LATE * (delay > self.deadline)).sum(axis=1)
        return -cost

    def _next_frame(self) -> Floats:
        n, draw = self.num_devices, self.rng.uniform
        gain = self.mean_gain * self.rng.exponential(size=n)
        data = draw(0.1e6, 0.5e6, n)  # bit
        cycles = data * draw(500, 1500, n)
        self.deadline = draw(0.3, 0.6, n)  # s
        self.local_time, self.local_energy = cycles / SPEED, ENERGY * SPEED**2 * cycles
        self.upload_time = data / (BAND * np.log2(1 + POWER * gain / (NOISE * BAND)))  # if alone
        self.remote_time = self.upload_time + cycles / SERVER_SPEED
        self.state = np.concatenate([self.local_time, n * self.remote_time, self.deadline])
        return self.state


def play(problem: DeadlineOffloading, droo: DROO, seed: int) -> tuple[dict[str, Floats], float]:
    """Train DROO; return name -> costs `[T]` of DROO and schemes, and the mean decisions scored."""
    schemes = {
        "optimum": full_enumeration,
        "coordinate descent": coordinate_descent,
        "all local": all_local,
        "random": random_offloading(np.random.default_rng(seed)),
    }
    names = (*schemes, "DROO", "its policy alone")
    costs = {name: np.empty(NUM_FRAMES) for name in names}
    scored = np.empty(NUM_FRAMES)
    problem.reset(seed=seed)
    for t in range(NUM_FRAMES):
        for name, scheme in schemes.items():
            costs[name][t] = -problem.score(scheme(problem)[None])[0]
        choice = droo.decide(problem.state, problem.score)
        costs["DROO"][t], costs["its policy alone"][t] = -choice.reward, -choice.own_reward
        scored[t] = choice.num_candidates
        problem.step(choice.decision)
    return costs, float(scored[EARLY:].mean())


def main() -> None:
    """Check the problem, play, and print the relative excess of all costs over the optimum."""
    problem = DeadlineOffloading(NUM_DEVICES)
    seen = check_problem(problem)
    print(
        f"checked {seen.num_frames} frames: {seen.num_devices} devices, {seen.num_inputs} inputs "
        f"from {seen.smallest_input:.2g} to {seen.largest_input:.2g}"
    )

    net = [seen.num_inputs, 32, 32, seen.num_devices]
    agent = MemoryDNN(net, policy="equivariant", features=problem.features, seed=0)
    droo = DROO(agent, refine_every=128, learn_when_wrong=True)
    costs, scored = play(problem, droo, seed=0)

    print(f"\n{'cost above the optimum':24}{'frames 1-' + str(EARLY):>14}{'later':>10}")
    for name in ("DROO", "its policy alone", "coordinate descent", "all local", "random"):
        early, later = (
            costs[name][part].sum() / costs["optimum"][part].sum() - 1
            for part in (slice(EARLY), slice(EARLY, None))
        )
        print(f"{name:24}{early:14.2%}{later:10.2%}")
    print(f"\nDROO scored {scored:.1f} decisions a frame later on, the optimum {2**NUM_DEVICES}")


if __name__ == "__main__":
    main()
