"""The main experiment: DROO online on wireless powered MEC.

`python -m experiments.droo --help` lists its settings.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from agent import DROO, MemoryDNN
from env import BlockFading, RecordedChannel, WirelessPoweredMEC, linear_placement, path_loss_gain
from env.datasets import read_gains
from env.schemes.exact import threshold_enumeration
from experiments import plots, results
from experiments.cli import run_module
from experiments.configs import DROOConfig
from experiments.results import History
from experiments.simulation import simulate

Floats = NDArray[np.float64]

EXPERIMENT = "droo"
TEST_FRACTION = 0.2


def main(config: DROOConfig) -> None:
    """Run the experiment, save it, and print what came of it."""
    folder = run(config)
    print_summary(results.load_summary(folder))
    print(f"\nSaved in {folder}")


def run(config: DROOConfig, *, progress: bool = True) -> Path:
    """Run the experiment and return the folder that it is saved in.

    Raises:
        ValueError: if a setting is out of range, or the data file damaged or without gains.
        FileNotFoundError: if there is no such data file.
    """
    provenance = results.provenance(config)
    torch.set_num_threads(1)  # on networks of this size a second thread only costs
    for_channel, for_agent = np.random.SeedSequence(config.seed).spawn(2)
    gains, test_frames = make_frames(config, np.random.default_rng(for_channel))
    num_devices = gains.shape[1]

    env = WirelessPoweredMEC(channel=RecordedChannel(gains))
    droo = DROO(
        MemoryDNN(
            [num_devices, *config.hidden, num_devices],
            config.learning_rate,
            config.training_interval,
            config.batch_size,
            config.memory_size,
            rebuild_optimizer=config.rebuild_optimizer,
            seed=for_agent,
        ),
        mode=config.quantizer,
        num_candidates=config.num_candidates,
        adapt_every=config.adapt_every,
    )
    history, timing = record(droo, env, gains, progress=progress)
    summary = results.summarize(history, test_frames) | {"seed": config.seed} | timing

    def write_more(folder: Path) -> None:
        droo.save(folder / "checkpoint.safetensors")
        plots.save_figures({"DROO": history}, folder)

    return results.save(config.results / EXPERIMENT, provenance, history, summary, write_more)


def make_frames(config: DROOConfig, rng: np.random.Generator) -> tuple[Floats, int]:
    """Return the channel gains `[T, N]` of a run, and how many frames at its end are the test.

    Recorded frames are split 80:20 as published: a run trains on the first part, as often as it
    takes, and ends with the second.

    Raises:
        ValueError: if the data file is damaged, or does not have `num_devices` devices.
        FileNotFoundError: if there is no such data file.
    """
    test_frames = config.frames - int((1 - TEST_FRACTION) * config.frames)
    if config.data is None:
        average_gain = path_loss_gain(linear_placement(config.num_devices or 10))
        channel = BlockFading(average_gain, config.line_of_sight, config.correlation)
        return channel.sample(rng, config.frames), test_frames

    recorded = read_gains(config.data)
    recorded_devices = recorded.shape[1]
    if config.num_devices not in (None, recorded_devices):
        raise ValueError(
            f"num_devices must be {recorded_devices} as in {config.data}, got {config.num_devices}"
        )
    split = int((1 - TEST_FRACTION) * len(recorded))
    if split < 1:
        raise ValueError(f"data must hold at least 2 frames, got {len(recorded)} in {config.data}")
    test_frames = min(test_frames, len(recorded) - split)
    training = np.arange(config.frames - test_frames) % split
    return recorded[np.concatenate([training, split + np.arange(test_frames)])], test_frames


def record(
    droo: DROO, env: WirelessPoweredMEC, gains: Floats, *, progress: bool
) -> tuple[History, dict[str, Any]]:
    """Simulate as many frames as there are gains; return them, and how long they took.

    The critic is compiled and the optimum of every frame computed before the clock starts.
    """
    num_frames, num_devices = gains.shape
    no_bar = None if progress else True  # None: none where the output is not a terminal
    start = time.perf_counter()
    chunks = np.array_split(gains, -(-num_frames // 500))
    optimal_rate = np.concatenate(
        [
            threshold_enumeration(env.critic, chunk)[1]
            for chunk in tqdm(chunks, "optimum of every frame", leave=False, disable=no_bar)
        ]
    )
    optimum_seconds = time.perf_counter() - start
    everyone_local = np.zeros((1, num_devices), dtype=np.int64)
    env.critic.score(gains[0], everyone_local)
    env.critic.allocate(gains[0], everyone_local[0])

    rate, decision_us = np.empty(num_frames), np.empty(num_frames)
    num_candidates = np.empty(num_frames, dtype=np.int64)
    best_candidate = np.empty(num_frames, dtype=np.int64)
    decision = np.empty((num_frames, num_devices), dtype=np.int64)
    costs: list[tuple[int, float]] = []

    start = time.perf_counter()
    with tqdm(total=num_frames, unit="frame", disable=no_bar) as bar:
        for t, frame in enumerate(simulate(droo, env, num_frames)):
            rate[t], decision_us[t] = frame.reward, frame.decision_us
            num_candidates[t], best_candidate[t] = frame.num_candidates, frame.choice.candidate
            decision[t] = frame.choice.decision
            if frame.cost is not None:
                costs.append((t + 1, frame.cost))
            if (t + 1) % 500 == 0 or t + 1 == num_frames:
                recent = slice(max(0, t - 499), t + 1)
                bar.set_postfix(
                    rate=f"{rate[recent].sum() / (optimal_rate[recent].sum() or 1):.4f}",
                    K=frame.num_candidates,
                    loss=f"{costs[-1][1]:.4f}" if costs else "-",
                    refresh=False,
                )
                bar.update(t + 1 - bar.n)
    seconds = time.perf_counter() - start

    history = History(
        rate=rate,
        optimal_rate=optimal_rate,
        num_candidates=num_candidates,
        best_candidate=best_candidate,
        decision=decision,
        cost_frame=np.array([t for t, _ in costs], dtype=np.int64),
        cost=np.array([cost for _, cost in costs], dtype=np.float64),
    )
    timing = {
        "seconds": seconds,
        "microseconds_per_frame": seconds / num_frames * 1e6,
        "decision_us_p50": float(np.percentile(decision_us, 50)),
        "decision_us_p99": float(np.percentile(decision_us, 99)),
        "optimum_seconds": optimum_seconds,
    }
    return history, timing


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
        "Mean number of candidates K": f"{summary['mean_k']:.2f}",
        "Time": f"{summary['seconds']:.1f} s, {summary['microseconds_per_frame']:.0f} us a frame",
        "Decision and learning, p50 / p99": (
            f"{summary['decision_us_p50']:.0f} / {summary['decision_us_p99']:.0f} us"
        ),
    }
    sys.stdout.write("".join(f"{name:41}{value}\n" for name, value in rows.items()))


if __name__ == "__main__":
    run_module(DROOConfig)
