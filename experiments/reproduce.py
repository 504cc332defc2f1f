"""Every study, one after another.

`python -m experiments.reproduce --help` lists its settings.
"""

import importlib
from collections.abc import Mapping
from dataclasses import fields
from typing import get_args

from experiments.cli import run_module
from experiments.configs import ReproduceConfig, ScaledConfig, SizesConfig, StudyConfig, StudyName

SEVERAL_SIZES = ("comparison", "policies", "transfer")
WITH_QUEUES = (
    "queueing_policies",
    "arrival_rate",
    "largest_rate",
    "tradeoff",
    "energy_budget",
    "queueing_sizes",
)
CONFIGS: Mapping[str, type[ScaledConfig]] = (
    dict.fromkeys(get_args(StudyName), StudyConfig)
    | dict.fromkeys(SEVERAL_SIZES, SizesConfig)
    | dict.fromkeys(WITH_QUEUES, ScaledConfig)
)


def main(config: ReproduceConfig) -> None:
    """Carry the studies out."""
    for name in config.only or get_args(StudyName):
        module = importlib.import_module(f"experiments.{name}")
        shared = [field.name for field in fields(CONFIGS[name]) if hasattr(config, field.name)]
        module.main(CONFIGS[name](**{name: getattr(config, name) for name in shared}))


if __name__ == "__main__":
    run_module(ReproduceConfig, main)
