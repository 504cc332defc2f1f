"""LyDROO online on MEC with queues, or another scheme on its frames.

`python -m experiments.lydroo --help` lists its settings.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from agent import DROO
from env import QueueingMEC
from env.schemes import all_local, all_offloading, coordinate_descent, lyapunov_optimum
from experiments.cli import run_module
from experiments.configs import LyDROOConfig, resolve
from experiments.droo import agent_seed, build_agent, build_droo
from experiments.loops import event_log
from experiments.problems.queueing import figures as queueing_figures
from experiments.problems.queueing import history as queueing_history
from experiments.problems.queueing import stability
from experiments.problems.queueing.frames import make_env, make_frames
from experiments.problems.queueing.history import QueueingHistory
from experiments.problems.queueing.loop import Scheme, record
from experiments.runs import results
from experiments.runs.provenance import provenance
from experiments.studies.statistics import print_rows

EXPERIMENT = "lydroo"
SCHEMES: Mapping[str, Scheme] = {
    "exact": lyapunov_optimum,
    "lycd": lambda env: env.climb(all_local(env)).decision,
    "myopic": coordinate_descent,
    "all-local": all_local,
    "all-offloading": all_offloading,
}


def main(config: LyDROOConfig) -> None:
    """Run the experiment, save it, and print what came of it."""
    event_log.announce(config.curves)
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
        draw: whether to draw the run's figure into the folder.

    Raises:
        ValueError: if a setting is out of range, or the data file damaged or without arrivals.
        FileNotFoundError: if there is no such data file.
        MissingExtraError: if `tensorboard` is set and not installed.
    """
    config = resolve(config)
    event_log.check(config.curves)
    came_from = provenance(config)
    env, decider, frames = prepare(config)
    with event_log.opened(config.curves, came_from, env.num_devices) as log:
        history, timing = record(
            env, decider, frames, config.energy_reserve, progress=progress, log=log
        )
        folder = save(config, came_from, env, decider, history, timing, draw=draw)
        if log is not None:
            log.finish(folder)
    return folder


def save(
    config: LyDROOConfig,
    came_from: dict[str, Any],
    env: QueueingMEC,
    decider: DROO | Scheme,
    history: QueueingHistory,
    timing: dict[str, float],
    *,
    draw: bool,
) -> Path:
    """Save a run that was played, and return its folder."""
    lyapunov = config.scheme != "myopic"
    summary = queueing_history.summarize(history, lyapunov=lyapunov)
    summary |= {"seed": config.seed, "scheme": config.scheme}
    summary |= stability.report(history, env.parameters, virtual=lyapunov) | timing
    agent = decider.agent if isinstance(decider, DROO) else None
    summary["parameters"] = None if agent is None else agent.num_parameters

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
    env = make_env(config, gains, arrivals, weights)
    if config.scheme != "lydroo":
        return env, SCHEMES[config.scheme], len(gains)
    agent = build_agent(config, len(weights), agent_seed(config.seed), config.training_interval)
    return env, build_droo(config, agent), len(gains)


def warning(summary: Mapping[str, Any]) -> str:
    """Return what to say of a run whose queues are not all stable."""
    if summary["stability"] == "undecided":
        return (
            f"WARNING: the run has not converged: whether {summary['undecided_queues']} of its "
            "queues are stable cannot be told; run more --frames"
        )
    return (
        f"WARNING: queues grew through the last half of the run, {summary['unstable_data_queues']} "
        f"of data and {summary['unstable_energy_queues']} of energy: "
        "they are unstable, or the agent has not learned enough yet"
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
    }
    if summary["normalized_objective"] is not None:
        rows["Objective over optimum"] = f"{summary['normalized_objective']:.6f}"
    if summary["parameters"] is not None:
        rows |= {
            "Own decision alone, last fifth": f"{summary['own_normalized_objective_test']:.6f}",
            "Decisions scored per frame": f"{summary['mean_scored']:.2f}",
            "Mean number of candidates K": f"{summary['mean_k']:.2f}",
        }
    rows |= {
        "Time": f"{summary['seconds']:.1f} s, {summary['microseconds_per_frame']:.0f} us a frame",
        "Decision and learning, p50 / p99": (
            f"{summary['decision_us_p50']:.0f} / {summary['decision_us_p99']:.0f} us"
        ),
    }
    print_rows(rows)


if __name__ == "__main__":
    run_module(LyDROOConfig, main)
