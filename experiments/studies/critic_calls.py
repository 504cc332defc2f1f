"""When does the agent pay off? Quality and time per frame against the cost of one score.

DROO learns to propose few decisions; searches such as coordinate descent score many. The study
counts the decisions scored per frame, measures the time spent on everything else, and adds the time
of the scores, at 1 us (a formula) to 10 ms (a simulation) each. Crosses in the figure are measured
with a critic that takes 1 ms.
"""

import copy
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from agent import DROO
from droo_core.arrays import Floats
from env import WirelessPoweredMEC, WPMECCritic
from env.schemes import certify_frames, coordinate_descent, greedy, optimum
from experiments.configs import DROOConfig, SizesConfig, resolve
from experiments.problems.wpmec.frames import make_env, make_frames
from experiments.runs.figures import SIZE, STYLE, save_figure
from experiments.runs.provenance import provenance
from experiments.runs.statistics import LEAST, aligned, lack_text, mean_and_interval, shortfall
from experiments.simulation import Decider, simulate
from experiments.studies.comparison import AGENTS, agent_name
from experiments.studies.folder import collect, grid, publish, read_rows, run_missing, spread

Row = dict[str, Any]

FRAMES = 4000  # of a run of DROO, which learns before it is measured
SEEDS = 5
DEVICES = {"smoke": (5, 10), "full": (10, 30, 100)}
SCHEMES = {"Coordinate descent": coordinate_descent, "Greedy": greedy}
OPTIMUM = "Certified optimum, from the model"
USED = {"smoke": 30, "full": 300}  # number of frames measured
SEED_OFFSET = 1000  # the frames measured have another seed than the run
SLOW = 1e-3  # s per score, of the slow critic
SLOW_FRAMES = {"smoke": (2, 2), "full": (64, 10)}  # with the slow critic, of an agent, of a search
COSTS = np.geomspace(1e-6, 1e-2, 41)  # s per score, for the curves
SCORED = 1, 1000  # limits of the axis
METRICS = ("normalized_rate", "scored", "decision_us", "slow_us")


class CountingProblem:
    """Wireless powered MEC that counts the decisions scored, optionally slowed down.

    Args:
        problem: the environment that is wrapped.
        seconds: additional duration of scoring one decision.

    Attributes:
        scored: number of decisions scored so far.
    """

    def __init__(self, problem: WirelessPoweredMEC, seconds: float = 0.0) -> None:
        self._problem, self._seconds = problem, seconds
        self.num_devices, self.features = problem.num_devices, problem.features
        self.critic = problem.critic
        self.reset, self.step = problem.reset, problem.step
        self.scored = 0

    @property
    def gain(self) -> Floats:
        """Channel gains `[N]` of the coming frame."""
        return self._problem.gain

    @property
    def state(self) -> Floats:
        """The state of the coming frame."""
        return self._problem.state

    def score(self, decisions: ArrayLike) -> Floats:
        """Return the rewards `[K]` of decisions `[K, N]`."""
        end = time.perf_counter() + self._seconds * len(np.asarray(decisions))
        rewards = self._problem.score(decisions)
        self.scored += len(rewards)
        while time.perf_counter() < end:
            pass
        return rewards


def run(config: SizesConfig) -> Path:
    """Run the study's missing runs; return the folder with the table, the data and the figure."""
    came_from = provenance(config)
    settings = [{"preset": preset} for preset in AGENTS.values()]
    runs = grid(config, DROOConfig, settings, DEVICES, FRAMES, SEEDS)
    folders = run_missing("critic_calls", config, runs)
    # One at a time: parallel processes would distort the times.
    tasks = [(of_run, folder, config.scale) for of_run, folder in zip(runs, folders, strict=True)]
    rows = [row for of_run in spread("deciders", measure_run, tasks, jobs=1) for row in of_run]
    return publish("critic_calls", config, came_from, rows, table(rows), draw)


def measure_run(config: DROOConfig, folder: Path, scale: str) -> list[Row]:
    """Return a row for the agent of a run; for the default settings also rows for the schemes."""
    droo = DROO.load(folder / "checkpoint.safetensors")
    features = droo.agent.features or ("gain",)
    deciders: dict[str, Decider] = {agent_name(config): droo}
    if config.preset == "best":
        deciders |= SCHEMES
    gains, weights = frames = frames_measured(config, USED[scale])
    optimal = certify_frames(WPMECCritic(weights), gains).upper_bounds
    rows = [
        {
            "decides": label,
            **measure(decider, *frames, optimal, features, SLOW_FRAMES[scale][label in SCHEMES]),
        }
        for label, decider in deciders.items()
    ]
    if config.preset == "best":
        rows.append({"decides": OPTIMUM, **measure_optimum(*frames)})
    return [{**row, "num_devices": config.num_devices, "seed": config.seed} for row in rows]


def frames_measured(config: DROOConfig, num_frames: int) -> tuple[Floats, Floats]:
    """Return channel gains `[T, N]` and weights `[N]`; the gains are new to the run's agent."""
    seed = config.seed + SEED_OFFSET
    return make_frames(
        resolve(DROOConfig(num_devices=config.num_devices, seed=seed, frames=num_frames))
    )


def measure(
    decider: Decider,
    gains: Floats,
    weights: Floats,
    optimal: Floats,
    features: Sequence[str],
    slow_frames: int,
) -> Row:
    """Return a decider's normalized rate, its decisions scored per frame, and its times.

    Args:
        decider: an agent or a scheme.
        gains: channel gains `[T, N]`.
        weights: w `[N]`.
        optimal: the optimal rates `[T]`, bit/s.
        features: those of the state.
        slow_frames: number of frames with the slow critic.
    """
    problem = CountingProblem(make_env(gains, weights, features))
    warm_up(decider, problem)
    steps = list(simulate(decider, problem, len(gains)))
    slow = CountingProblem(make_env(gains, weights, features), SLOW)
    slow_us = [step.decision_us for step in simulate(decider, slow, slow_frames)]
    return {
        "normalized_rate": float(np.mean([step.reward for step in steps] / optimal)),
        "scored": problem.scored / len(steps),
        "decision_us": float(np.mean([step.decision_us for step in steps])),
        "slow_us": float(np.mean(slow_us)),
        "slow_scored": slow.scored / slow_frames,
    }


def warm_up(decider: Decider, problem: Any) -> None:
    """Compile all kernels: a copy of the decider plays two frames and makes a training step."""
    trial = copy.deepcopy(decider)
    for _ in simulate(trial, problem, 2):
        pass
    if isinstance(trial, DROO):
        trial.agent.learn()
    problem.scored = 0


def measure_optimum(gains: Floats, weights: Floats) -> Row:
    """Return the row of the certified optimum, which uses the model and scores no decisions."""
    problem = CountingProblem(make_env(gains, weights, ("gain",)))
    warm_up(optimum, problem)
    times = [step.decision_us for step in simulate(optimum, problem, len(gains))]
    us = float(np.mean(times))
    return {
        "normalized_rate": 1.0,
        "scored": 0.0,
        "decision_us": us,
        "slow_us": us,
        "slow_scored": 0.0,
    }


def frame_us(decision_us: float, scored: float, seconds: float) -> float:
    """Return the time of a frame in microseconds.

    Args:
        decision_us: time without the scores, in microseconds.
        scored: number of decisions scored.
        seconds: time of one score, in s.
    """
    return decision_us + scored * seconds * 1e6


def table(rows: Sequence[Row]) -> str:
    """Return the table: means over seeds, for each N and decider."""
    costs = {"1 us": 1e-6, "100 us": 1e-4, "1 ms": 1e-3, "10 ms": 1e-2}
    header = ["N", "decides", "1 - rate", "scored", "us beside"]
    lines = [[*header, *(f"ms at {cost}" for cost in costs), "measured at 1 ms"]]
    collected = collect(rows, "decides", METRICS)
    for n in collected["DROO"]:
        for label, by_n in collected.items():
            values = by_n[n]
            scored, us = np.mean(values["scored"]), np.mean(values["decision_us"])
            times = [frame_us(float(us), float(scored), cost) / 1e3 for cost in costs.values()]
            lines.append(
                [
                    f"{n:g}",
                    label,
                    lack_text([min(1.0, rate) for rate in values["normalized_rate"]]),
                    f"{scored:.1f}",
                    f"{us:.0f}",
                    *(f"{each:.3g}" for each in times),
                    f"{np.mean(values['slow_us']) / 1e3:.3g}",
                ]
            )
    return aligned(lines)


def draw(study: Path, output: Path, described: Mapping[str, Any]) -> list[Path]:  # noqa: ARG001
    """Draw the figure of a saved study into another folder; return the files."""
    rows = read_rows(study / "runs.csv", ("decides", "num_devices", *METRICS))
    collected = collect(rows, "decides", METRICS)
    sizes = list(collected["DROO"])
    with mpl.rc_context(STYLE):
        figure = Figure((0.8 * len(sizes) * SIZE[0], 1.8 * SIZE[1]), layout="constrained")
        upper, lower = np.atleast_2d(figure.subplots(2, len(sizes), sharey="row"))
        for n, of_time, of_quality in zip(sizes, upper, lower, strict=True):
            by_label = {label: by_n[n] for label, by_n in collected.items()}
            draw_times(by_label, of_time)
            draw_quality(by_label, of_quality)
            of_time.set_title(f"$N$ = {n:g}", loc="left")
        upper[0].set_ylabel("Time a frame (ms)")
        lower[0].set_ylabel("1 - normalized rate")
        handles, labels = upper[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        return save_figure(figure, output / "critic_calls")


def draw_times(by_label: Mapping[str, Mapping[str, Sequence[float]]], ax: Axes) -> None:
    """Draw the time per frame against the cost of one score; measured values as crosses."""
    for number, (label, values) in enumerate(by_label.items()):
        scored, us = float(np.mean(values["scored"])), float(np.mean(values["decision_us"]))
        times = [frame_us(us, scored, cost) / 1e3 for cost in COSTS]
        if label == OPTIMUM:
            ax.plot(COSTS * 1e3, times, color="0.4", linestyle="--", label=label)
        else:
            ax.plot(COSTS * 1e3, times, color=f"C{number}", label=label)
            ax.plot(SLOW * 1e3, np.mean(values["slow_us"]) / 1e3, "x", color=f"C{number}")
    ax.set(xlabel="Cost of one score (ms)", xscale="log", yscale="log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")


def draw_quality(by_label: Mapping[str, Mapping[str, Sequence[float]]], ax: Axes) -> None:
    """Draw each decider's shortfall from the optimum against its decisions scored per frame."""
    for number, (label, values) in enumerate(by_label.items()):
        if label == OPTIMUM:
            continue
        mean, high, low = shortfall(mean_and_interval(np.minimum(values["normalized_rate"], 1.0)))
        scored = np.mean(values["scored"])
        ax.errorbar(
            scored, mean, [[mean - low], [high - mean]], fmt="o", color=f"C{number}", capsize=2
        )
    ax.set(xlabel="Decisions scored a frame", xscale="log", yscale="log", ylim=(LEAST / 2, 1))
    ax.set_xlim(*SCORED)
    ax.xaxis.set_major_formatter("{x:g}")
