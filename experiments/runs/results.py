"""Run folders: what a run leaves behind, written whole or not at all, and read back.

A run folder results/EXPERIMENT/RUN/ holds config.json (provenance), frames.csv (a row per frame),
cost.csv (a row per training step), summary.json, checkpoint.safetensors and, but for the runs of
studies, the figures.
"""

import csv
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from experiments.configs import RunConfig
from experiments.runs.provenance import MODIFIED, provenance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST = 200  # frames at the start, and after a change, that are looked at by themselves
OPTIMAL = 1 - 1e-9  # of the optimum: ties differ by rounding only


@dataclass(frozen=True, eq=False)
class History:
    """A run, frame by frame.

    Attributes:
        rate: weighted sum computation rate of each frame `[T]`, bit/s.
        own_rate: of the policy's own rounded decision alone, bit/s.
        optimal_rate: the most that each frame allowed `[T]`, bit/s: a certified upper bound of it.
        k: K, how many candidates were asked for `[T]`.
        best_candidate: which candidate won `[T]`, from 0.
        scored: how many candidates were scored `[T]`, refinement included.
        decision: `[T, N]`.
        cost_frame: the frames of the training steps `[U]`, from 1.
        cost: training losses `[U]`.
    """

    rate: Floats
    own_rate: Floats
    optimal_rate: Floats
    k: Ints
    best_candidate: Ints
    scored: Ints
    decision: Ints
    cost_frame: Ints
    cost: Floats

    @property
    def normalized_rate(self) -> Floats:
        """Achieved over optimal rate `[T]`; 1 where nothing can be achieved."""
        return normalized(self.rate, self.optimal_rate)

    @property
    def own_normalized_rate(self) -> Floats:
        """The same for the policy's own rounded decision alone `[T]`."""
        return normalized(self.own_rate, self.optimal_rate)


def normalized(achieved: Floats, optimal: Floats) -> Floats:
    """Return achieved over optimal `[T]`; 1 where nothing can be achieved."""
    nothing = optimal == 0
    return np.where(nothing, 1.0, achieved / np.where(nothing, 1.0, optimal))


def summarize(history: History, test_frames: int, changes: Sequence[int] = ()) -> dict[str, Any]:
    """Return the key figures that a run's frames give.

    Args:
        history: the frames.
        test_frames: how many at the end are the test.
        changes: after how many frames the problem changed.
    """
    normalized = history.normalized_rate
    test = normalized[-test_frames:]
    changed = [normalized[at : at + FIRST].mean() for at in changes if at < len(normalized)]
    return {
        "num_devices": history.decision.shape[1],
        "frames": len(normalized),
        "test_frames": test_frames,
        "normalized_rate_test": float(test.mean()),
        "optimal_decision_fraction_test": float((test >= OPTIMAL).mean()),
        "frames_to_0_99": frames_to(normalized, 0.99),
        "frames_to_0_999": frames_to(normalized, 0.999),
        "normalized_rate_first_200": float(normalized[:FIRST].mean()),
        "normalized_rate_200_after_change": float(min(changed)) if changed else None,
        "own_normalized_rate_test": float(history.own_normalized_rate[-test_frames:].mean()),
        "own_decision_fraction_test": float((history.best_candidate[-test_frames:] == 0).mean()),
        "mean_k": float(history.k.mean()),
        "mean_scored": float(history.scored.mean()),
        "gradient_steps": len(history.cost),
    }


def frames_to(normalized_rate: Floats, level: float, window: int = 200) -> int | None:
    """Return the first frame, from 1, at which the mean of the last `window` reaches `level`."""
    if len(normalized_rate) < window:
        return None
    reached = sliding_window_view(normalized_rate, window).mean(axis=1) >= level
    return int(reached.argmax()) + window if reached.any() else None


def save(
    parent: Path,
    config: dict[str, Any],
    history: History,
    summary: dict[str, Any],
    write_more: Callable[[Path], None],
) -> Path:
    """Write a run into a new folder of `parent`, and return that.

    Args:
        parent: the experiment's folder.
        config: what `provenance` returned before the run.
        history: the frames.
        summary: what summary.json is to hold.
        write_more: called with the folder, to write what else belongs in it.
    """

    def write(folder: Path) -> None:
        frames = {
            "frame": range(1, len(history.rate) + 1),
            "rate": history.rate.tolist(),
            "own_rate": history.own_rate.tolist(),
            "optimal_rate": history.optimal_rate.tolist(),
            "normalized_rate": history.normalized_rate.tolist(),
            "k": history.k.tolist(),
            "best_candidate": history.best_candidate.tolist(),
            "scored": history.scored.tolist(),
            "decision": as_text(history.decision),
        }
        write_csv(folder / "frames.csv", frames)
        write_cost(folder, history.cost_frame, history.cost)
        write_more(folder)

    return save_run(parent, config, summary, write)


def save_run(
    parent: Path,
    config: dict[str, Any],
    summary: dict[str, Any],
    write_more: Callable[[Path], None],
) -> Path:
    """Write a run of any experiment into a new folder of `parent`, and return that.

    Its name is the time with N and the seed; the arguments are those of `save`.
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
    """Return the time, as it stands in a folder's name."""
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


def load(run: Path) -> History:
    """Read a run folder's frames back.

    Raises:
        FileNotFoundError: if it is no run folder.
        ValueError: if a file in it is damaged.
    """
    numbers = ("rate", "own_rate", "optimal_rate", "k", "best_candidate", "scored")
    frames = read_csv(run / "frames.csv", (*numbers, "decision"))
    cost_frame, cost = read_cost(run)
    decision = np.array([list(bits) for bits in frames["decision"]], dtype=np.int64)
    if decision.ndim != 2 or not np.isin(decision, (0, 1)).all():
        raise ValueError(f"{run / 'frames.csv'} must have decisions such as 0110, one or more")
    return History(
        rate=np.array(frames["rate"], dtype=np.float64),
        own_rate=np.array(frames["own_rate"], dtype=np.float64),
        optimal_rate=np.array(frames["optimal_rate"], dtype=np.float64),
        k=np.array(frames["k"], dtype=np.int64),
        best_candidate=np.array(frames["best_candidate"], dtype=np.int64),
        scored=np.array(frames["scored"], dtype=np.int64),
        decision=decision,
        cost_frame=cost_frame,
        cost=cost,
    )


def as_text(decisions: Ints) -> list[str]:
    """Return decisions `[T, N]` as text such as 0110, one for each frame."""
    return ["".join(map(str, row)) for row in decisions.tolist()]


def cost_columns(costs: Sequence[tuple[int, float]]) -> tuple[Ints, Floats]:
    """Return the frames `[U]` and the losses `[U]` of training steps, given as pairs."""
    cost_frame, cost = np.array(costs, dtype=np.float64).reshape(-1, 2).T
    return cost_frame.astype(np.int64), cost


def write_cost(folder: Path, cost_frame: Ints, cost: Floats) -> None:
    """Write the frames of a run's training steps, from 1, and their losses."""
    write_csv(folder / "cost.csv", {"frame": cost_frame.tolist(), "cost": cost.tolist()})


def read_cost(run: Path) -> tuple[Ints, Floats]:
    """Read back what `write_cost` wrote; the errors are those of `read_csv`."""
    cost = read_csv(run / "cost.csv", ("frame", "cost"))
    return np.array(cost["frame"], dtype=np.int64), np.array(cost["cost"], dtype=np.float64)


def load_config(run: Path) -> dict[str, Any]:
    """Read a run folder's config.json."""
    return _read_json(run / "config.json")


def load_summary(run: Path) -> dict[str, Any]:
    """Read a run folder's summary.json."""
    return _read_json(run / "summary.json")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} cannot be read, it may be damaged: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold an object, got {type(content).__name__}")
    return content


def find(parent: Path, config: RunConfig) -> Path | None:
    """Return a run of these very settings, data, versions and commit in `parent`, if there is one.

    A run of a modified checkout is never taken for another.
    """
    wanted = json.loads(json.dumps(provenance(config)))
    if str(wanted["commit"]).endswith(MODIFIED):
        return None
    for file in sorted(parent.glob("[!.]*/config.json")):
        with suppress(ValueError):  # one that is damaged is no such run
            if _read_json(file) == wanted:
                return file.parent
    return None


def study_module(folder: Path) -> str | None:
    """Return the module that draws a study's folder; None for a run's, or none at all."""
    with suppress(FileNotFoundError, ValueError):
        study = load_config(folder).get("study")
        return cast(str | None, study.get("module")) if isinstance(study, dict) else None
    return None


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON for people to read."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_csv(path: Path, columns: Mapping[str, Iterable[object]]) -> None:
    """Write columns of equal length under their names."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def read_csv(
    path: Path, wanted: Sequence[str] | None = None, optional: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Return columns of a file in a run folder as text, and of the optional ones what there is.

    Without names all columns are returned.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a column lacks, or a row is not whole.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} is no run folder: it has no {path.name}")
    try:
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
    except csv.Error as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    header = rows[0] if rows else []
    wanted = header if wanted is None else wanted
    if not set(wanted) <= set(header) or any(len(row) != len(header) for row in rows):
        raise ValueError(f"{path} must have the columns {', '.join(wanted)} in every row")
    there = [*wanted, *(name for name in optional if name in header)]
    return {name: [row[header.index(name)] for row in rows[1:]] for name in there}


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
