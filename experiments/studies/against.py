"""Studies of MEC with queues: LyDROO and other schemes under several settings and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.cli import run_module
from experiments.configs import LyDROOConfig, ScaledConfig
from experiments.runs import results
from experiments.runs.provenance import provenance
from experiments.studies.figures import LEAST, Panel, save_against, shortfall
from experiments.studies.folder import (
    collect,
    frames_of,
    publish,
    read_rows,
    run_missing,
    seeds_of,
    show,
)
from experiments.studies.statistics import aligned, interval_text, lack_text

SCHEMES: Mapping[str, Mapping[str, Any]] = {
    "LyDROO": {},
    "Exact": {"scheme": "exact"},
    "LyCD": {"scheme": "lycd"},
    "Myopic": {"scheme": "myopic"},
    "All local": {"scheme": "all-local"},
    "All offloading": {"scheme": "all-offloading"},
}
PANELS = {
    "steady_data_queue": Panel("Data queue, last half (Mbit)", limits={"yscale": "log"}),
    "mean_energy": Panel("Energy (J a frame)", limits={"ylim": (0, 0.13)}),
    "normalized_objective": Panel(
        "1 - objective / optimum", shortfall, {"yscale": "log", "ylim": (LEAST, None)}
    ),
}
OBJECTIVE = "normalized_objective"
PURSUE_IT = {"LyDROO", "LyCD"}
"""The objective says nothing of schemes that pursue another, and nothing new of the optimum."""

FRAMES = 10_000
SEEDS = 5

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class QueueingStudy:
    """What one study varies.

    Attributes:
        name: of its module and of its folder of results.
        varied: how the figure calls what is varied.
        values: of that, and how the runs differ by it from the experiment.
        smoke: those values that a look at smoke scale takes.
        schemes: who decides: label -> how the runs differ by it.
        panels: metric -> what to draw of it.
        limits: settings of all Axes.
    """

    name: str
    varied: str
    values: Mapping[float, Settings] = field(hash=False)
    smoke: Sequence[float]
    schemes: Mapping[str, Settings] = field(default_factory=lambda: SCHEMES, hash=False)
    panels: Mapping[str, Panel] = field(default_factory=lambda: PANELS, hash=False)
    limits: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def main(self, config: ScaledConfig) -> None:
        """Carry the study out, and print what came of it."""
        show(self.run(config))

    def run(self, config: ScaledConfig) -> Path:
        """Run what was not run yet; return the folder with the table, the data and the figure."""
        came_from = provenance(config)
        values = self.smoke if config.scale == "smoke" else tuple(self.values)
        tasks = [
            (label, value, self.settings(config, label, value, seed))
            for value in values
            for label in self.schemes
            for seed in seeds_of(config, SEEDS)
        ]
        folders = run_missing(self.name, config, [settings for *_, settings in tasks])
        rows = [
            {"decides": label, "varied": value, **results.load_summary(folder), "run": folder.name}
            for (label, value, _), folder in zip(tasks, folders, strict=True)
        ]
        return publish(
            self.name, config, came_from, rows, table(rows, plain(self.varied)), self.draw
        )

    def settings(self, config: ScaledConfig, label: str, value: float, seed: int) -> LyDROOConfig:
        """Return the settings of one run."""
        common: dict[str, Any] = {
            "frames": frames_of(config, FRAMES),
            "seed": seed,
            "results": config.results,
        }
        return LyDROOConfig(**common | dict(self.values[value]) | dict(self.schemes[label]))

    def draw(self, study: Path, output: Path) -> list[Path]:
        """Draw the figure of a saved study into another folder; return the files."""
        rows = read_rows(study / "runs.csv", ("decides", "varied", *self.panels))
        values = collect(rows, "decides", tuple(self.panels), "varied")
        for label in values.keys() - PURSUE_IT:
            for runs in values[label].values():
                runs.pop(OBJECTIVE, None)
        return save_against(values, self.panels, output / self.name, self.varied, self.limits)


def run_study_module(study: QueueingStudy) -> None:
    """Carry a study out with the arguments of this process."""
    run_module(ScaledConfig, study.main)


def table(rows: Sequence[Mapping[str, Any]], varied: str) -> str:
    """Return a table: for each value and scheme the means over seeds, with 95 % intervals."""
    lines = [
        [
            varied,
            "decides",
            "queue, last half",
            "energy queue",
            "energy (largest)",
            "stable runs",
            "1 - objective",
            "scored",
            "us per frame",
        ]
    ]
    groups: dict[tuple[float, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["varied"], row["decides"]), []).append(row)
    for (value, label), runs in groups.items():
        verdicts = [run["stability"] for run in runs]
        undecided = verdicts.count("undecided")
        myopic = runs[0]["scheme"] == "myopic"  # which looks at no energy queue
        lines.append(
            [
                f"{value:g}",
                label,
                interval_text([run["steady_data_queue"] for run in runs], "{:.4g}".format),
                "-" if myopic else mean_of(runs, "steady_energy_queue", "{:.0f}"),
                f"{max(run['largest_mean_energy'] for run in runs):.4f}",
                f"{verdicts.count('stable')} of {len(runs)}"
                + (f" ({undecided} undecided)" if undecided else ""),
                "-" if myopic else lack_text([min(1.0, run[OBJECTIVE]) for run in runs]),
                mean_of(runs, "mean_scored", "{:.1f}"),
                mean_of(runs, "microseconds_per_frame", "{:.0f}"),
            ]
        )
    return aligned(lines)


def mean_of(runs: Sequence[Mapping[str, Any]], metric: str, text: str) -> str:
    """Return the mean of a metric over runs as text; "-" where it says nothing of them."""
    values = [run[metric] for run in runs]
    return "-" if None in values else text.format(sum(values) / len(values))


def plain(label: str) -> str:
    """Return a figure's label as a terminal shows it."""
    return label.replace("$", "").replace("\\", "")
