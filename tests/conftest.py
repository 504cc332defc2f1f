import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from agent import DROO
from experiments.configs import DROOConfig, resolve
from experiments.problems.wpmec.experiment import WPMECTask, task_of
from experiments.problems.wpmec.frames import apply_scenario, make_frames

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)

# Local runs try new random cases; CI repeats the same ones, so that only changes make it fail.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def command(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run `python -m` with these arguments in the project's folder, and return the process."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def published(name: str) -> Path:
    """Return the path of a published or golden file; skip the test if it does not exist."""
    path = Path(os.environ.get("DROO_SHARED", ROOT.parent / "shared")) / name
    if not path.is_file():
        pytest.skip(f"needs {path} (set DROO_SHARED to the folder that holds {name})")
    return path


def documents() -> list[Path]:
    """Return the paths of all documents: README, CONTRIBUTING, benchmarks/README, pages of docs."""
    first = ["README.md", "CONTRIBUTING.md", "benchmarks/README.md"]
    return [*(ROOT / name for name in first), *sorted((ROOT / "docs").rglob("*.md"))]


def task_with(config: DROOConfig) -> tuple[WPMECTask, DROO]:
    """Return a run whose optimum is not computed, and its agent."""
    gains, weights = make_frames(config)
    task = task_of(resolve(config), *apply_scenario(config.scenario, gains, weights))
    assert isinstance(task.decider, DROO)
    return task, task.decider
