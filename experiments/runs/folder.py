"""Run folders: named by time, N and seed, written atomically, and found again by their settings.

A run folder results/EXPERIMENT/RUN/ holds config.json (provenance), frames.csv (one row per frame),
cost.csv (one row per training step) and summary.json; depending on the run also result.mat,
checkpoint.safetensors and figures.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.configs import RunConfig
from experiments.runs.files import read_json, write_json
from experiments.runs.provenance import MODIFIED, provenance


def save_run(
    parent: Path,
    config: Mapping[str, Any],
    summary: Mapping[str, Any],
    write_more: Callable[[Path], None],
) -> Path:
    """Write a run into a new folder inside `parent`, and return the new folder.

    Args:
        parent: the experiment's results folder.
        config: provenance of the run, taken before it started.
        summary: content of summary.json; the folder's name contains its `num_devices` and `seed`.
        write_more: called with the folder, to write the other files.
    """

    def write(folder: Path) -> None:
        write_json(folder / "config.json", config)
        write_json(folder / "summary.json", summary)
        write_more(folder)

    return new_folder(parent, run_name(summary["num_devices"], summary["seed"]), write)


def run_name(num_devices: int, seed: int) -> str:
    """Return the name of a run's folder."""
    return f"{timestamp()}-n{num_devices}-seed{seed}"


def timestamp() -> str:
    """Return the current time in the format of folder names."""
    return time.strftime("%Y%m%d-%H%M%S")


def new_folder(parent: Path, name: str, write: Callable[[Path], None]) -> Path:
    """Write a temporary folder, then rename it to name, or to the first free of name-2, name-3, ...

    If `write` raises an error, the temporary folder is deleted.

    Args:
        parent: the folder that will contain it; created if it does not exist.
        name: name of the folder.
        write: called with the temporary folder, to write its files.

    Returns:
        The folder under its final name.
    """
    parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{name}-", suffix=".partial", dir=parent))
    try:
        partial.chmod(0o755)  # mkdtemp creates private folders
        write(partial)
        return _rename_to_free(partial, parent / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def load_config(run: Path) -> dict[str, Any]:
    """Read a run folder's config.json; raises as `read_json`."""
    return read_json(run / "config.json")


def load_summary(run: Path) -> dict[str, Any]:
    """Read a run folder's summary.json; raises as `read_json`."""
    return read_json(run / "summary.json")


def saved_runs(parent: Path) -> dict[Path, dict[str, Any]]:
    """Return the run folders in `parent`, by name, with the content of their config.json."""
    runs = {}
    for file in sorted(parent.glob("[!.]*/config.json")):
        with suppress(ValueError):  # damaged files are skipped
            runs[file.parent] = read_json(file)
    return runs


def find(runs: Mapping[Path, Mapping[str, Any]], config: RunConfig) -> Path | None:
    """Return the first of `saved_runs` with the same settings, data, versions and commit, or None.

    Runs of a checkout with uncommitted changes are never considered the same.
    """
    wanted = json.loads(json.dumps(provenance(config)))
    if str(wanted["commit"]).endswith(MODIFIED):
        return None
    return next((folder for folder, came_from in runs.items() if came_from == wanted), None)


def described_study(folder: Path) -> dict[str, Any] | None:
    """Return the entry "study" of a folder's config.json; None if the folder is not a study's."""
    with suppress(FileNotFoundError, ValueError):
        study = load_config(folder).get("study")
        return study if isinstance(study, dict) else None
    return None


def _rename_to_free(partial: Path, target: Path) -> Path:
    """Rename a folder to `target`, or to the first free of target-2, target-3, ...; return it."""
    free, number = target, 1
    while True:
        try:
            return partial.rename(free)
        except OSError:
            if not free.exists():
                raise
        number += 1
        free = target.with_name(f"{target.name}-{number}")
