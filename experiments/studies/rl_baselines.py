"""DROO compared with PPO, A2C and DQN, which have no critic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from droo_core.extras import require
from experiments.configs import AlgorithmName, RLBaselinesConfig, RunConfig
from experiments.problems import named
from experiments.runs.figures import rolling
from experiments.runs.provenance import provenance
from experiments.runs.statistics import (
    LEAST,
    aligned,
    interval_text,
    lack_text,
    mean_and_interval,
    mean_text,
    shortfall,
)
from experiments.runs.summary import FIRST, frames_to
from experiments.studies.baseline_runs import Outcome, Quantities, run_droo, run_model_free
from experiments.studies.curves import POINTS, WINDOW
from experiments.studies.figures import save_curves
from experiments.studies.folder import (
    Curves,
    frames_of,
    publish,
    read_curves,
    run_missing,
    seeds_of,
    spread,
    write_curves,
)
from experiments.studies.metrics import Metric
from experiments.studies.model_free import Learning

Row = dict[str, Any]

FRAMES = 30_000
SEEDS = 3
FIRST_DRAWN = 10
TEST_FRAMES = {"smoke": 100, "full": 2000}
EXPERIMENTS = {"wpmec": "droo", "queueing": "lydroo"}
"""Name of a problem in the settings -> name of its experiment."""
TEST_SEED_OFFSET = 1000  # test frames have other seeds than training frames
DROO_LABEL = "DROO, LyDROO"

TO_OPTIMUM = {"yscale": "log", "ylim": (LEAST, 1.0)}
PANELS = {
    "rate": Metric("1 - normalized rate", shortfall, TO_OPTIMUM),
    "objective": Metric("With queues: 1 - objective / optimum", shortfall, TO_OPTIMUM),
    "data_queue": Metric("Data queue (Mbit)", limits={"yscale": "log"}),
}
AGAINST = {"frame": "Time frame", "second": "Time (s)"}
COLUMNS = ("decides", "curve"), ("frame", "second", "mean", "low", "high")  # of curves.csv


class Trial(NamedTuple):
    """One run of the study.

    Attributes:
        problem: name of the problem in the settings.
        config: settings of the run of DROO or LyDROO on the same frames.
        algorithm: algorithm of Stable-Baselines3; None for DROO or LyDROO.
    """

    problem: str
    config: RunConfig
    algorithm: AlgorithmName | None

    @property
    def label(self) -> str:
        """Name of the decider in tables and legends."""
        return DROO_LABEL if self.algorithm is None else self.algorithm.upper()


def run(config: RLBaselinesConfig) -> Path:
    """Run the study; return the folder with the table, the curves and the figure.

    DROO and LyDROO run first, as in `droo run` and `droo lydroo`; existing runs are not repeated.

    Raises:
        MissingExtraError: if Stable-Baselines3 is not installed.
    """
    library = require("stable_baselines3", "sb3")  # fails before, not after, the long runs
    came_from = provenance(config)
    trials = trials_of(config)
    of_droo = [trial.config for trial in trials if trial.algorithm is None]
    folders = dict(zip(of_droo, run_missing("rl_baselines", config, of_droo), strict=True))
    work = [(trial, config, folders[trial.config]) for trial in trials]
    outcomes = spread("Stable-Baselines3", outcome_of, work, config.jobs)
    rows = [row(trial, of_trial) for trial, of_trial in zip(trials, outcomes, strict=True)]
    curves = curves_of(trials, outcomes)
    return publish(
        "rl_baselines",
        config,
        came_from,
        rows,
        table(rows),
        draw,
        described={"stable_baselines3": library.__version__},
        write_more=lambda folder: write_curves(folder / "curves.csv", curves, *COLUMNS),
    )


def trials_of(config: RLBaselinesConfig) -> list[Trial]:
    """Return the runs of the study; for each problem those of DROO come first."""
    return [
        Trial(problem, settings, algorithm)
        for problem in config.problems
        for algorithm in (None, *config.algorithms)
        for settings in (
            named(EXPERIMENTS[problem]).config(
                num_devices=config.num_devices,
                frames=frames_of(config, FRAMES),
                seed=seed,
                results=config.results,
            )
            for seed in seeds_of(config, SEEDS)
        )
    ]


def outcome_of(trial: Trial, config: RLBaselinesConfig, folder: Path) -> Outcome:
    """Run a trial; `folder` is the run folder of DROO on the same frames."""
    seed = trial.config.seed + TEST_SEED_OFFSET
    test = replace(trial.config, seed=seed, frames=TEST_FRAMES[config.scale])
    if trial.algorithm is None:
        return run_droo(folder, test)
    learning = Learning(trial.algorithm, config.gamma, config.scale_rewards)
    return run_model_free(learning, trial.config, test)


def row(trial: Trial, outcome: Outcome) -> Row:
    """Return a row of runs.csv; entries that do not apply are None."""
    name = named(EXPERIMENTS[trial.problem]).schema.quantity
    normalized = outcome.learning[name]
    fifth = slice(-max(1, len(normalized) // 5), None)
    tested = outcome.with_critic or outcome.alone
    half = slice(len(tested[name]) // 2, None)
    return {
        "problem": trial.problem,
        "decides": trial.label,
        "seed": trial.config.seed,
        "first_200": float(normalized[:FIRST].mean()),
        "last_fifth": mean(outcome.learning, name, fifth),
        "frames_to_0_9": frames_to(normalized, 0.9),
        "frames_to_0_99": frames_to(normalized, 0.99),
        "policy_test": mean(outcome.alone, name),
        "critic_test": mean(outcome.with_critic or {}, name),
        "queue_last_fifth": mean(outcome.learning, "data_queue", fifth),
        "queue_test": mean(tested, "data_queue", half),
        "energy_test": mean(tested, "energy"),
        "ms_per_frame": 1e3 * outcome.seconds / len(normalized),
    }


def mean(found: Quantities, name: str, frames: slice = slice(None)) -> float | None:
    """Return the mean of a quantity over some frames; None if the quantity is not in `found`."""
    return float(found[name][frames].mean()) if name in found else None


def table(rows: Sequence[Row]) -> str:
    """Return a table for each problem: means over seeds with 95 % intervals."""
    groups: dict[str, dict[str, list[Row]]] = {}
    for of_run in rows:
        groups.setdefault(of_run["problem"], {}).setdefault(of_run["decides"], []).append(of_run)
    return "\n".join(f"{name}\n{table_of(by_label)}" for name, by_label in groups.items())


def table_of(by_label: Mapping[str, Sequence[Row]]) -> str:
    """Return the table of one problem; columns that apply to no decider are left out."""
    lines = [["decides", *(title for title, _ in SHOWN.values())]]
    for label, runs in by_label.items():
        cells = [label]
        for name, (_, text) in SHOWN.items():
            values = [run[name] for run in runs]
            applies = name.startswith("frames_to") or None not in values
            cells.append(text(values) if applies else "-")
        lines.append(cells)
    columns = [column for column in zip(*lines, strict=True) if set(column[1:]) != {"-"}]
    return aligned(list(zip(*columns, strict=True)))


def to_digits(values: Sequence[float | None]) -> str:
    """Return a mean with its interval as text, with three significant digits."""
    return interval_text(values, "{:.3g}".format)


SHOWN: Mapping[str, tuple[str, Callable[[Sequence[float | None]], str]]] = {
    "first_200": ("shortfall, first 200", lack_text),
    "last_fifth": ("last fifth", lack_text),
    "frames_to_0_9": ("frames to 0.9", mean_text),
    "frames_to_0_99": ("to 0.99", mean_text),
    "policy_test": ("test, policy alone", lack_text),
    "critic_test": ("with critic", lack_text),
    "queue_last_fifth": ("queue, last fifth", to_digits),
    "queue_test": ("test", to_digits),
    "energy_test": ("energy, test", to_digits),
    "ms_per_frame": ("ms per frame", to_digits),
}
"""Column of runs.csv -> its title in the table, and the function from its values to text."""


def curves_of(trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> Curves:
    """Return the content of curves.csv: rolling means, averaged over seeds, with 95 % intervals.

    The seconds of a point are the mean time per frame times the number of frames.
    """
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for trial, of_trial in zip(trials, outcomes, strict=True):
        groups.setdefault((trial.problem, trial.label), []).append(of_trial)
    curves: Curves = {}
    for (_, label), runs in groups.items():
        for name in (name for name in PANELS if name in runs[0].learning):
            frames = len(runs[0].learning[name])
            at = np.unique(np.geomspace(min(FIRST_DRAWN, frames), frames, POINTS).astype(np.int64))
            seconds = at / frames * np.mean([run.seconds for run in runs])
            values = [rolling(run.learning[name], WINDOW, np.nanmean)[at - 1] for run in runs]
            curves[label, name] = at, seconds, *mean_and_interval(values)
    return curves


def draw(study: Path, output: Path, described: Mapping[str, Any]) -> list[Path]:  # noqa: ARG001
    """Draw the figure of a saved study into another folder; return the files."""
    read = read_curves(study / "curves.csv", *COLUMNS)
    curves, panels = {}, {}
    for name in (name for name in PANELS if any(curve == name for _, curve in read)):
        for number, (against, xlabel) in enumerate(AGAINST.items()):
            key = f"{name} against {against}"
            curves[key] = {
                label: found[[number, 2, 3, 4]]
                for (label, curve), found in read.items()
                if curve == name
            }
            limits = {**PANELS[name].limits, "xlabel": xlabel, "xscale": "log"}
            panels[key] = PANELS[name]._replace(limits=limits)
    return save_curves(curves, panels, output / "rl_baselines")
