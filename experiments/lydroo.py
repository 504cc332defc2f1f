"""LyDROO online on multi-slot MEC with queues, or another scheme on the same frames.

`python -m experiments.lydroo --help` lists its settings.
"""

import copy
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from agent import DROO, Choice
from env import (
    BlockFading,
    ExponentialArrivals,
    PoissonBatches,
    QueueingCritic,
    QueueingFrame,
    QueueingMEC,
    QueueingParameters,
    RecordedArrivals,
    RecordedChannel,
    default_queueing_channel,
    default_queueing_weights,
)
from env.datasets import read_recording
from env.schemes import all_local, all_offloading, coordinate_descent, lyapunov_optimum
from env.schemes.queueing import certified_lyapunov_optimum
from experiments import queueing_figures, queueing_history, results, stability
from experiments.cli import run_module
from experiments.configs import LyDROOConfig
from experiments.droo import agent_seed, build_agent, timing_of
from experiments.provenance import provenance
from experiments.queueing_history import QueueingHistory

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EXPERIMENT = "lydroo"
FRAMES = 10_000

Scheme: TypeAlias = Callable[[QueueingMEC], Ints]
SCHEMES: Mapping[str, Scheme] = {
    "lycd": lambda env: env.climb(all_local(env)).decision,
    "exact": lyapunov_optimum,
    "myopic": coordinate_descent,
    "all-local": all_local,
    "all-offloading": all_offloading,
}


def main(config: LyDROOConfig) -> None:
    """Run the experiment, save it, and print what came of it."""
    folder = run(config)
    summary = results.load_summary(folder)
    print_summary(summary)
    print(f"\nSaved in {folder}")
    if summary["stability"] != "stable":
        print(warning(summary), file=sys.stderr)


def run(config: LyDROOConfig, *, progress: bool = True, draw: bool = True) -> Path:
    """Run the experiment and return the folder that it is saved in.

    Args:
        config: its settings.
        progress: whether to show a progress bar, on a terminal.
        draw: whether to draw the run's figures into the folder.

    Raises:
        ValueError: if a setting is out of range, or the data file damaged or without arrivals.
        FileNotFoundError: if there is no such data file.
    """
    came_from = provenance(config)
    env, decider, frames = prepare(config)
    history, timing = record(env, decider, frames, config.energy_reserve, progress=progress)
    summary = queueing_history.summarize(history)
    summary |= {"seed": config.seed, "scheme": config.scheme}
    summary |= stability.report(history, env.parameters, virtual=config.scheme != "myopic") | timing
    agent = decider.agent if isinstance(decider, DROO) else None
    summary["parameters"] = 0 if agent is None else agent.num_parameters

    def write_more(folder: Path) -> None:
        queueing_history.write(folder, history)
        if isinstance(decider, DROO):
            decider.save(folder / "checkpoint.safetensors")
        if draw:
            queueing_figures.save_run({config.scheme: history}, config.energy_budget, folder)

    return results.save_run(config.results / EXPERIMENT, came_from, summary, write_more)


def prepare(config: LyDROOConfig) -> tuple[QueueingMEC, DROO | Scheme, int]:
    """Return a run's environment, who decides in it, and for how many frames.

    The errors are those of `run`.
    """
    torch.set_num_threads(1)  # on networks of this size a second thread only costs
    gains, arrivals, weights = make_frames(config)
    env = replay(config, gains, arrivals, weights)
    if config.scheme == "lydroo":
        return env, build(config, env.num_devices), len(gains)
    return env, SCHEMES[config.scheme], len(gains)


def replay(config: LyDROOConfig, gains: Floats, arrivals: Floats, weights: Floats) -> QueueingMEC:
    """Return an environment that plays these gains and arrivals `[T, N]` with a run's constants.

    Raises:
        ValueError: if a constant is out of range.
    """
    agent = config.scheme == "lydroo"  # which alone looks at the state
    return QueueingMEC(
        weights=weights,
        channel=RecordedChannel(gains),
        arrivals=RecordedArrivals(arrivals),
        parameters=QueueingParameters(
            tradeoff=config.tradeoff,
            energy_budget=config.energy_budget,
            max_power=config.max_power,
            bandwidth=config.bandwidth,
        ),
        features=(agent and config.features) or ("gain",),
        allocation="myopic" if config.scheme == "myopic" else "lyapunov",
    )


def make_frames(config: LyDROOConfig) -> tuple[Floats, Floats, Floats]:
    """Return channel gains `[T, N]`, arrivals `[T, N]` in Mbit, and weights `[N]`.

    Of the streams that the seed spawns, channel, agent and arrivals have one each.

    Raises:
        ValueError: if the data file is damaged, frames are too few to judge their stability or more
            than recorded, or numbers of devices do not agree.
        FileNotFoundError: if there is no such data file.
    """
    num_devices = config.num_devices
    if config.frames is not None and config.frames < stability.LEAST_FRAMES:
        raise ValueError(f"frames must be at least {stability.LEAST_FRAMES}, got {config.frames}")
    if config.data is not None:
        gains, arrivals = read_recording(config.data)
        frames = config.frames or len(gains)
        if frames > len(gains):
            raise ValueError(f"frames must be at most {len(gains)} as recorded, got {frames}")
        gains, arrivals = gains[:frames], arrivals[:frames]
        if num_devices not in (None, gains.shape[1]):
            raise ValueError(f"num_devices must be {gains.shape[1]} as recorded, got {num_devices}")
        num_devices = gains.shape[1]
    num_devices = num_devices or (10 if config.weights is None else len(config.weights))
    weights = default_queueing_weights(num_devices)
    if config.weights is not None:
        weights = np.array(config.weights)
        if len(weights) != num_devices:
            raise ValueError(
                f"weights must be as many as devices, {num_devices}, got {len(weights)}"
            )
    if config.data is None:
        gains, arrivals = generate(config, num_devices)
    return gains, arrivals, weights


def generate(config: LyDROOConfig, num_devices: int) -> tuple[Floats, Floats]:
    """Return generated channel gains and arrivals `[T, N]`."""
    for_channel, _, for_arrivals = np.random.SeedSequence(config.seed).spawn(3)
    average = default_queueing_channel(num_devices).average_gain
    channel = BlockFading(average, config.line_of_sight, config.correlation)
    mean = np.full(num_devices, config.arrival_rate)
    kind = {"exponential": ExponentialArrivals, "poisson": PoissonBatches}[config.arrivals]
    frames = config.frames or FRAMES
    return (
        channel.sample(np.random.default_rng(for_channel), frames),
        kind(mean).sample(np.random.default_rng(for_arrivals), frames),
    )


def build(config: LyDROOConfig, num_devices: int) -> DROO:
    """Return an agent that plays frames with these settings.

    Raises:
        ValueError: if a setting is out of range.
    """
    agent = build_agent(config, num_devices, agent_seed(config.seed), config.training_interval)
    return DROO(
        agent,
        mode=config.quantizer or "OP",
        num_candidates=config.num_candidates,
        adapt_every=config.adapt_every,
        refine_every=config.refine_every or None,
        refine_from_local=bool(config.refine_every),
        learn_when_wrong=bool(config.learn_when_wrong),
    )


class Step(NamedTuple):
    """What one frame came to.

    Attributes:
        before: gains, data queues and energy queues at its start, `[N]` each.
        choice: the decision and what is known of it.
        k: K when the frame began, 0 without an agent.
        cost: the training loss if a training step fell in this frame, else None.
        info: what the environment tells of the frame carried out.
        decision_us: how long the decision took, the training step included, in microseconds.
    """

    before: tuple[Floats, Floats, Floats]
    choice: Choice
    k: int
    cost: float | None
    info: dict[str, Any]
    decision_us: float


def play(
    env: QueueingMEC, decider: DROO | Scheme, frames: int, energy_reserve: float = 0.0
) -> Iterator[Step]:
    """Yield the frames that an agent, or a scheme, plays in an environment, which is reset first.

    The energy queues begin with `energy_reserve`, J.
    """
    reserve = np.full(env.num_devices, env.parameters.energy_queue_scale * energy_reserve)
    env.reset(options={"energy_queue": reserve})
    for _ in range(frames):
        before = env.gain, env.data_queue, env.energy_queue
        k, cost, start = 0, None, time.perf_counter_ns()
        if isinstance(decider, DROO):
            k, updates = decider.k, decider.agent.updates
            choice = decider.decide(env.state, env.score, env.climb)
            cost = decider.agent.cost if decider.agent.updates > updates else None
        else:
            choice = Choice(decider(env), math.nan, 0, 0, math.nan)
        decision_us = (time.perf_counter_ns() - start) / 1000
        *_, info = env.step(choice.decision)
        yield Step(before, choice, k, cost, info, decision_us)


def record(
    env: QueueingMEC,
    decider: DROO | Scheme,
    frames: int,
    energy_reserve: float = 0.0,
    *,
    progress: bool,
) -> tuple[QueueingHistory, dict[str, float]]:
    """Play frames; return them, and how long they took, compilation not included.

    Args:
        env: the environment.
        decider: an agent, or a scheme.
        frames: how many to play.
        energy_reserve: as in `LyDROOConfig`, J.
        progress: whether to show a progress bar, on a terminal.
    """
    for _ in play(env, copy.deepcopy(decider), min(frames, 2)):
        pass  # all is compiled afterwards
    gain, data_queue, energy_queue, arrival, rate, energy = np.empty((6, frames, env.num_devices))
    decision = np.empty((frames, env.num_devices), dtype=np.int64)
    own, decision_us = np.empty((2, frames))
    k, best_candidate, scored = np.zeros((3, frames), dtype=np.int64)
    costs = []
    start = time.perf_counter()
    steps = with_progress(play(env, decider, frames, energy_reserve), frames, progress=progress)
    for t, (before, choice, k[t], cost, info, decision_us[t]) in enumerate(steps):
        gain[t], data_queue[t], energy_queue[t] = before
        arrival[t], rate[t], energy[t] = info["arrival"], info["rate"], info["energy"]
        decision[t], own[t], scored[t] = choice.decision, choice.own_reward, choice.num_candidates
        best_candidate[t] = choice.candidate
        if cost is not None:
            costs.append((t + 1, cost))
    seconds = time.perf_counter() - start
    critic = QueueingCritic(env.weights, env.parameters)
    objective = objective_of(critic, data_queue, energy_queue, rate, energy)
    cost_frame, cost_of = np.array(costs).reshape(-1, 2).T
    history = QueueingHistory(
        gain=gain,
        arrival=arrival,
        data_queue=data_queue,
        energy_queue=energy_queue,
        decision=decision,
        rate=rate,
        energy=energy,
        objective=objective,
        own_objective=np.where(np.isnan(own), objective, own),
        optimal_objective=optima(critic, gain, data_queue, energy_queue),
        k=k,
        best_candidate=best_candidate,
        scored=scored,
        cost_frame=cost_frame.astype(np.int64),
        cost=cost_of,
    )
    return history, timing_of(seconds, decision_us)


def objective_of(
    critic: QueueingCritic, data_queue: Floats, energy_queue: Floats, rate: Floats, energy: Floats
) -> Floats:
    """Return the drift plus penalty `[T]` of frames `[T, N]`, as it was carried out."""
    worth = data_queue + critic.parameters.tradeoff * critic.weights
    price = critic.parameters.energy_price * energy_queue
    objective: Floats = (worth * rate - price * energy).sum(axis=1)
    return objective


def optima(
    critic: QueueingCritic, gain: Floats, data_queue: Floats, energy_queue: Floats
) -> Floats:
    """Return an upper bound of the objective of each frame `[T]`, tight but for 1e-11 of it."""
    frames = (
        QueueingFrame(critic, *frame) for frame in zip(gain, data_queue, energy_queue, strict=True)
    )
    return np.array([certified_lyapunov_optimum(frame).upper_bound for frame in frames])


def with_progress(
    steps: Iterator[Step], frames: int, *, progress: bool, every: int = 200
) -> Iterator[Step]:
    """Pass frames on, under a progress bar with the last one's mean queue, K and loss."""
    loss = math.nan
    with tqdm(total=frames, unit="frame", disable=None if progress else True) as bar:
        for number, step in enumerate(steps, 1):
            loss = loss if step.cost is None else step.cost
            if number % every == 0 or number == frames:
                queue = step.before[1].mean()
                bar.set_postfix(queue=f"{queue:.1f}", K=step.k, loss=f"{loss:.4f}", refresh=False)
                bar.update(number - bar.n)
            yield step


def warning(summary: Mapping[str, Any]) -> str:
    """Return what to say of a run whose queues are not all stable."""
    if summary["stability"] == "undecided":
        return (
            f"WARNING: the run has not converged: whether {summary['undecided_queues']} of its "
            "queues are stable cannot be told; run more --frames"
        )
    return (
        f"WARNING: {summary['unstable_data_queues']} data queues and "
        f"{summary['unstable_energy_queues']} energy queues grow without end"
    )


def print_summary(summary: Mapping[str, Any]) -> None:
    """Print a run's summary as a short table."""
    drift, low, high = (summary[f"data_queue_drift{end}"] for end in ("", "_low", "_high"))
    rows = {
        "Devices N": summary["num_devices"],
        "Frames": f"{summary['frames']:,}",
        "Queues": summary["stability"],
        "Drift of the mean queue, last half": f"{drift:.4f} [{low:.4f}, {high:.4f}] Mbit a frame",
        "Mean data queue, last half (peak)": (
            f"{summary['steady_data_queue']:.2f} ({summary['peak_data_queue']:.2f}) Mbit"
        ),
        "Mean energy (largest of a device)": (
            f"{summary['mean_energy']:.4f} ({summary['largest_mean_energy']:.4f}) J a frame"
        ),
        "Frames in which the budgets held": f"{summary['energy_budget_held']:.1%}",
        "Objective over optimum": f"{summary['normalized_objective']:.6f}",
        "Own decision alone, last fifth": f"{summary['own_normalized_objective_test']:.6f}",
        "Decisions scored per frame": f"{summary['mean_scored']:.2f}",
        "Mean number of candidates K": f"{summary['mean_k']:.2f}",
        "Time": f"{summary['seconds']:.1f} s, {summary['microseconds_per_frame']:.0f} us a frame",
        "Decision and learning, p50 / p99": (
            f"{summary['decision_us_p50']:.0f} / {summary['decision_us_p99']:.0f} us"
        ),
    }
    for name, value in rows.items():
        print(f"{name:41}{value}")


if __name__ == "__main__":
    run_module(LyDROOConfig, main)
