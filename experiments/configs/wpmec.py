"""Settings of wireless powered MEC: its frames, DROO, and datasets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import tyro

from experiments.configs.episode import EpisodeConfig, RunConfig
from experiments.configs.policy import PolicyConfig, Preset

HISTORY = (*(f"log_gain@{age}" for age in range(7, 0, -1)), "log_gain")
"""The logarithm of the gain in the last eight frames, oldest first."""


@dataclass(frozen=True, kw_only=True)
class FramesConfig(EpisodeConfig):
    """Time frames of wireless powered MEC."""

    data: Path | None = None
    """Recorded channel gains, .mat or .npz with input_h [T, N]. By default they are generated."""
    weights: tuple[float, ...] | None = None
    """Weight of each device. By default those in --data, else 1, 1.5, 1, 1.5, ..."""
    line_of_sight: float = 0.0
    """Line-of-sight fraction of the received power, 0 to 1: 0 is Rayleigh fading, more is Rician.
    Not with --data."""
    correlation: float = 0.0
    """Correlation of the fading in successive frames, -1 to 1. Not with --data."""

    generated_only: ClassVar[tuple[str, ...]] = ("line_of_sight", "correlation")


@dataclass(frozen=True, kw_only=True)
class WPMECPolicyConfig(PolicyConfig):
    """Policy network for wireless powered MEC."""

    features: tuple[str, ...] | None = None
    """Features of each device in the state: gain, log_gain, weight, active; gain@1 is the gain of
    the previous frame, gain@2 that of the frame before, and so on. By default log_gain weight
    active; for mlp gain; for gru the log_gain of the last eight frames."""

    features_for: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "vector": ("gain",),
        "devices": ("log_gain", "weight", "active"),
        "history": HISTORY,
    }


@dataclass(frozen=True, kw_only=True)
class DROOConfig(WPMECPolicyConfig, RunConfig, FramesConfig):
    """DROO learns to offload online in wireless powered MEC: the main experiment."""

    frames: int = 30_000
    """Number of time frames. The last fifth are the test frames; learning continues in them."""
    preset: Preset = "best"
    """Defaults of the settings that are not given. best: policy equivariant, quantizer OP,
    refine_every 32, learn_when_wrong True. published, as in the paper: policy mlp, quantizer OP,
    refine_every 0, learn_when_wrong False. refine_from_local is False in both."""
    scenario: Literal["steady", "alternating-weights", "on-off"] = "steady"
    """Changes during the run. steady: none. alternating-weights: all weights are swapped after 60 %
    of the frames, and back after 80 %. on-off: devices switch off from 60 %, on again from 80 %,
    and two off at 95 %."""
    warm_start: Path | None = None
    """Checkpoint whose policy the agent starts from. It is for this N, or of a policy that takes
    any N."""
    optimum_time_limit: float = 10.0
    """Time limit of the certified optimum of a frame, s. Beyond it the upper bound proven so far is
    used, and its gap reported."""

    presets: ClassVar[Mapping[Preset, Mapping[str, Any]]] = {
        "best": {
            "policy": "equivariant",
            "quantizer": "OP",
            "refine_every": 32,
            "refine_from_local": False,
            "learn_when_wrong": True,
        },
        "published": {
            "policy": "mlp",
            "quantizer": "OP",
            "refine_every": 0,
            "refine_from_local": False,
            "learn_when_wrong": False,
        },
    }


@dataclass(frozen=True, kw_only=True)
class DatasetConfig(FramesConfig):
    """Write frames with their certified optimal decisions, in the published layout."""

    output: tyro.conf.Positional[Path]
    """File to write, .mat or .npz."""
    gap: float = 1e-9
    """Relative gap to the optimum that each label is certified to reach."""
    time_limit: float = 10.0
    """Time limit of a frame, s. Beyond it the best decision found is its label, and the gap is
    reported."""
    jobs: int = -1
    """Processes. -1 uses all cores."""
