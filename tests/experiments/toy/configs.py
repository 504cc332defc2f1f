"""Settings of the toy problem."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from experiments.configs import Preset, RunConfig

AGENT = {"quantizer": "OP", "refine_from_local": False, "refine_every": 0}


@dataclass(frozen=True, kw_only=True)
class ToyConfig(RunConfig):
    """An agent learns the toy problem."""

    frames: int = 300
    """Number of time frames."""

    features_for: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "vector": ("gain",),
        "devices": ("log_gain",),
    }
    presets: ClassVar[Mapping[Preset, Mapping[str, Any]]] = {
        "best": {"policy": "equivariant", "learn_when_wrong": True, **AGENT},
        "published": {"policy": "mlp", "learn_when_wrong": False, **AGENT},
    }
