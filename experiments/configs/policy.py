"""Settings of the agent: its policy, its training, its candidates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import tyro

from experiments.configs.checks import Config

Preset = Literal["best", "published"]
QuantizerName = Literal["OP", "OPN", "KNN"]


@dataclass(frozen=True, kw_only=True)
class PolicyConfig(Config):
    """Policy network and its training.

    A field that is None is left open; `experiments.configs.resolve` fills it in.

    Attributes:
        features_for: kind of input, the policy's `reads` -> features that suit it in this problem.
        exceptions: policy -> settings that suit it better in this problem than its own.
    """

    policy: str | None = None
    """Policy network: mlp, equivariant, attention, conv, gru or bigru_attention. By default
    equivariant, or mlp with the preset published."""
    features: tuple[str, ...] | None = None
    """Features of each device in the state. By default those that suit the policy."""
    hidden: tuple[int, ...] | None = None
    """Widths of the hidden layers. By default 120 80 for mlp, 64 64 for gru, 32 64 for conv, 32 32
    for the other policies."""
    loss: Literal["bce", "bce_probabilities", "quadratic"] = "bce"
    """Training loss: binary cross-entropy computed from logits; the same computed from
    probabilities, as published; or the squared error."""
    learning_rate: float = 0.01
    """Learning rate of Adam."""
    batch_size: int = 128
    """Batch size: rows of the replay memory in a training step."""
    memory_size: int = 1024
    """Capacity of the replay memory, rows."""
    rebuild_optimizer: tyro.conf.FlagConversionOff[bool] = False
    """Reset Adam before every training step, as the published code does."""

    features_for: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    exceptions: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Values of fields that are open, apart from those that depend on the policy."""
        return {"policy": "equivariant"}


@dataclass(frozen=True, kw_only=True)
class AgentConfig(PolicyConfig):
    """Policy, candidates and training schedule of an agent that learns online.

    Attributes:
        presets: preset -> values of fields that are open.
    """

    preset: Preset = "best"
    """Defaults of the settings that are not given: the best found, or those of the paper."""
    quantizer: QuantizerName | None = None
    """Quantizer: order-preserving (OP), noisy order-preserving (OPN) or K nearest neighbours (KNN).
    By default that of the preset."""
    num_candidates: int | None = None
    """Number of candidates K in the first frame. By default N."""
    adapt_every: int | None = 32
    """Frames between updates of K. None keeps K constant."""
    refine_every: int | None = None
    """Period R of refinement, frames: the best candidate is improved by changing single devices, in
    every frame if that helped in one of the last R frames, else in every R-th frame. 0 never
    refines. By default that of the preset."""
    refine_from_local: bool | None = None
    """Refine the decision in which all devices compute locally, too, and take the better of the
    two. By default that of the preset."""
    training_interval: int = 10
    """Frames between training steps."""
    learn_when_wrong: bool | None = None
    """Train also in every frame in which the policy's own decision was not the best candidate. By
    default True, or False with the preset published."""
    explore: bool | None = None
    """Score one more decision in every frame, the policy's own with one random device changed. By
    default only if learn_when_wrong is set and nothing is refined."""

    presets: ClassVar[Mapping[Preset, Mapping[str, Any]]] = {}

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.preset not in get_args(Preset):
            choices = ", ".join(get_args(Preset))
            raise ValueError(f"preset must be one of {choices}, got {self.preset!r}")

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Values of fields that are open, as the preset has them."""
        return self.presets[self.preset]
