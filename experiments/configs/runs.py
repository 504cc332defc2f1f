"""Settings of several runs, and of figures and exports of saved runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from experiments.configs.checks import Config
from experiments.configs.wpmec import DROOConfig


@dataclass(frozen=True, kw_only=True)
class JobsConfig(Config):
    """Parallelism of several runs."""

    jobs: int = -1
    """Processes, each of one run or fleet at a time. -1 uses all cores."""


@dataclass(frozen=True, kw_only=True)
class RunsConfig(JobsConfig):
    """Parallelism of several runs of DROO."""

    device: Literal["cpu", "cuda"] | None = None
    """Run all seeds of a setting together, as a fleet whose networks compute on this device. By
    default, and for a policy with a GRU, each run is a process of its own."""


@dataclass(frozen=True, kw_only=True)
class SweepConfig(RunsConfig, DROOConfig):
    """The main experiment from several seeds, with intervals; existing runs are reused."""

    seed: tyro.conf.Suppress[int] = 0
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds, one run each."""


@dataclass(frozen=True)
class PlotConfig(Config):
    """Draw the figures of a run again, of several runs in one, or of a study."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders, such as results/droo/RUN, or the folder of one study."""
    labels: tuple[str, ...] = ()
    """Names of the runs in the legend. By default the names of their folders."""
    output: Path | None = None
    """Folder of the figures. By default the folder of a single run, else ./figures."""
    window: int | None = None
    """Window of the rolling mean and range: in frames for the rate, in training steps for the loss;
    ten times as many frames for K. By default 50, with queues 100."""

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.runs:
            raise ValueError("runs must name at least one run folder")
        if self.labels and len(self.labels) != len(self.runs):
            raise ValueError(
                f"labels must be as many as runs, got {len(self.labels)} for {len(self.runs)}"
            )
        super().__post_init__()


@dataclass(frozen=True)
class ExportConfig(Config):
    """Export a run or a study for MATLAB and Octave, pandas, or the published scripts."""

    run: tyro.conf.Positional[Path]
    """Folder of a run, such as results/droo/RUN or results/lydroo/RUN, or of a study."""
    format: Literal["mat", "txt", "csv"]
    """mat: one file for MATLAB and Octave. txt: the files that the published scripts of DROO save.
    csv: tables for pandas, one value a cell."""
    output: Path | None = None
    """New folder for the files. By default one named after the format, in the folder of the run."""
