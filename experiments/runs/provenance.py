"""The provenance of a run: its settings, and the versions of code and packages."""

import hashlib
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from experiments.configs import Config, resolve

MODIFIED = "+changes"
PACKAGES = ("droo", "torch", "numpy", "scipy", "numba", "gymnasium")


def provenance(config: Config) -> dict[str, Any]:
    """Return the content of config.json: settings, versions, commit, and a hash of the data file.

    Args:
        config: settings, an instance of a class in `experiments.configs`; resolved here.
    """
    settings = asdict(resolve(config))
    # The results folder and TensorBoard do not affect a run, so they are not recorded.
    for name in ("results", "tensorboard"):
        settings.pop(name, None)
    return {
        "config": {
            name: str(value) if isinstance(value, Path) else value
            for name, value in settings.items()
        },
        "seed": settings.get("seed"),
        "data_sha256": sha256(settings.get("data")),
        "warm_start_sha256": sha256(settings.get("warm_start")),
        "versions": {name: _version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "commit": _commit(),
    }


def sha256(file: Path | None) -> str | None:
    """Return the SHA-256 hash of a file; None if there is no file."""
    return None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()


def _version(package: str) -> str | None:
    """Return a package's version; None if it is not installed, as this project itself may be."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the checkout's commit, marked if files have changed since; None if there is none."""

    def git(*arguments: str) -> str:
        command = ("git", "-C", str(Path(__file__).parent), *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # Fails if this file is not tracked: a checkout around an installation is another project's.
        git("ls-files", "--error-unmatch", __file__)
        commit = git("rev-parse", "HEAD")
        changes = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + MODIFIED if changes else commit
