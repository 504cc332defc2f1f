"""Settings of an episode and of a run, in any problem."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import tyro

from experiments.configs.checks import Config
from experiments.configs.policy import AgentConfig


@dataclass(frozen=True, kw_only=True)
class EpisodeConfig(Config):
    """Length and source of a sequence of time frames.

    Attributes:
        generated_only: settings that describe generated frames, and exclude `data`.
    """

    num_devices: int | None = None
    """Number of devices N. By default that of --data, else 10."""
    frames: int | None = None
    """Number of time frames. By default all of --data, else 30,000."""
    seed: int = 0
    """Seed of all random numbers: those of the frames, and those of the agent."""
    data: Path | None = None
    """Recorded frames. By default frames are generated."""

    generated_only: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.data is None:
            return
        for name in self.generated_only:
            if getattr(self, name) != self.__dataclass_fields__[name].default:
                raise ValueError(f"{name} describes generated frames: drop --data")


@dataclass(frozen=True, kw_only=True)
class RunConfig(AgentConfig, EpisodeConfig):
    """Settings of one run, in any problem: agent, episode, and where the run is saved."""

    results: Path = Path("results")
    """Folder of all results. A run is saved in a new folder below it."""
    tensorboard: tyro.conf.FlagCreatePairsOff[bool] = False
    """Write curves for TensorBoard during the run, into a new folder below tensorboard/ in the
    results."""

    @property
    def curves(self) -> Path | None:
        """Folder of all curves for TensorBoard; None if they are not wanted."""
        return self.results / "tensorboard" if self.tensorboard else None
