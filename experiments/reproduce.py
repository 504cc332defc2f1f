"""Run every study, or some, one after another.

`python -m experiments.reproduce --help` lists its settings.
"""

from dataclasses import fields

from experiments.cli import run_module
from experiments.commands import STUDIES
from experiments.configs import ReproduceConfig
from experiments.studies.catalogue import REPRODUCED


def main(config: ReproduceConfig) -> None:
    """Run the studies.

    Raises:
        ValueError: if a name is that of no study; then none is run.
    """
    for name in config.only:
        if name not in STUDIES:
            raise ValueError(f"only must be of {', '.join(STUDIES)}, got {name!r}")
    for name in config.only or REPRODUCED:
        study = STUDIES[name]
        shared = [field.name for field in fields(study.config) if hasattr(config, field.name)]
        study.carry_out(study.config(**{each: getattr(config, each) for each in shared}))


if __name__ == "__main__":
    run_module(ReproduceConfig, main)
