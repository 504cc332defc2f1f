"""Runs of multi-slot MEC with queues: frame by frame, in and out of a run folder.

result.mat holds what the published script saves, under its names; frames.csv holds the rest.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from env.datasets import read_variables
from experiments import results

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FILE = "result.mat"

FIRST = 200  # frames at the start that are looked at by themselves
OPTIMAL = 1 - 1e-9  # of the optimum: ties differ by rounding only

PUBLISHED = {
    "gain": "input_h",
    "arrival": "data_arrival",
    "data_queue": "data_queue",
    "energy_queue": "energy_queue",
    "decision": "off_mode",
    "rate": "rate",
    "energy": "energy_consumption",
    "objective": "objective",
}
"""The fields of `QueueingHistory`, and what the published result files call them."""

NUMBERS = ("own_objective", "optimal_objective", "k", "best_candidate", "scored")


@dataclass(frozen=True, eq=False)
class QueueingHistory:
    """A run, frame by frame.

    Attributes:
        gain: channel gains h `[T, N]`.
        arrival: A, what came in during the frame `[T, N]`, Mbit.
        data_queue: Q at its start `[T, N]`, Mbit.
        energy_queue: Y at its start `[T, N]`.
        decision: zeros (local) and ones (offloaded) `[T, N]`.
        rate: r, what was computed `[T, N]`, Mbit.
        energy: e, what that took `[T, N]`, J.
        objective: of drift plus penalty `[T]`, Mbit^2.
        own_objective: of the policy's own rounded decision; for other schemes the objective.
        optimal_objective: the most that the frame allowed, in this state `[T]`: an upper bound.
        k: K, how many candidates were asked for `[T]`; 0 for other schemes, and so on.
        best_candidate: which candidate won `[T]`, from 0.
        scored: how many decisions were scored `[T]`, refinement included.
        cost_frame: the frames of the training steps `[U]`, from 1.
        cost: training losses `[U]`.
    """

    gain: Floats
    arrival: Floats
    data_queue: Floats
    energy_queue: Floats
    decision: Ints
    rate: Floats
    energy: Floats
    objective: Floats
    own_objective: Floats
    optimal_objective: Floats
    k: Ints
    best_candidate: Ints
    scored: Ints
    cost_frame: Ints
    cost: Floats

    @property
    def normalized_objective(self) -> Floats:
        """Achieved over optimal objective `[T]`; 1 where there is nothing to gain."""
        return self._normalized(self.objective)

    @property
    def own_normalized_objective(self) -> Floats:
        """The same for the policy's own rounded decision alone `[T]`."""
        return self._normalized(self.own_objective)

    def _normalized(self, objective: Floats) -> Floats:
        nothing = self.optimal_objective <= 0
        return np.where(nothing, 1.0, objective / np.where(nothing, 1.0, self.optimal_objective))


def summarize(history: QueueingHistory) -> dict[str, Any]:
    """Return the key figures of a run but for its stability; steady is its last half."""
    frames, devices = history.rate.shape
    steady, test = slice(frames // 2, None), slice(frames - max(1, frames // 5), None)
    queue, normalized = history.data_queue.mean(axis=1), history.normalized_objective
    arrived = float(history.arrival[steady].mean())
    steady_queue = float(queue[steady].mean())
    return {
        "num_devices": devices,
        "frames": frames,
        "mean_data_queue": float(queue.mean()),
        "steady_data_queue": steady_queue,
        "peak_data_queue": float(queue.max()),
        "steady_delay": steady_queue / arrived if arrived > 0 else None,
        "steady_energy_queue": float(history.energy_queue[steady].mean()),
        "mean_energy": float(history.energy.mean()),
        "steady_rate": float(history.rate[steady].mean()),
        "steady_arrival": arrived,
        "offloading_fraction": float(history.decision.mean()),
        "normalized_objective": float(normalized.mean()),
        "normalized_objective_test": float(normalized[test].mean()),
        "normalized_objective_first_200": float(normalized[:FIRST].mean()),
        "optimal_decision_fraction_test": float((normalized[test] >= OPTIMAL).mean()),
        "own_normalized_objective_test": float(history.own_normalized_objective[test].mean()),
        "own_decision_fraction_test": float((history.best_candidate[test] == 0).mean()),
        "mean_k": float(history.k.mean()),
        "mean_scored": float(history.scored.mean()),
        "gradient_steps": len(history.cost),
    }


def write(folder: Path, history: QueueingHistory) -> None:
    """Write a run's frames into a folder: result.mat, frames.csv and cost.csv."""
    write_mat(folder / FILE, history)
    columns = {
        "frame": range(1, len(history.objective) + 1),
        "mean_data_queue": history.data_queue.mean(axis=1).tolist(),
        "mean_energy_queue": history.energy_queue.mean(axis=1).tolist(),
        "mean_energy": history.energy.mean(axis=1).tolist(),
        "mean_rate": history.rate.mean(axis=1).tolist(),
        "objective": history.objective.tolist(),
        **{name: getattr(history, name).tolist() for name in NUMBERS},
        "decision": ["".join(map(str, row)) for row in history.decision.tolist()],
    }
    results.write_csv(folder / "frames.csv", columns)
    cost = {"frame": history.cost_frame.tolist(), "cost": history.cost.tolist()}
    results.write_csv(folder / "cost.csv", cost)


def write_mat(path: Path, history: QueueingHistory) -> None:
    """Write a run as the published script does, with its names, for MATLAB and Octave."""
    variables = {name: getattr(history, field) for field, name in PUBLISHED.items()}
    variables["off_mode"] = history.decision.astype(np.uint8)
    variables["data_rate"] = history.rate  # the published files have it twice
    savemat(path, variables, do_compression=True, oned_as="row")


def load(run: Path) -> QueueingHistory:
    """Read a run folder's frames back.

    Raises:
        FileNotFoundError: if it is no folder of such a run.
        ValueError: if a file in it is damaged.
    """
    frames = results.read_csv(run / "frames.csv", NUMBERS)
    cost = results.read_csv(run / "cost.csv", ("frame", "cost"))
    saved = read_variables(run / FILE, list(PUBLISHED.values()))
    fields: dict[str, Any] = {
        field: saved[name].astype(np.float64) for field, name in PUBLISHED.items()
    }
    fields["decision"] = saved["off_mode"].astype(np.int64)
    fields["objective"] = fields["objective"].reshape(-1)
    for name in NUMBERS:
        kind = np.float64 if name.endswith("objective") else np.int64
        fields[name] = np.array(frames[name], dtype=kind)
    return QueueingHistory(
        **fields,
        cost_frame=np.array(cost["frame"], dtype=np.int64),
        cost=np.array(cost["cost"], dtype=np.float64),
    )
