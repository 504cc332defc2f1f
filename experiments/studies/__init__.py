"""Studies: experiments under several settings, each with several seeds.

`catalogue` lists them. A study that varies settings is one entry there.
"""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments.configs import ScaledConfig
from experiments.runs.folder import described_study
from experiments.studies.catalogue import AGAINST, CURVES, OWN, STUDIES

# Folders of the first version name a module, which was the same for all studies of learning curves.
PUBLISHED_AS_MODULE = "study"


def carry_out(name: str, config: ScaledConfig) -> None:
    """Run a study, and print its table: the body of its command."""
    folder = run(name, config)
    print((folder / "table.txt").read_text(), end="")
    print(f"\nSaved in {folder}\n")


def run(name: str, config: ScaledConfig) -> Path:
    """Run the study's missing runs, and return the folder with its table, data and figure.

    Raises:
        ValueError: if there is no such study, or a setting is out of range.
    """
    if name not in STUDIES:
        raise ValueError(f"study must be one of {', '.join(STUDIES)}, got {name!r}")
    module: Any = _module_of(name)
    entry = STUDIES[name]
    folder: Path = module.run(config) if name in OWN else module.run(name, entry, config)
    return folder


def draw(study: Path, output: Path) -> list[Path]:
    """Draw the figure of a saved study into another folder; return the files.

    Raises:
        ValueError: if the folder belongs to no known study.
    """
    described = described_study(study) or {}
    name = str(described.get("name", described.get("module")))
    if name == PUBLISHED_AS_MODULE:
        module: Any = importlib.import_module("experiments.studies.curves")
    elif name in STUDIES:
        module = _module_of(name)
        entry = STUDIES[name]
        described = {"curves": getattr(entry, "curves", ()), **described, "name": name}
    else:
        raise ValueError(
            f"{study} must be the folder of a study ({', '.join(STUDIES)}), got {name!r}"
        )
    files: list[Path] = module.draw(study, output, described)
    return files


def _module_of(name: str) -> ModuleType:
    """Import and return the module that runs a study; importing torch early would be slow."""
    kind = "curves" if name in CURVES else "against" if name in AGAINST else ""
    return importlib.import_module(OWN[name].module if name in OWN else f"{__name__}.{kind}")
