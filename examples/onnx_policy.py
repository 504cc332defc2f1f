"""Train a policy, export it as ONNX, and decide with it without torch.

The decisions equal those of the agent. `examples/onnx_policy.cpp` does the same in C++.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent import DROO, MemoryDNN
from env import WirelessPoweredMEC

try:
    import onnxruntime
except ModuleNotFoundError as error:
    raise SystemExit(
        'this example needs pip install "droo[onnx]", in a checkout pip install ".[onnx]"'
    ) from error

FEATURES = ("log_gain", "weight", "active")
DEVICES = 10
TRAINING, TEST = 500, 1000  # frames

Decisions = NDArray[np.int64]
Decide = Callable[[NDArray[np.float64]], Decisions]


def train(env: WirelessPoweredMEC) -> MemoryDNN:
    """Return an agent that has learned online in an environment."""
    net = [len(FEATURES) * DEVICES, 32, 32, DEVICES]
    agent = MemoryDNN(net, policy="equivariant", features=FEATURES, seed=0)
    droo = DROO(agent, refine_every=32, learn_when_wrong=True)
    env.reset(seed=0)
    for _ in range(TRAINING):
        env.step(droo.decide(env.state, env.score).decision)
    return agent


def order_preserving(logits: NDArray[np.float32]) -> Decisions:
    """Return the N + 1 candidates of logits `[N]`: the rounded decision, then one per threshold."""
    thresholds = logits[np.argsort(np.abs(logits), kind="stable"), None]
    others = np.where(thresholds > 0, logits > thresholds, logits >= thresholds)
    return np.vstack([logits > 0, others]).astype(np.int64)


def from_file(path: Path) -> Decide:
    """Return a function from a state to candidates that runs the policy in an ONNX file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more threads slow down networks of this size
    session: Any = onnxruntime.InferenceSession(path, options)

    def decide(state: NDArray[np.float64]) -> Decisions:
        (logits,) = session.run(["logits"], {"state": state[None].astype(np.float32)})
        return order_preserving(logits[0])

    return decide


def play(env: WirelessPoweredMEC, decide: Decide) -> tuple[Decisions, float, float]:
    """Return the best candidates of the test frames, their mean rate, and the median seconds."""
    decisions, rates, seconds = [], [], []
    env.reset(seed=1)
    for _ in range(TEST):
        state = env.state
        start = time.perf_counter()
        candidates = decide(state)
        seconds.append(time.perf_counter() - start)
        best = candidates[env.score(candidates).argmax()]
        _, rate, *_ = env.step(best)
        decisions.append(best)
        rates.append(rate)
    return np.array(decisions), float(np.mean(rates)), float(np.median(seconds))


def main() -> None:
    """Compare the agent with its exported policy on the same frames."""
    env = WirelessPoweredMEC(DEVICES, features=FEATURES)
    agent = train(env)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.onnx"
        agent.export_onnx(path)
        print(f"policy.onnx: {path.stat().st_size:,} bytes, {agent.num_parameters:,} parameters")
        ours = play(env, lambda state: agent.decode(state, DEVICES + 1))
        theirs = play(env, from_file(path))
    for name, (_, rate, seconds) in (("agent", ours), ("file", theirs)):
        print(f"{name}: {rate / 1e6:.4f} Mbit/s, candidates in {seconds * 1e6:.0f} us")
    equal = (ours[0] == theirs[0]).all(axis=1).mean()
    print(f"equal decisions: {equal:.1%} of {TEST:,} frames")


if __name__ == "__main__":
    main()
