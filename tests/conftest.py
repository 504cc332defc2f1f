import io
import os
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import settings

# This module imports nothing slow: pytest waits for it before it starts workers.

ROOT = Path(__file__).parent.parent
os.environ["OMP_NUM_THREADS"] = "1"  # for torch: every core has a worker

# Local runs try new random cases; CI repeats the same ones, so that only changes make it fail.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def python_m(module: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a module in this process as `python -m` does, and return its exit code and output.

    A process of its own would import torch, numba and matplotlib again, which takes seconds.
    """
    words = [module, *map(str, arguments)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", words)
        patch.delitem(sys.modules, module, raising=False)  # or runpy warns that it is there
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as stop:  # as the interpreter treats its code
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
            if isinstance(stop.code, str):
                print(stop.code, file=err)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def command(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run `python -m` with these arguments in a process of its own, in the project's folder."""
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
