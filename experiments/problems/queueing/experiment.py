"""LyDROO online on MEC with queues, or another scheme on the same frames."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, cast

import torch

from agent import DROO
from droo_core.arrays import Floats
from env import Climbable, QueueingCritic, QueueingMEC
from env.schemes import (
    Scheme,
    all_local,
    all_offloading,
    certify_lyapunov_frames,
    coordinate_descent,
    lyapunov_optimum,
)
from experiments.configs import LyDROOConfig
from experiments.problems.experiment import (
    Experiment,
    Task,
    agent_seed,
    build_agent,
    build_droo,
)
from experiments.problems.queueing import stability
from experiments.problems.queueing.compiled import CompiledQueueing
from experiments.problems.queueing.frames import make_env, make_frames
from experiments.problems.queueing.schema import SCHEMA
from experiments.runs.cells import Cell, Summaries, interval_of, mean_of, most_of, shortfall_of
from experiments.runs.table import Table

MAX_NODES = 10_000  # of the search for a frame's optimum: a few milliseconds
MYOPIC = "myopic"
SCHEMES: Mapping[str, Scheme] = {
    "exact": lyapunov_optimum,
    "lycd": lambda frame: cast(Climbable, frame).climb(all_local(frame))[0],
    MYOPIC: coordinate_descent,
    "all-local": all_local,
    "all-offloading": all_offloading,
}


@dataclass(eq=False)
class QueueingTask(Task[LyDROOConfig]):
    """A run whose channel gains and arrivals are known in advance.

    Attributes:
        gains: channel gains `[T, N]`, the recording that `problem` plays.
        arrivals: arrivals `[T, N]`, Mbit.
    """

    problem: QueueingMEC
    _: KW_ONLY
    gains: Floats
    arrivals: Floats

    def compiled(self) -> CompiledQueueing | None:
        """Return the frames for the compiled loop; it does not know the myopic allocation."""
        critic, frames = self.problem.critic, slice(self.num_frames)
        if not isinstance(critic, QueueingCritic):
            return None
        energy_queue = (self.options or {})["energy_queue"]
        return CompiledQueueing(
            critic,
            self.gains[frames],
            self.arrivals[frames],
            energy_queue,
            own_climb=self.climb is not None,
        )


def stable_runs(runs: Summaries) -> str:
    """Return the number of runs whose queues are all stable, as text."""
    verdicts = [run["stability"] for run in runs]
    undecided = verdicts.count("undecided")
    doubt = f" ({undecided} undecided)" if undecided else ""
    return f"{verdicts.count('stable')} of {len(verdicts)}{doubt}"


def of_lyapunov(cell: Cell) -> Cell:
    """Return a cell without the runs of the myopic scheme, which ignores the energy queues."""
    return lambda runs: cell([run for run in runs if run["scheme"] != MYOPIC])


class QueueingExperiment(Experiment[LyDROOConfig]):
    """LyDROO or a scheme on MEC with queues."""

    name = "lydroo"
    title = "LyDROO"
    config = LyDROOConfig
    schema = SCHEMA
    key_figures = (
        ("queue, last half", interval_of("steady_data_queue", "{:.4g}")),
        ("energy queue", of_lyapunov(mean_of("steady_energy_queue", "{:.0f}"))),
        ("energy (largest)", most_of("largest_mean_energy", "{:.4f}")),
        ("stable runs", stable_runs),
        ("1 - objective", shortfall_of("normalized_objective")),
        ("scored", mean_of("mean_scored", "{:.1f}")),
        ("us per frame", mean_of("microseconds_per_frame", "{:.0f}")),
    )

    def learns(self, config: LyDROOConfig) -> bool:
        """Whether an agent decides in a run with these settings, not a scheme."""
        return config.scheme == self.name

    def prepare(self, config: LyDROOConfig) -> Task[LyDROOConfig]:
        """Return a run's environment and its decider."""
        torch.set_num_threads(1)  # more threads slow down networks of this size
        frames = make_frames(config)
        env, options = make_env(config, *frames)
        decider: DROO | Scheme
        if self.learns(config):
            seed = agent_seed(config.seed)
            agent = build_agent(config, env.num_devices, seed, config.training_interval)
            decider = build_droo(config, agent)
        else:
            decider = SCHEMES[config.scheme]
        gains, arrivals, _ = frames
        return QueueingTask(
            config,
            decider,
            env,
            len(gains),
            test_frames=max(1, len(gains) // 5),
            options=options,
            climb=env.climb,
            constants={"weights": env.weights, "parameters": env.parameters},
            facts={"scheme": config.scheme},
            gains=gains,
            arrivals=arrivals,
        )

    def complete(self, task: Task[LyDROOConfig], table: Table) -> None:  # noqa: ARG002
        """Set the optimum of each frame, given the queues that the run itself led to."""
        critic = QueueingCritic(table.constants["weights"], table.constants["parameters"])
        frames = (table[name] for name in ("gain", "data_queue", "energy_queue"))
        optima = certify_lyapunov_frames(critic, *frames, max_nodes=MAX_NODES)
        table.columns["optimal_objective"] = optima.upper_bounds

    def summarize(self, task: Task[LyDROOConfig], table: Table) -> dict[str, Any]:
        """Return the key figures of queues, energy and objective, and whether queues are stable.

        The second half of the frames is taken as the steady state.
        """
        lyapunov = task.config.scheme != MYOPIC  # the myopic scheme has another objective
        steady, weights = slice(len(table) // 2, None), table.constants["weights"]
        queue = table.per_frame("data_queue")
        found = super().summarize(task, table)
        found["normalized_objective"] = float(table.normalized.mean())
        if not lyapunov:
            of_objective = [name for name in found if "objective" in name or "frames_to" in name]
            found |= dict.fromkeys((*of_objective, "optimal_decision_fraction_test"))
        return {
            **found,
            "steady_data_queue": float(queue[steady].mean()),
            "peak_data_queue": float(queue.max()),
            "steady_energy_queue": float(table["energy_queue"][steady].mean()),
            "mean_energy": float(table["energy"].mean()),
            "steady_weighted_rate": float((table["rate"][steady] @ weights).mean()),
            "steady_weighted_arrival": float((table["arrival"][steady] @ weights).mean()),
            **stability.report(table, table.constants["parameters"], virtual=lyapunov),
        }

    def rows(self, summary: Mapping[str, Any]) -> dict[str, object]:
        """Return the lines of a run's summary."""
        drift, low, high = (summary[f"data_queue_drift{end}"] for end in ("", "_low", "_high"))
        rows: dict[str, object] = {
            "Devices N": summary["num_devices"],
            "Frames": f"{summary['frames']:,}",
            "Queues": summary["stability"],
            "Drift of the mean queue, last half": (
                f"{drift:.4f} [{low:.4f}, {high:.4f}] Mbit a frame"
            ),
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
            own = summary["own_normalized_objective_test"]
            rows["Own decision alone, test frames"] = f"{own:.6f}"
        return rows

    def warning(self, summary: Mapping[str, Any]) -> str | None:
        """Return a warning about a run whose queues are not all stable."""
        if summary["stability"] == "stable":
            return None
        if summary["stability"] == "undecided":
            return (
                "WARNING: the run is too short to decide whether "
                f"{summary['undecided_queues']} of its queues are stable; run more --frames"
            )
        return (
            f"WARNING: {summary['unstable_data_queues']} data queues and "
            f"{summary['unstable_energy_queues']} energy queues grew throughout the last half of "
            "the run: they are unstable, or the agent has not learned enough yet"
        )
