"""Run folders: named by time, N and seed, written whole or not at all, found again by settings.

A run folder results/EXPERIMENT/RUN/ holds config.json (provenance), frames.csv (a row a frame),
cost.csv (a row a training step), summary.json, and as the run has them result.mat,
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
    """Write a run into a new folder of `parent`, and return that.

    Args:
        parent: the experiment's folder.
        config: the provenance, as it was before the run.
        summary: content of summary.json; its `num_devices` and `seed` name the folder.
        write_more: called with the folder, to write the rest.
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
    """Return the time as the names of folders have it."""
    return time.strftime("%Y%m%d-%H%M%S")


def new_folder(parent: Path, name: str, write: Callable[[Path], None]) -> Path:
    """Fill a folder and then give it its name, or name-2, name-3, ... whichever is free.

    After an error nothing is left.

    Args:
        parent: where the folder is to be; made if it does not exist.
        name: of the folder.
        write: called with a folder, to fill it.

    Returns:
        The folder.
    """
    parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{name}-", suffix=".partial", dir=parent))
    try:
        partial.chmod(0o755)  # mkdtemp's are private
        write(partial)
        return _rename_to_free(partial, parent / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def load_config(run: Path) -> dict[str, Any]:
    """Read a run folder's config.json; the errors are those of `read_json`."""
    return read_json(run / "config.json")


def load_summary(run: Path) -> dict[str, Any]:
    """Read a run folder's summary.json; the errors are those of `read_json`."""
    return read_json(run / "summary.json")


def find(parent: Path, config: RunConfig) -> Path | None:
    """Return a run of these very settings, data, versions and commit in `parent`, if there is one.

    A run of a modified checkout never counts as the same.
    """
    wanted = json.loads(json.dumps(provenance(config)))
    if str(wanted["commit"]).endswith(MODIFIED):
        return None
    for file in sorted(parent.glob("[!.]*/config.json")):
        with suppress(ValueError):  # a damaged one is no such run
            if read_json(file) == wanted:
                return file.parent
    return None


def described_study(folder: Path) -> dict[str, Any] | None:
    """Return what config.json says of a study; None for a run's folder, or none at all."""
    with suppress(FileNotFoundError, ValueError):
        study = load_config(folder).get("study")
        return study if isinstance(study, dict) else None
    return None


def _rename_to_free(partial: Path, target: Path) -> Path:
    """Rename a folder to `target`, or target-2, target-3, ... whichever is free; return that."""
    free, number = target, 1
    while True:
        try:
            return partial.rename(free)
        except OSError:
            if not free.exists():
                raise
        number += 1
        free = target.with_name(f"{target.name}-{number}")
