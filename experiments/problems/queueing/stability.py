"""Whether queues are stable, from one run: how they drift, and how sure that is."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import linregress, t

from droo_core.arrays import Floats
from droo_core.validation import in_range
from env import QueueingParameters
from experiments.runs.table import Table

VERDICTS = ("unstable", "undecided", "stable")  # the worst first

BATCHES = 6
"""Few, so that each is long: queues near their capacity remember hundreds of frames."""

LEAST_FRAMES = 4 * BATCHES

TOLERANCE = 0.01
"""Of what comes into a queue: one that grows by less is stable for all that a run can tell."""


class Drift(NamedTuple):
    """By how much a queue grows in a frame, on average, over the last half of a run.

    Attributes:
        mean: the estimate.
        low: lower end of its confidence interval.
        high: upper end.
    """

    mean: float
    low: float
    high: float


def drift(queue: ArrayLike, confidence: float = 0.95) -> Drift:
    """Estimate how a queue drifts over the last half of a run.

    The last half is cut into six batches, a line fitted to their means, and its slope given with
    Student's interval. Successive frames are far from independent, but means over batches much
    longer than a queue's memory nearly are.

    Args:
        queue: its length in each frame `[T]`, at least 24.
        confidence: of the interval.

    Raises:
        ValueError: if there are too few frames, one is NaN or infinite, or `confidence` is not
            between 0 and 1.
    """
    confidence = float(in_range("confidence", confidence, 0, 1, ()))
    means, size = batches(queue)
    line = linregress(size * np.arange(BATCHES), means)
    error = 0.0 if np.ptp(means) == 0 else line.stderr  # scipy finds none for a queue at rest
    half = float(t.ppf((1 + confidence) / 2, BATCHES - 2) * error)
    return Drift(float(line.slope), float(line.slope) - half, float(line.slope) + half)


def batches(queue: ArrayLike) -> tuple[Floats, int]:
    """Return the means over batches of the last half of a run, and how many frames each has.

    The argument and the errors are those of `drift`.
    """
    values = in_range("queue", queue, -math.inf, math.inf, ("T",))
    if len(values) < LEAST_FRAMES:
        raise ValueError(f"queue must have at least {LEAST_FRAMES} frames, got {len(values)}")
    size = len(values) // 2 // BATCHES
    return values[-size * BATCHES :].reshape(BATCHES, size).mean(axis=1), size


def verdict(queue: ArrayLike, tolerance: float, tests: int = 1) -> str:
    """Return whether a queue is "stable" or "unstable", or "undecided" if the run is too short.

    It is stable if the 95 % interval of its drift ends below the tolerance. Else it is unstable if
    it grew: by more than the tolerance, surely so (an interval at a confidence that leaves 5 % for
    all of several tests together, Bonferroni's, lies above 0), and in the last quarter of the run
    no less than half as fast as in the third, or it would come to rest.

    Args:
        queue: as for `drift`.
        tolerance: growth in a frame that counts as none.
        tests: how many queues are judged.
    """
    found = drift(queue)
    if found.high <= tolerance:
        return "stable"
    means, _ = batches(queue)
    third, last = (np.polyfit(np.arange(3), part, 1)[0] for part in (means[:3], means[3:]))
    grew = found.mean > tolerance and drift(queue, 1 - 0.05 / tests).low > 0
    return "unstable" if grew and last >= 0.5 * third else "undecided"


def held(values: Floats, bound: float) -> float:
    """Return in which part of the frames the means of all so far are within a bound, all of them.

    Args:
        values: `[T, N]`.
        bound: of each mean.
    """
    frames = np.arange(1, len(values) + 1)[:, None]
    within = values.cumsum(axis=0) <= bound * frames * (1 + 1e-12)
    return float(within.all(axis=1).mean())


def report(table: Table, parameters: QueueingParameters, *, virtual: bool = True) -> dict[str, Any]:
    """Return the entries of summary.json on the stability of all queues of a run.

    Args:
        table: of the run.
        parameters: its constants.
        virtual: whether the virtual energy queues are judged too; they mean nothing where
            decisions do not depend on them.

    Raises:
        ValueError: if the run has fewer than 24 frames.
    """
    budget, devices = parameters.energy_budget, table.num_devices
    data_queues, energy_queues = table["data_queue"].T, table["energy_queue"].T
    arrived = TOLERANCE * table["arrival"].mean(axis=0)
    allowed = TOLERANCE * parameters.energy_queue_scale * budget
    tests = 2 * devices if virtual else devices
    data = [verdict(q, a, tests) for q, a in zip(data_queues, arrived, strict=True)]
    energy = [verdict(q, allowed, tests) for q in energy_queues] if virtual else []
    of_mean = drift(table.per_frame("data_queue"))
    return {
        "stability": min(data + energy, key=VERDICTS.index),
        "unstable_data_queues": data.count("unstable"),
        "unstable_energy_queues": energy.count("unstable"),
        "undecided_queues": (data + energy).count("undecided"),
        "data_queue_drift": of_mean.mean,
        "data_queue_drift_low": of_mean.low,
        "data_queue_drift_high": of_mean.high,
        "largest_data_queue_drift": max(drift(queue).mean for queue in data_queues),
        "largest_energy_queue_drift": max(drift(queue).mean for queue in energy_queues),
        "largest_mean_energy": float(table["energy"].mean(axis=0).max()),
        "energy_budget_held": held(table["energy"], budget),
    }
