"""Run folders: what a run leaves behind, written whole or not at all, and read back.

A run folder results/EXPERIMENT/RUN/ holds config.json (settings, versions, commit), frames.csv (a
row a frame), cost.csv (a row a training step), summary.json, checkpoint.safetensors, the figures.
"""

import csv
import hashlib
import itertools
import json
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from experiments.configs import DROOConfig

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PACKAGES = ("droo", "torch", "numpy", "scipy", "numba", "gymnasium")
MODIFIED = "+changes"
FRAME_COLUMNS = (
    "frame",
    "rate",
    "optimal_rate",
    "normalized_rate",
    "num_candidates",
    "best_candidate",
    "decision",
)
COST_COLUMNS = ("frame", "cost")
OPTIMAL = 1 - 1e-9  # of the optimum: ties differ by rounding only


@dataclass(frozen=True)
class History:
    """A run, frame by frame.

    Attributes:
        rate: weighted sum computation rate of each frame `[T]`, bit/s.
        optimal_rate: the most that each frame allowed `[T]`, bit/s.
        num_candidates: K `[T]`.
        best_candidate: which candidate won `[T]`, from 0.
        decision: `[T, N]`.
        cost_frame: the frames of the training steps `[U]`, from 1.
        cost: training losses `[U]`.
    """

    rate: Floats
    optimal_rate: Floats
    num_candidates: Ints
    best_candidate: Ints
    decision: Ints
    cost_frame: Ints
    cost: Floats

    @property
    def normalized_rate(self) -> Floats:
        """Achieved over optimal rate `[T]`; 1 where nothing can be achieved."""
        nothing = self.optimal_rate == 0
        return np.where(nothing, 1.0, self.rate / np.where(nothing, 1.0, self.optimal_rate))


def summarize(history: History, test_frames: int) -> dict[str, Any]:
    """Return the figures of a run that its frames tell; the last `test_frames` are the test."""
    normalized = history.normalized_rate
    test = normalized[-test_frames:]
    return {
        "num_devices": history.decision.shape[1],
        "frames": len(normalized),
        "test_frames": test_frames,
        "normalized_rate_test": float(test.mean()),
        "optimal_decision_fraction_test": float((test >= OPTIMAL).mean()),
        "frames_to_0_99": frames_to(normalized, 0.99),
        "frames_to_0_999": frames_to(normalized, 0.999),
        "mean_k": float(history.num_candidates.mean()),
    }


def frames_to(normalized_rate: Floats, level: float, window: int = 200) -> int | None:
    """Return the first frame, from 1, at which the mean of the last `window` reaches `level`."""
    if len(normalized_rate) < window:
        return None
    reached = sliding_window_view(normalized_rate, window).mean(axis=1) >= level
    return int(reached.argmax()) + window if reached.any() else None


def provenance(config: DROOConfig) -> dict[str, Any]:
    """Return what config.json holds: the settings, and what they ran on."""
    settings = asdict(config)
    del settings["results"]  # where a run lies is no part of what it is
    data = config.data and hashlib.sha256(config.data.read_bytes()).hexdigest()
    return {
        "config": {
            name: str(value) if isinstance(value, Path) else value
            for name, value in settings.items()
        },
        "seed": config.seed,
        "data_sha256": data,
        "versions": {name: _version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "commit": _commit(),
    }


def save(
    parent: Path,
    config: dict[str, Any],
    history: History,
    summary: dict[str, Any],
    write_more: Callable[[Path], None],
) -> Path:
    """Write a run into a new folder of `parent`, and return that.

    The folder gets its name, the time with N and the seed, when all is in it: after an error
    nothing is left that looks like a run.

    Args:
        parent: the experiment's folder.
        config: what `provenance` returned before the run.
        history: the frames.
        summary: what summary.json is to hold.
        write_more: called with the folder, to write what else belongs in it.
    """
    parent.mkdir(parents=True, exist_ok=True)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-n{summary['num_devices']}-seed{summary['seed']}"
    partial = Path(tempfile.mkdtemp(prefix=f".{name}-", suffix=".partial", dir=parent))
    try:
        partial.chmod(0o755)  # mkdtemp's are private
        _write_json(partial / "config.json", config)
        _write_json(partial / "summary.json", summary)
        _write_frames(partial / "frames.csv", history)
        _write_rows(
            partial / "cost.csv",
            COST_COLUMNS,
            zip(history.cost_frame.tolist(), history.cost.tolist(), strict=True),
        )
        write_more(partial)
        return _rename_to_free(partial, parent / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def load(run: Path) -> History:
    """Read a run folder's frames back.

    Raises:
        FileNotFoundError: if it is no run folder.
        ValueError: if a file in it is damaged.
    """
    frames = _read_rows(run / "frames.csv", FRAME_COLUMNS)
    cost = _read_rows(run / "cost.csv", COST_COLUMNS)
    return History(
        rate=frames[:, 1].astype(np.float64),
        optimal_rate=frames[:, 2].astype(np.float64),
        num_candidates=frames[:, 4].astype(np.int64),
        best_candidate=frames[:, 5].astype(np.int64),
        decision=np.array([list(bits) for bits in frames[:, 6]], dtype=np.int64),
        cost_frame=cost[:, 0].astype(np.int64),
        cost=cost[:, 1].astype(np.float64),
    )


def load_summary(run: Path) -> dict[str, Any]:
    """Read a run folder's summary.json."""
    summary: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return summary


def find(parent: Path, config: DROOConfig) -> Path | None:
    """Return a run of these very settings, versions and commit in `parent`, if there is one.

    A run of a modified checkout is never taken for another.
    """
    wanted = json.loads(json.dumps(provenance(config)))
    if str(wanted["commit"]).endswith(MODIFIED):
        return None
    for file in sorted(parent.glob("[!.]*/config.json")):
        with suppress(ValueError):  # one that is damaged is no such run
            if json.loads(file.read_text()) == wanted:
                return file.parent
    return None


def _version(package: str) -> str | None:
    """Return a package's version; None for what is not installed, as this project may be."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the checkout's commit, marked if it was modified since; None outside a checkout."""

    def git(*arguments: str) -> str:
        command = ("git", "-C", str(Path(__file__).parent), *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", __file__)  # or it is somebody else's checkout around us
        commit = git("rev-parse", "HEAD")
        changes = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + MODIFIED if changes else commit


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def _write_rows(path: Path, columns: tuple[str, ...], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _read_rows(path: Path, columns: tuple[str, ...]) -> NDArray[np.str_]:
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} is no run folder: it has no {path.name}")
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    if rows[:1] != [list(columns)] or any(len(row) != len(columns) for row in rows):
        raise ValueError(f"{path} must have the columns {', '.join(columns)} in every row")
    return np.array(rows[1:], dtype=np.str_).reshape(-1, len(columns))


def _write_frames(path: Path, history: History) -> None:
    columns = zip(
        range(1, len(history.rate) + 1),
        history.rate.tolist(),
        history.optimal_rate.tolist(),
        history.normalized_rate.tolist(),
        history.num_candidates.tolist(),
        history.best_candidate.tolist(),
        ("".join(map(str, decision)) for decision in history.decision.tolist()),
        strict=True,
    )
    _write_rows(path, FRAME_COLUMNS, columns)


def _rename_to_free(partial: Path, target: Path) -> Path:
    """Rename a folder to `target`, or target-2, target-3, ... whichever is free; return that."""
    for number in itertools.count(1):
        free = target if number == 1 else target.with_name(f"{target.name}-{number}")
        try:
            return partial.rename(free)
        except OSError:
            if not free.exists():
                raise
    raise AssertionError("unreachable: the count has no end")
