"""Run every study, or some, one after another.

`python -m experiments.reproduce --help` lists its settings.
"""

import importlib
from dataclasses import fields

from experiments.cli import run_module
from experiments.commands import STUDIES
from experiments.configs import ReproduceConfig


def main(config: ReproduceConfig) -> None:
    """Carry the studies out."""
    for name in config.only or STUDIES:
        config_type, module = STUDIES[name]
        shared = [field.name for field in fields(config_type) if hasattr(config, field.name)]
        settings = config_type(**{name: getattr(config, name) for name in shared})
        importlib.import_module(module).main(settings)


if __name__ == "__main__":
    run_module(ReproduceConfig, main)
