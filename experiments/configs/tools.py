"""Settings of pre-training, of the check of labels, and of the report on speed."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from experiments.configs.checks import Config
from experiments.configs.wpmec import WPMECPolicyConfig


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(WPMECPolicyConfig):
    """Train a policy on labelled frames; droo run --warm-start takes its checkpoint."""

    policy: str | None = None
    """Policy network: mlp, equivariant, attention, conv, gru or bigru_attention. By default
    equivariant."""
    data: tyro.conf.Positional[Path]
    """Labelled frames, .mat or .npz in the published layout."""
    weights: tuple[float, ...] | None = None
    """Weight of each device. By default those in the file, else 1, 1.5, 1, 1.5, ..."""
    epochs: int = 100
    """Maximum number of epochs."""
    patience: int = 10
    """Number of epochs without a lower validation loss after which training stops."""
    validation_fraction: float = 0.2
    """Fraction of the frames, at the end of the file, for validation."""
    seed: int = 0
    """Seed of the initial parameters and of the order of the frames."""
    results: Path = Path("results")
    """Folder of all results. A run is saved in a new folder below it."""


@dataclass(frozen=True, kw_only=True)
class CheckConfig(Config):
    """Report the labels of a dataset that are not optimal."""

    data: tyro.conf.Positional[Path]
    """Labelled frames, .mat or .npz in the published layout."""
    weights: tuple[float, ...] | None = None
    """Weight of each device. By default those in the file, else 1, 1.5, 1, 1.5, ..."""
    tolerance: float = 3e-6
    """Relative tolerance: how far a label may be below the optimum, and its recorded rate off the
    rate of its decision."""
    time_limit: float = 10.0
    """Time limit of a frame, s. Beyond it a label that may be wrong counts as undecided."""
    jobs: int = -1
    """Processes. -1 uses all cores."""


SectionName = Literal[
    "machine",
    "frames",
    "floor",
    "parts",
    "queues",
    "vector",
    "fleet",
    "scaling",
    "latency",
    "late",
    "startup",
    "memory",
]


@dataclass(frozen=True, kw_only=True)
class BenchConfig(Config):
    """Measure the speed of everything on this machine, and print a report in Markdown."""

    only: tyro.conf.Positional[tuple[SectionName, ...]] = ()
    """Sections of the report. By default all."""
    data: Path | None = None
    """Recorded channel gains, .mat or .npz with input_h [T, N], for the main run, the floor, the
    latency and the memory. By default they are generated, as in the other sections always."""
    quick: tyro.conf.FlagCreatePairsOff[bool] = False
    """Measure a hundredth of everything, as a trial. The figures are then meaningless."""

    def some(self, full: int) -> int:
        """Return the number of frames or rounds; `full` is the number in the whole report."""
        return max(3, full // 100) if self.quick else full

    def command(self, section: SectionName | None = None) -> str:
        """Return the command that reproduces a section, or the whole report."""
        words = ["python -m benchmarks.report"]
        words += [] if section is None else [section]
        words += [] if self.data is None else ["--data", shlex.quote(self.data.name)]
        return " ".join([*words, *["--quick"] * self.quick])
