"""The main experiment: DROO online on wireless powered MEC.

`python -m experiments.droo --help` lists its settings.
"""

import itertools
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from agent import DROO, MemoryDNN
from env import WPMECCritic, WPMECFrame
from env.schemes import certified_optima
from experiments.cli import run_module
from experiments.configs import AgentConfig, DROOConfig, PolicyConfig, resolve
from experiments.loops import event_log
from experiments.loops.event_log import EventLog
from experiments.problems.wpmec.frame_kernels import Columns
from experiments.problems.wpmec.frame_loop import (
    Played,
    compile_frames,
    new_columns,
    play,
    time_all,
)
from experiments.problems.wpmec.frames import EVENTS, frames_of_run
from experiments.runs import figures, results
from experiments.runs.provenance import provenance
from experiments.runs.results import History
from experiments.studies.statistics import print_rows

Floats = NDArray[np.float64]

EXPERIMENT = "droo"


def main(config: DROOConfig) -> None:
    """Run the experiment, save it, and print what came of it."""
    event_log.announce(config.curves)
    folder = run(config)
    print_summary(results.load_summary(folder))
    print(f"\nSaved in {folder}")


def run(config: DROOConfig, *, progress: bool = True, draw: bool = True) -> Path:
    """Run the experiment and return the folder that it is saved in.

    Args:
        config: its settings.
        progress: whether to show a progress bar, on a terminal.
        draw: whether to draw the run's figures into the folder.

    Raises:
        ValueError: if a setting is out of range, or the data file damaged or without gains.
        FileNotFoundError: if there is no such data file.
        MissingExtraError: if `tensorboard` is set and not installed.
    """
    config = resolve(config)
    event_log.check(config.curves)
    task = prepare(config, progress=progress)
    played = task.droo, task.gains, task.weights_from, task.optimal_rate
    with event_log.opened(config.curves, task.came_from, task.gains.shape[1]) as log:
        history, timing = record(*played, progress=progress, log=log)
        folder = save(task, history, timing, draw=draw)
        if log is not None:
            log.finish(folder)
    return folder


class Task(NamedTuple):
    """A run, ready to be played.

    Attributes:
        config: its settings.
        came_from: what `provenance` returned.
        droo: the agent.
        gains: channel gains `[T, N]`.
        weights_from: the weights `[N]` from each frame on at which they change.
        test_frames: how many frames at the end are the test.
        optimal_rate: a certified bound of each frame's rate `[T]`, bit/s.
        certificate: what else `certify` returned.
    """

    config: DROOConfig
    came_from: dict[str, Any]
    droo: DROO
    gains: Floats
    weights_from: dict[int, Floats]
    test_frames: int
    optimal_rate: Floats
    certificate: dict[str, float]


def prepare(config: DROOConfig, *, progress: bool) -> Task:
    """Return a run's agent and frames; the errors are those of `run`."""
    config = resolve(config)
    came_from = provenance(config)
    torch.set_num_threads(1)  # on networks of this size a second thread only costs
    gains, weights_from, test_frames = frames_of_run(config)
    droo = build(config, gains.shape[1], agent_seed(config.seed))
    optimal_rate, certificate = certify(
        gains, weights_from, config.optimum_time_limit, progress=progress
    )
    return Task(
        config, came_from, droo, gains, weights_from, test_frames, optimal_rate, certificate
    )


def save(task: Task, history: History, timing: Mapping[str, float], *, draw: bool) -> Path:
    """Save a run that was played, and return its folder."""
    config, agent = task.config, task.droo.agent
    changes = [at * len(task.gains) // 100 for at in EVENTS[config.scenario]]
    summary = results.summarize(history, task.test_frames, changes)
    summary |= {"seed": config.seed, "parameters": agent.num_parameters}
    summary |= {**task.certificate, **timing}

    def write_more(folder: Path) -> None:
        task.droo.save(folder / "checkpoint.safetensors")
        if draw:
            figures.save_figures({"DROO": history}, folder)

    return results.save(config.results / EXPERIMENT, task.came_from, history, summary, write_more)


def agent_seed(seed: int) -> np.random.SeedSequence:
    """Return the agent's stream of a run's seed; the first stream is the channel's."""
    _, for_agent = np.random.SeedSequence(seed).spawn(2)
    return for_agent


def build(config: DROOConfig, num_devices: int, seed: np.random.SeedSequence) -> DROO:
    """Return an agent that plays frames with these settings.

    Raises:
        ValueError: if a setting is out of range, or `warm_start` holds no policy that fits.
        FileNotFoundError: if there is no such file.
    """
    config = resolve(config)
    agent = build_agent(config, num_devices, seed, config.training_interval)
    if config.warm_start is not None:
        agent.start_from(MemoryDNN.load(config.warm_start))
    return build_droo(config, agent)


def build_droo(config: AgentConfig, agent: MemoryDNN) -> DROO:
    """Return what plays frames with an agent and these settings.

    Raises:
        ValueError: if a setting is out of range.
    """
    config = resolve(config)
    assert config.quantizer is not None
    return DROO(
        agent,
        mode=config.quantizer,
        num_candidates=config.num_candidates,
        adapt_every=config.adapt_every,
        refine_every=config.refine_every or None,
        refine_from_local=bool(config.refine_from_local),
        learn_when_wrong=bool(config.learn_when_wrong),
    )


def build_agent(
    config: PolicyConfig,
    num_devices: int,
    seed: np.random.SeedSequence,
    training_interval: int = 10,
) -> MemoryDNN:
    """Return an agent with these settings.

    Raises:
        ValueError: if a setting is out of range.
    """
    config = resolve(config)
    assert config.features is not None
    assert config.hidden is not None
    assert config.policy is not None
    return MemoryDNN(
        [len(config.features) * num_devices, *config.hidden, num_devices],
        config.learning_rate,
        training_interval,
        config.batch_size,
        config.memory_size,
        policy=config.policy,
        features=config.features,
        loss=config.loss,
        rebuild_optimizer=config.rebuild_optimizer,
        seed=seed,
    )


def certify(
    gains: Floats, weights_from: Mapping[int, Floats], time_limit: float, *, progress: bool
) -> tuple[Floats, dict[str, float]]:
    """Return a certified bound `[T]` of each frame's rate, bit/s; and the largest gap, and seconds.

    Args:
        gains: channel gains `[T, N]`.
        weights_from: the weights `[N]` from each frame on at which they change.
        time_limit: seconds after which to stop at a wider gap, for each frame.
        progress: whether to show a progress bar, on a terminal.
    """
    start = time.perf_counter()
    frames = []
    for first, end in itertools.pairwise([*weights_from, len(gains)]):
        critic = WPMECCritic(weights_from[first])
        frames += [WPMECFrame(critic, gain) for gain in gains[first:end]]
    optima = certified_optima(
        frames, time_limit=time_limit, description="optimum of every frame" if progress else None
    )
    bounds = np.array([optimum.upper_bound for optimum in optima])
    largest_gap = max(optimum.gap for optimum in optima)
    return bounds, {
        "optimum_gap": largest_gap,
        "optimum_seconds": time.perf_counter() - start,
    }


def record(
    droo: DROO,
    gains: Floats,
    weights_from: Mapping[int, Floats],
    optimal_rate: Floats,
    *,
    progress: bool,
    log: EventLog | None = None,
) -> tuple[History, dict[str, float]]:
    """Play frames; return them, and how long they took, compilation not included.

    Args:
        droo: the agent.
        gains: channel gains `[T, N]`.
        weights_from: the weights `[N]` from each frame on at which they change.
        optimal_rate: of each frame `[T]`, bit/s.
        progress: whether to show a progress bar, on a terminal.
        log: where its curves go, if anywhere.
    """
    columns = new_columns(*gains.shape)
    compile_frames(droo, gains, weights_from[0])
    playing = play(droo, gains, weights_from, columns)
    if log is not None:
        means = partial(means_of, columns=columns, optimal_rate=optimal_rate)
        playing = log.follow(playing, len(gains), means)
    timed = time_all(
        with_progress(playing, columns, optimal_rate, progress=progress), 1, len(gains)
    )
    history = history_of(columns, optimal_rate, timed.costs[0])
    return history, timing_of(timed.seconds, timed.decision_us)


def history_of(
    columns: Columns, optimal_rate: Floats, costs: Sequence[tuple[int, float]]
) -> History:
    """Return a run; `costs` are the frames of its training steps, from 1, and their losses."""
    cost_frame, cost = results.cost_columns(costs)
    return History(
        **columns._asdict(),
        optimal_rate=optimal_rate,
        cost_frame=cost_frame,
        cost=cost,
    )


def timing_of(seconds: float, decision_us: Floats) -> dict[str, float]:
    """Return a summary's times, from all seconds of a run and each frame's decision `[T]`."""
    return {
        "seconds": seconds,
        "microseconds_per_frame": seconds / len(decision_us) * 1e6,
        "decision_us_p50": float(np.percentile(decision_us, 50)),
        "decision_us_p99": float(np.percentile(decision_us, 99)),
    }


def with_progress(
    frames: Iterable[Played],
    columns: Columns,
    optimal_rate: Floats,
    *,
    progress: bool,
    every: int = 500,
) -> Iterator[Played]:
    """Pass frames on, under a progress bar with the last ones' normalized rate, K and loss."""
    loss = math.nan
    with tqdm(total=len(optimal_rate), unit="frame", disable=no_bar(progress)) as bar:
        for played in frames:
            if played.costs[0]:
                _, loss = played.costs[0][-1]
            if played.frames - bar.n >= every or played.frames == len(optimal_rate):
                new = slice(bar.n, played.frames)
                rate = columns.rate[new].sum() / (optimal_rate[new].sum() or 1)
                k = columns.k[played.frames - 1]
                bar.set_postfix(rate=f"{rate:.4f}", K=k, loss=f"{loss:.4f}", refresh=False)
                bar.update(played.frames - bar.n)
            yield played


def means_of(
    block: Sequence[Played], frames: slice, columns: Columns, optimal_rate: Floats
) -> dict[str, float]:
    """Return the means over some frames of what frames.csv and cost.csv will hold."""
    optimal = optimal_rate[frames]
    means = {
        "normalized_rate": results.normalized(columns.rate[frames], optimal).mean(),
        "own_normalized_rate": results.normalized(columns.own_rate[frames], optimal).mean(),
        "k": columns.k[frames].mean(),
        "scored": columns.scored[frames].mean(),
    }
    losses = [loss for played in block for _, loss in played.costs[0]]
    return means | ({"cost": np.mean(losses)} if losses else {})


def no_bar(progress: bool) -> bool | None:
    """Return what tqdm wants as `disable`: None, no bar where the output is not a terminal."""
    return None if progress else True


def print_summary(summary: dict[str, Any]) -> None:
    """Print a run's summary as a short table."""
    never = "not reached"
    rows = {
        "Devices N": summary["num_devices"],
        "Frames (of them test frames)": f"{summary['frames']:,} ({summary['test_frames']:,})",
        "Normalized rate, test frames": f"{summary['normalized_rate_test']:.6f}",
        "Optimal decisions, test frames": f"{summary['optimal_decision_fraction_test']:.2%}",
        "Frames until 0.99 / 0.999 (mean of 200)": (
            f"{summary['frames_to_0_99'] or never} / {summary['frames_to_0_999'] or never}"
        ),
        "Own decision alone, test frames": f"{summary['own_normalized_rate_test']:.6f}",
        "Candidates scored per frame": f"{summary['mean_scored']:.2f}",
        "Mean number of candidates K": f"{summary['mean_k']:.2f}",
        "Time": f"{summary['seconds']:.1f} s, {summary['microseconds_per_frame']:.0f} us a frame",
        "Decision and learning, p50 / p99": (
            f"{summary['decision_us_p50']:.0f} / {summary['decision_us_p99']:.0f} us"
        ),
    }
    print_rows(rows)


if __name__ == "__main__":
    run_module(DROOConfig, main)
