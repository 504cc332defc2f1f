"""Every study, one after another.

`python -m experiments.reproduce --help` lists its settings.
"""

import importlib
from dataclasses import fields
from typing import get_args

from experiments.cli import run_module
from experiments.configs import ReproduceConfig, ScaledConfig, SizesConfig, StudyConfig, StudyName

SEVERAL_SIZES = ("comparison", "policies", "transfer")


def main(config: ReproduceConfig) -> None:
    """Carry the studies out."""
    common = {field.name: getattr(config, field.name) for field in fields(ScaledConfig)}
    for name in config.only or get_args(StudyName):
        module = importlib.import_module(f"experiments.{name}")
        config_type = SizesConfig if name in SEVERAL_SIZES else StudyConfig
        module.main(config_type(**common))


if __name__ == "__main__":
    run_module(ReproduceConfig, main)
