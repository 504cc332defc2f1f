"""The section `floor` of `python -m benchmarks.report`: a lower bound on the time of a frame."""

from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from agent import DROO, MemoryDNN
from agent.backends import Compiled
from agent.kernels import kernel as agent_kernel
from agent.kernels import layers, mlp
from benchmarks.common import (
    RUNS,
    best_us,
    best_us_a_call,
    frames_of,
    main_runs,
    main_settings,
    table,
)
from droo_core.arrays import Ints, Singles
from droo_core.jit import function_of, kernel_of
from env import WPMECCritic
from env.common.features import states
from env.wpmec.features import WPMEC_FEATURES, WPMECView
from env.wpmec.kernels import allocation as wpmec_kernels
from experiments.configs import BenchConfig

CANDIDATES = 400  # minimum number per call, so that its fixed cost is negligible
FORWARD_PASSES = 1000

workspace = agent_kernel(function_of(layers.workspace))
add_product = agent_kernel(function_of(layers.add_product))
kernel = kernel_of(__file__, Path(mlp.__file__).parent)


@kernel
def forward_passes(parameters: Singles, shape: Ints, state: Singles, count: int) -> float:
    """Make `count` forward passes; the sum keeps the compiler from removing the loop."""
    total = 0.0
    logits = np.empty(shape[-1], np.float32)
    for _ in range(count):
        mlp.forward(parameters, shape, state, logits)
        total += logits.sum()
    return total


def floor(config: BenchConfig) -> str:
    """Return a lower bound on the time of a frame of the main run, beside the measured time."""
    runs, columns, droo = main_runs(config)
    num_frames = len(columns)
    measured = best_us(runs, 0, num_frames)
    rounds = config.some(300)
    rates = product_rates(rounds)
    flops = training_flops(droo.agent)
    scored = float(columns["scored"].mean())
    each = {
        f"training step, {flops / 1e6:.3g} MFLOP at the higher rate": (
            1 / droo.agent.training_interval,
            flops / max(rates.values()) / 1e3,
        ),
        "forward pass": (1.0, forward_us(droo.agent, rounds)),
        "candidate scored": (scored, candidate_us(config, droo)),
    }
    parts = {name: (many, us, many * us) for name, (many, us) in each.items()}
    least = sum(us for _, _, us in parts.values())
    parts |= {"floor: their sum": (1.0, least, least), "measured": (1.0, measured, measured)}
    rows = ((name, *row, row[-1] / least) for name, row in parts.items())
    header = ["", "number per frame", "us each", "us per frame", "ratio to the floor"]
    return f"""\
The floor is a lower bound on the time of a frame: it counts the matrix products of training, the
forward pass and the critic, at the rates that one thread reaches on this machine. It leaves out
Adam, the loss, the quantizer, the replay memory, and all overhead between the parts. Rates and
times are the best of {rounds} rounds.

{table(["matrix product, single precision", "GFLOP/s"], rates.items())}

The forward pass is this project's, repeated in compiled code. The time of a candidate is that of a
call of the critic's kernel with at least {CANDIDATES} candidates, divided by their number; the
median over frames. The number of candidates scored is the mean of the main run. The measured time
is that of the main run: {num_frames:,} frames, best of {RUNS} runs.

{table(header, rows)}"""


def product_rates(rounds: int) -> dict[str, float]:
    """Return the GFLOP/s of one thread in matrix products."""
    rng = np.random.default_rng(0)
    a, b = (torch.from_numpy(rng.random((512, 512), np.float32)) for _ in range(2))
    out = torch.empty(512, 512)
    rates = {
        "torch.mm, 512 x 512 by 512 x 512": (
            2 * 512**3 / best_us_a_call(lambda: torch.mm(a, b, out=out), rounds) / 1e3
        )
    }
    rows, depth, columns = 80, 120, 128
    left, right, ours = map(workspace, (rows * depth, depth * columns, rows * columns))
    left[:], right[:], ours[:] = rng.random(left.size), rng.random(right.size), 0
    arguments = (left, 0, depth, 1, rows, depth, right, 0, ours, 0, columns)
    us = best_us_a_call(partial(add_product, *arguments), rounds)
    rates["this project's, 80 x 120 by 120 x 128"] = 2 * rows * depth * columns / us / 1e3
    return rates


def training_flops(agent: MemoryDNN) -> int:
    """Return the floating-point operations in the matrix products of a training step."""
    backend = agent.learner.backend
    assert isinstance(backend, Compiled)
    widths = [int(width) for width in backend.shape]
    sizes = [inputs * outputs for inputs, outputs in pairwise(widths)]
    # The forward pass, the gradients of the weights, and those of the inputs of every layer but the
    # first.
    return 2 * agent.batch_size * (2 * sum(sizes) + sum(sizes[1:]))


def forward_us(agent: MemoryDNN, rounds: int) -> float:
    """Return the microseconds of one forward pass, without the overhead of calls from Python."""
    backend = agent.learner.backend
    assert isinstance(backend, Compiled)
    arguments = backend.parameters(), backend.shape, np.ones(agent.net[0], np.float32)
    us = best_us_a_call(lambda: forward_passes(*arguments, FORWARD_PASSES), rounds)
    return us / FORWARD_PASSES


def candidate_us(config: BenchConfig, droo: DROO) -> float:
    """Return the microseconds that the critic takes for one more candidate."""
    gains, weights = frames_of(main_settings(config))
    critic = WPMECCritic(weights)
    last = gains[-config.some(500) :: 5]
    frames = WPMECView(last, np.tile(weights, (len(last), 1)))
    seen = states(droo.agent.features or (), WPMEC_FEATURES, frames)
    times = []
    for gain, state in zip(last, seen, strict=True):
        chain = droo.agent.propose(state, len(gain) + 1).decisions
        # The chain is traversed forward and backward, so that successive candidates differ in one
        # device, as in a frame.
        around = np.concatenate([chain, chain[-2:0:-1]])
        decisions = np.tile(around, (CANDIDATES // len(around) + 1, 1))
        values = np.empty(len(decisions))
        arguments = (gain, *critic.kernel_arguments, decisions, values)
        times.append(best_us_a_call(partial(wpmec_kernels.score, *arguments), 5) / len(decisions))
    return float(np.median(times))
