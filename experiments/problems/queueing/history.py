"""Runs of multi-slot MEC with queues: frame by frame, in and out of a run folder.

result.mat holds what the published script saves, under its names; frames.csv holds the rest.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from droo_core.validation import in_range
from env.datasets import read_variables
from experiments.runs import results

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESULT_FILE = "result.mat"

PUBLISHED = {
    "gain": "input_h",
    "arrival": "data_arrival",
    "data_queue": "data_queue",
    "energy_queue": "energy_queue",
    "decision": "off_mode",
    "rate": "rate",
    "energy": "energy_consumption",
    "objective": "objective",
    "weights": "weights",
}
"""The fields of `QueueingHistory` and what the published files call them; the last they lack."""

NUMBERS = ("own_objective", "k", "best_candidate", "scored")


class Learned(NamedTuple):
    """What an agent tells of its frames.

    Attributes:
        own_objective: of the policy's own rounded decision `[T]`, Mbit^2.
        k: K, how many candidates were asked for `[T]`.
        best_candidate: which candidate won `[T]`, from 0.
        scored: how many decisions were scored `[T]`, refinement included.
    """

    own_objective: Floats
    k: Ints
    best_candidate: Ints
    scored: Ints

    @classmethod
    def empty(cls, frames: int) -> Self:
        """Return room for so many frames."""
        k, best_candidate, scored = np.zeros((3, frames), dtype=np.int64)
        return cls(np.empty(frames), k, best_candidate, scored)


@dataclass(frozen=True, eq=False)
class QueueingHistory:
    """A run, frame by frame.

    Attributes:
        gain: channel gains h `[T, N]`.
        arrival: A, what came in during the frame `[T, N]`, Mbit.
        data_queue: Q at its start `[T, N]`, Mbit.
        energy_queue: Y at its start `[T, N]`.
        decision: zeros (local) and ones (offloaded) `[T, N]`.
        weights: w `[N]`.
        rate: r, what was computed `[T, N]`, Mbit.
        energy: e, what that took `[T, N]`, J.
        objective: of drift plus penalty `[T]`, Mbit^2.
        optimal_objective: the most that the frame allowed, in this state `[T]`: an upper bound.
        learned: what an agent tells of the frames; None of a scheme that does not learn.
        cost_frame: the frames of the training steps `[U]`, from 1.
        cost: training losses `[U]`.
    """

    gain: Floats
    arrival: Floats
    data_queue: Floats
    energy_queue: Floats
    decision: Ints
    weights: Floats
    rate: Floats
    energy: Floats
    objective: Floats
    optimal_objective: Floats
    learned: Learned | None
    cost_frame: Ints
    cost: Floats

    @property
    def normalized_objective(self) -> Floats:
        """Achieved over optimal objective `[T]`; 1 where there is nothing to gain."""
        return results.normalized(self.objective, self.optimal_objective)


def summarize(history: QueueingHistory, *, lyapunov: bool = True) -> dict[str, Any]:
    """Return the key figures of a run but for its stability; steady is its last half.

    Args:
        history: the frames.
        lyapunov: whether decisions were to serve the objective; of others it tells nothing.
    """
    frames, devices = history.rate.shape
    steady, test = slice(frames // 2, None), slice(frames - max(1, frames // 5), None)
    queue, normalized = history.data_queue.mean(axis=1), history.normalized_objective
    of_objective = {
        "normalized_objective": float(normalized.mean()),
        "normalized_objective_test": float(normalized[test].mean()),
        "normalized_objective_first_200": float(normalized[: results.FIRST].mean()),
        "optimal_decision_fraction_test": float((normalized[test] >= results.OPTIMAL).mean()),
    }
    return {
        "num_devices": devices,
        "frames": frames,
        "steady_data_queue": float(queue[steady].mean()),
        "peak_data_queue": float(queue.max()),
        "steady_energy_queue": float(history.energy_queue[steady].mean()),
        "mean_energy": float(history.energy.mean()),
        "steady_weighted_rate": float((history.rate[steady] @ history.weights).mean()),
        "steady_weighted_arrival": float((history.arrival[steady] @ history.weights).mean()),
        **(of_objective if lyapunov else dict.fromkeys(of_objective)),
        **_of_learning(history, test),
    }


def _of_learning(history: QueueingHistory, test: slice) -> dict[str, Any]:
    """Return what a summary tells of an agent; None of each for a scheme that does not learn."""
    learned = history.learned
    if learned is None:
        names = ("own_normalized_objective_test", "own_decision_fraction_test", "mean_k")
        return dict.fromkeys((*names, "mean_scored", "gradient_steps"))
    own = results.normalized(learned.own_objective, history.optimal_objective)
    return {
        "own_normalized_objective_test": float(own[test].mean()),
        "own_decision_fraction_test": float((learned.best_candidate[test] == 0).mean()),
        "mean_k": float(learned.k.mean()),
        "mean_scored": float(learned.scored.mean()),
        "gradient_steps": len(history.cost),
    }


def write(folder: Path, history: QueueingHistory) -> None:
    """Write a run's frames into a folder: result.mat, frames.csv and cost.csv."""
    write_mat(folder / RESULT_FILE, history)
    learned = {} if history.learned is None else history.learned._asdict()
    columns = {
        "frame": range(1, len(history.objective) + 1),
        "mean_data_queue": history.data_queue.mean(axis=1).tolist(),
        "mean_energy_queue": history.energy_queue.mean(axis=1).tolist(),
        "mean_energy": history.energy.mean(axis=1).tolist(),
        "mean_rate": history.rate.mean(axis=1).tolist(),
        "objective": history.objective.tolist(),
        "optimal_objective": history.optimal_objective.tolist(),
        "normalized_objective": history.normalized_objective.tolist(),
        **{name: values.tolist() for name, values in learned.items()},
        "decision": results.as_text(history.decision),
    }
    results.write_csv(folder / "frames.csv", columns)
    results.write_cost(folder, history.cost_frame, history.cost)


def write_mat(path: Path, history: QueueingHistory) -> None:
    """Write a run as the published script does, with its names, for MATLAB and Octave."""
    savemat(path, published(history), do_compression=True)


def published(history: QueueingHistory) -> dict[str, NDArray[Any]]:
    """Return the variables of the published files `[T, N]`; objective and weights are rows."""
    variables = {name: getattr(history, field) for field, name in PUBLISHED.items()}
    variables["off_mode"] = history.decision.astype(np.uint8)
    variables["data_rate"] = history.rate  # the published files have it twice
    return {name: np.atleast_2d(values) for name, values in variables.items()}


def load(run: Path) -> QueueingHistory:
    """Read a run folder's frames back.

    Raises:
        FileNotFoundError: if it is no folder of such a run.
        ValueError: if a file in it is damaged.
    """
    frames = results.read_csv(run / "frames.csv", ("optimal_objective",), NUMBERS)
    saved = read_variables(run / RESULT_FILE, list(PUBLISHED.values()))
    fields: dict[str, Any] = {
        field: saved[name].astype(np.float64) for field, name in PUBLISHED.items()
    }
    fields["decision"] = saved["off_mode"].astype(np.int64)
    for name in ("objective", "weights"):
        fields[name] = fields[name].reshape(-1)
    optimal = np.array(frames["optimal_objective"], dtype=np.float64)
    shape = fields["gain"].shape
    for field, values in fields.items():
        wanted = {"objective": shape[:1], "weights": shape[1:]}.get(field, shape)
        in_range(f"{PUBLISHED[field]} of {run / RESULT_FILE}", values, -np.inf, np.inf, wanted)
    in_range(f"optimal_objective of {run / 'frames.csv'}", optimal, -np.inf, np.inf, shape[:1])
    there = [name for name in NUMBERS if name in frames]
    if 0 < len(there) < len(NUMBERS):
        raise ValueError(f"{run / 'frames.csv'} must have all of the columns {', '.join(NUMBERS)}")
    learned = None
    if there:
        own, *counts = (frames[name] for name in NUMBERS)
        learned = Learned(
            np.array(own, dtype=np.float64), *(np.array(each, dtype=np.int64) for each in counts)
        )
    cost_frame, cost = results.read_cost(run)
    return QueueingHistory(
        **fields,
        optimal_objective=optimal,
        learned=learned,
        cost_frame=cost_frame,
        cost=cost,
    )
