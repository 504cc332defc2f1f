"""Settings of studies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from experiments.configs.checks import check_distinct
from experiments.configs.runs import JobsConfig, RunsConfig

AlgorithmName = Literal["ppo", "a2c", "dqn"]


@dataclass(frozen=True, kw_only=True)
class ScaledConfig(JobsConfig):
    """Scale of a study, and where it is saved."""

    scale: Literal["smoke", "full"] = "full"
    """full: five or ten seeds, thousands of frames. smoke: two seeds, 400 frames, for a trial."""
    frames: int | None = None
    """Number of time frames of a run. By default that of the scale."""
    seeds: tuple[int, ...] | None = None
    """Seeds; every setting is run once for each. By default those of the scale."""
    results: Path = Path("results")
    """Folder of all results. A study is saved in a new folder below it."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig(ScaledConfig, RunsConfig):
    """One study, from several seeds, with intervals; existing runs are reused."""

    num_devices: int | None = None
    """Number of devices N. By default that of the study, usually 10."""


@dataclass(frozen=True, kw_only=True)
class SizesConfig(ScaledConfig, RunsConfig):
    """One study at several N, from several seeds, with intervals; existing runs are reused."""

    num_devices: tuple[int, ...] | None = None
    """Numbers of devices N. By default those of the scale."""


@dataclass(frozen=True, kw_only=True)
class ReproduceConfig(ScaledConfig, RunsConfig):
    """Run all studies, or some of them; existing runs are reused."""

    only: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names of studies, as `droo study` lists them. By default all."""


@dataclass(frozen=True, kw_only=True)
class RLBaselinesConfig(ScaledConfig):
    """Algorithms of Stable-Baselines3 and DROO on the same frames, from several seeds."""

    scale: Literal["smoke", "full"] = "full"
    """full: three seeds, 30,000 frames. smoke: two seeds, 400 frames, for a trial."""
    num_devices: int = 8
    """Number of devices N."""
    algorithms: tuple[AlgorithmName, ...] = ("ppo", "a2c", "dqn")
    """Algorithms of Stable-Baselines3. dqn, which has an output for each of the 2^N decisions,
    takes at most 8 devices."""
    problems: tuple[Literal["wpmec", "queueing"], ...] = ("wpmec", "queueing")
    """wpmec: wireless powered MEC, with DROO. queueing: MEC with queues, with LyDROO."""
    gamma: float = 0.0
    """Discount factor of the algorithms, 0 to below 1. 0 maximises the reward of each frame, as
    DROO does."""
    scale_rewards: bool = True
    """With queues, divide the objective of a frame by the sum of Q + V w over the devices. Without
    that, long queues earn larger rewards. The best decision of a frame is the same."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        for name in ("algorithms", "problems"):
            check_distinct(name, getattr(self, name))
        if not 0 <= self.gamma < 1:
            raise ValueError(f"gamma must be at least 0 and below 1, got {self.gamma}")
        if "dqn" in self.algorithms and self.num_devices > 8:
            raise ValueError(
                f"num_devices must be at most 8 for dqn, got {self.num_devices}: "
                "go on without it by --algorithms ppo a2c"
            )
