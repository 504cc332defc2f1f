"""Settings of MEC with queues: its frames and constants, and LyDROO."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from experiments.configs.episode import EpisodeConfig, RunConfig
from experiments.configs.policy import Preset

SchemeName = Literal["lydroo", "exact", "lycd", "myopic", "all-local", "all-offloading"]

PUBLISHED_STATE = ("gain", "data_queue", "energy_queue")


@dataclass(frozen=True, kw_only=True)
class QueuesConfig(EpisodeConfig):
    """Time frames and constants of MEC with queues."""

    frames: int | None = None
    """Number of time frames, of 1 s each. By default all of --data, else 10,000."""
    seed: int = 0
    """Seed of all random numbers: channel, arrivals, and those of the agent."""
    data: Path | None = None
    """Recorded channel gains and arrivals, .mat or .npz with input_h and data_arrival [T, N], as in
    the result.mat of a run. By default they are generated."""
    arrival_rate: float = 3.0
    """Arrival rate lambda: mean arrivals of a device in a frame, Mbit. Not with --data."""
    arrivals: Literal["exponential", "poisson"] = "exponential"
    """Distribution of the arrivals in a frame: exponential, or a Poisson number of batches of
    1 Mbit. Not with --data."""
    line_of_sight: float = 0.3
    """Line-of-sight fraction of the received power, 0 to 1: 0 is Rayleigh fading, more is Rician.
    Not with --data."""
    correlation: float = 0.0
    """Correlation of the fading in successive frames, -1 to 1. Not with --data."""
    weights: tuple[float, ...] | None = None
    """Weight of each device. By default those in --data, else 1.5, 1, 1.5, 1, ..."""
    tradeoff: float = 20.0
    """Lyapunov trade-off V between weighted computation rate and queue lengths, Mbit. A larger V
    favours the rate."""
    energy_budget: float = 0.08
    """Energy budget: mean energy that a device may use in a frame, J."""
    energy_reserve: float = 0.5
    """Energy that a device sets aside at the start, J. Its energy queue starts at nu times this; if
    it ends lower, as it usually does, the budget holds over the whole run. 0 in the paper; not used
    by the myopic scheme."""
    max_power: float = 0.1
    """Maximum transmit power of a device, W."""
    bandwidth: float = 2e6
    """Bandwidth, Hz. Devices share it in time."""

    generated_only: ClassVar[tuple[str, ...]] = (
        "arrival_rate",
        "arrivals",
        "line_of_sight",
        "correlation",
    )


@dataclass(frozen=True, kw_only=True)
class LyDROOConfig(RunConfig, QueuesConfig):
    """LyDROO keeps data queues stable within energy budgets, or another scheme on its frames."""

    scheme: SchemeName = "lydroo"
    """Offloading scheme. lydroo: the agent. exact: the optimum of the same objective. lycd:
    coordinate descent on the same objective. myopic: the largest computation rate of the current
    frame. all-local and all-offloading: always the same decision. The settings of policy and agent
    apply to lydroo alone."""
    features: tuple[str, ...] | None = None
    """Features of each device in the state: gain, data_queue, energy_queue, as published; log_gain,
    log_data_queue, log_energy_queue, weight, active; or log_price, airtime, ahead, which are
    derived from these; gain@1 is the gain of the previous frame, and so on. By default the first
    three for mlp, conv and gru, the last three for the other policies."""
    hidden: tuple[int, ...] | None = None
    """Widths of the hidden layers. By default 256 128 for mlp, 32 64 for conv, 64 64 for gru, 16 16
    for the other policies."""
    preset: Preset = "best"
    """Defaults of the settings that are not given. best: policy equivariant, quantizer OP,
    refine_every 1000, refine_from_local True, learn_when_wrong True. published, as in the paper:
    policy mlp, quantizer OPN, refine_every 0, refine_from_local False, learn_when_wrong False."""
    training_interval: int = 20
    """Frames between training steps."""

    features_for: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "vector": PUBLISHED_STATE,
        "devices": ("log_price", "airtime", "ahead"),
        "history": PUBLISHED_STATE,
    }
    exceptions: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "mlp": {"hidden": (256, 128)},
        "conv": {"features": PUBLISHED_STATE},
        "equivariant": {"hidden": (16, 16)},
        "attention": {"hidden": (16, 16)},
        "bigru_attention": {"hidden": (16, 16)},
    }
    presets: ClassVar[Mapping[Preset, Mapping[str, Any]]] = {
        "best": {
            "policy": "equivariant",
            "quantizer": "OP",
            "refine_every": 1000,
            "refine_from_local": True,
            "learn_when_wrong": True,
        },
        "published": {
            "policy": "mlp",
            "quantizer": "OPN",
            "refine_every": 0,
            "refine_from_local": False,
            "learn_when_wrong": False,
        },
    }
