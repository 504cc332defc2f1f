"""Settings: one frozen dataclass a command, which is its command line and its config.json.

A field that is None may be left open; `resolve` fills it in. Nothing heavy is imported here, so
that `droo --help` answers at once.
"""

from experiments.configs.checks import Config
from experiments.configs.episode import EpisodeConfig, RunConfig
from experiments.configs.policy import AgentConfig, PolicyConfig, Preset, QuantizerName
from experiments.configs.queueing import LyDROOConfig, QueuesConfig, SchemeName
from experiments.configs.resolution import resolve
from experiments.configs.runs import (
    ExportConfig,
    JobsConfig,
    PlotConfig,
    RunsConfig,
    SweepConfig,
)
from experiments.configs.studies import (
    AlgorithmName,
    ReproduceConfig,
    RLBaselinesConfig,
    ScaledConfig,
    SizesConfig,
    StudyConfig,
)
from experiments.configs.tools import BenchConfig, CheckConfig, PretrainConfig, SectionName
from experiments.configs.wpmec import DatasetConfig, DROOConfig, FramesConfig, WPMECPolicyConfig

__all__ = [
    "AgentConfig",
    "AlgorithmName",
    "BenchConfig",
    "CheckConfig",
    "Config",
    "DROOConfig",
    "DatasetConfig",
    "EpisodeConfig",
    "ExportConfig",
    "FramesConfig",
    "JobsConfig",
    "LyDROOConfig",
    "PlotConfig",
    "PolicyConfig",
    "Preset",
    "PretrainConfig",
    "QuantizerName",
    "QueuesConfig",
    "RLBaselinesConfig",
    "ReproduceConfig",
    "RunConfig",
    "RunsConfig",
    "ScaledConfig",
    "SchemeName",
    "SectionName",
    "SizesConfig",
    "StudyConfig",
    "SweepConfig",
    "WPMECPolicyConfig",
    "resolve",
]
