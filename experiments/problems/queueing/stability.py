"""Tests from one run whether queues are stable, by estimates of their drift with intervals."""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from droo_core.arrays import Floats
from droo_core.validation import in_range
from env import QueueingParameters
from experiments.runs.table import Table

VERDICTS = ("unstable", "undecided", "stable")  # the worst first

BATCHES = 6
"""Number of batches: few, so that each is long, since queues near capacity are correlated over
hundreds of frames."""

LEAST_FRAMES = 4 * BATCHES

TOLERANCE = 0.01
"""Growth per frame, as a fraction of what arrives at a queue, below which it counts as stable."""


class Drift(NamedTuple):
    """Mean growth of a queue per frame over the last half of a run, in the queue's unit.

    Attributes:
        mean: the estimate.
        low: lower end of its confidence interval.
        high: upper end of its confidence interval.
    """

    mean: float
    low: float
    high: float


def drift(queue: ArrayLike, confidence: float = 0.95) -> Drift:
    """Estimate the drift of a queue over the last half of a run.

    The last half is cut into six batches, and a line is fitted to the batch means; the estimate is
    its slope, with Student's confidence interval. Successive frames are strongly correlated, but
    means over batches much longer than the correlation time are nearly independent.

    Args:
        queue: length of the queue in each frame `[T]`, T at least 24.
        confidence: confidence level of the interval.

    Raises:
        ValueError: if there are too few frames, a length is NaN or infinite, or `confidence` is not
            between 0 and 1.
    """
    confidence = float(in_range("confidence", confidence, 0, 1, ()))
    means, size = batches(queue)
    line = scipy.stats.linregress(size * np.arange(BATCHES), means)
    error = 0.0 if np.ptp(means) == 0 else line.stderr  # scipy gives NaN for a constant queue
    half = float(scipy.stats.t.ppf((1 + confidence) / 2, BATCHES - 2) * error)
    return Drift(float(line.slope), float(line.slope) - half, float(line.slope) + half)


def batches(queue: ArrayLike) -> tuple[Floats, int]:
    """Return the batch means of the last half of a run, and the number of frames in a batch.

    Argument and errors are those of `drift`.
    """
    values = in_range("queue", queue, -math.inf, math.inf, ("T",))
    if len(values) < LEAST_FRAMES:
        raise ValueError(f"queue must have at least {LEAST_FRAMES} frames, got {len(values)}")
    size = len(values) // 2 // BATCHES
    return values[-size * BATCHES :].reshape(BATCHES, size).mean(axis=1), size


def verdict(queue: ArrayLike, tolerance: float, tests: int = 1) -> str:
    """Return whether a queue is "stable" or "unstable", or "undecided" if the run is too short.

    A queue is stable if the 95 % interval of its drift ends below the tolerance. Otherwise it is
    unstable if all of this holds: its drift exceeds the tolerance; the drift is significant, with
    the 5 % level divided by the number of tests (Bonferroni); and the queue grows in the last
    quarter of the run at least half as fast as in the third, so that it is not levelling off.

    Args:
        queue: as for `drift`.
        tolerance: growth per frame that counts as none.
        tests: number of queues that are tested.
    """
    found = drift(queue)
    if found.high <= tolerance:
        return "stable"
    means, _ = batches(queue)
    third, last = (np.polyfit(np.arange(3), part, 1)[0] for part in (means[:3], means[3:]))
    grew = found.mean > tolerance and drift(queue, 1 - 0.05 / tests).low > 0
    return "unstable" if grew and last >= 0.5 * third else "undecided"


def held(values: Floats, bound: float) -> float:
    """Return the fraction of frames in which every device's mean so far is within a bound.

    Args:
        values: values of the devices `[T, N]`.
        bound: upper bound on each mean.
    """
    frames = np.arange(1, len(values) + 1)[:, None]
    within = values.cumsum(axis=0) <= bound * frames * (1 + 1e-12)
    return float(within.all(axis=1).mean())


def report(table: Table, parameters: QueueingParameters, *, virtual: bool = True) -> dict[str, Any]:
    """Return the entries of summary.json on the stability of all queues of a run.

    Args:
        table: frames of the run.
        parameters: constants of the problem.
        virtual: whether to test the virtual energy queues too; they are meaningless if decisions
            do not depend on them.

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
