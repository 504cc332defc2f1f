import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import settings

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)

# Everyone's runs look for new cases; CI repeats the same ones, so that it fails by changes only.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def command(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run `python -m` with these arguments in the project's folder."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def published(name: str) -> Path:
    """The path of a published or golden file; the test skips where the file is not at hand."""
    path = Path(os.environ.get("DROO_SHARED", ROOT.parent / "shared")) / name
    if not path.is_file():
        pytest.skip(f"needs {path} (set DROO_SHARED to the folder that holds {name})")
    return path


def documents() -> list[Path]:
    """What a reader reads: README, how to contribute, the measured speed, and all pages of docs."""
    first = ["README.md", "CONTRIBUTING.md", "benchmarks/README.md"]
    return [*(ROOT / name for name in first), *sorted((ROOT / "docs").rglob("*.md"))]
