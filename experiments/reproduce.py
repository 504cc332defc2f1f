"""Every study of the DROO paper, one after another.

`python -m experiments.reproduce --help` lists its settings.
"""

import importlib
from collections.abc import Callable
from typing import Any

from experiments.cli import run_module
from experiments.configs import ComparisonConfig, ReproduceConfig, StudyConfig

STUDIES = (
    "quantizers",
    "num_candidates",
    "adaptive_k",
    "memory_size",
    "batch_size",
    "training_interval",
    "learning_rate",
    "alternating_weights",
    "on_off",
)
COMPARISON = "comparison"


def main(config: ReproduceConfig) -> None:
    """Carry the studies out."""
    names = (*STUDIES, COMPARISON)
    unknown = set(config.only) - set(names)
    if unknown:
        raise ValueError(f"only must name studies ({', '.join(names)}), got {min(unknown)}")
    for name in config.only or names:
        module = importlib.import_module(f"experiments.{name}")
        config_type = ComparisonConfig if name == COMPARISON else StudyConfig
        carry_out: Callable[[Any], None] = module.main if name == COMPARISON else module.STUDY.main
        carry_out(config_type(scale=config.scale, jobs=config.jobs, results=config.results))


if __name__ == "__main__":
    run_module(ReproduceConfig, main)
