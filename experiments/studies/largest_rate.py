"""The largest arrival rate at which each scheme keeps all data queues stable, by bisection.

A rate is too large if, over the last half of a run, some data queue grows by more than 0.2 % of the
arrivals. This needs long runs: rates at the scale smoke are meaningless.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.configs import LyDROOConfig, ScaledConfig, resolve
from experiments.problems import experiment_of
from experiments.problems.queueing import stability
from experiments.runs.provenance import provenance
from experiments.runs.statistics import aligned, interval_text
from experiments.studies.catalogue import SCHEMES
from experiments.studies.figures import save_bars
from experiments.studies.folder import frames_of, publish, read_rows, seeds_of, spread
from experiments.studies.metrics import Metric

FRAMES = 20_000
SEEDS = 5
LOW, HIGH = 0.1, 10.0  # Mbit per frame: all schemes are stable at LOW, none at HIGH
PRECISION = {"smoke": 0.2, "full": 0.002}  # relative
GROWTH = 0.002  # growth of a queue, as a fraction of the arrivals, that counts as none


def run(config: ScaledConfig) -> Path:
    """Run the study, and return the folder with the table, the data and the figure."""
    came_from = provenance(config)
    frames = frames_of(config, FRAMES)
    tasks = [
        (label, LyDROOConfig(**{"frames": frames, "seed": seed} | dict(settings)))
        for label, settings in SCHEMES.items()
        for seed in seeds_of(config, SEEDS)
    ]
    print(f"largest_rate: {len(tasks)} searches by runs of {frames:,} frames")
    searches = [(settings, LOW, HIGH, PRECISION[config.scale]) for _, settings in tasks]
    rates = spread("searches", largest_rate, searches, config.jobs)
    rows = [
        {"decides": label, "seed": settings.seed, "largest_rate": rate}
        for (label, settings), rate in zip(tasks, rates, strict=True)
    ]
    return publish("largest_rate", config, came_from, rows, table(rows), draw)


def largest_rate(
    config: LyDROOConfig, low: float = LOW, high: float = HIGH, precision: float = 0.002
) -> float:
    """Return the largest arrival rate at which a scheme's data queues are stable, Mbit per frame.

    The channel is the same at all rates; the arrivals differ only in scale.

    Args:
        config: settings of the runs; the arrival rate is replaced.
        low: a rate at which the queues are stable, Mbit per frame.
        high: a rate at which they are not, Mbit per frame.
        precision: relative precision of the result.

    Raises:
        ValueError: if the queues are not stable at `low`, or are stable at `high`.
    """
    # At a small rate in a short run, random growth can exceed 0.2 % of the few arrivals.
    if not is_stable(config, low, growth=stability.TOLERANCE):
        raise ValueError(f"low must be a rate at which all queues are stable, got {low}")
    if is_stable(config, high):
        raise ValueError(f"high must be a rate at which some queue is unstable, got {high}")
    while high > low * (1 + precision):
        rate = float(np.sqrt(low * high))
        if is_stable(config, rate):
            low = rate
        else:
            high = rate
    return low


def is_stable(config: LyDROOConfig, rate: float, growth: float = GROWTH) -> bool:
    """Whether at this arrival rate every data queue's drift is at most `growth` times the rate."""
    config = resolve(replace(config, arrival_rate=rate))
    task = experiment_of(config).prepare(config)
    queues = np.array([step.before["data_queue"] for step in task.simulate()])
    drifts = [stability.drift(queue).mean for queue in queues.T]
    return max(drifts) <= growth * rate


def rates_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return label -> largest rates of its runs."""
    rates: dict[str, list[float]] = {}
    for row in rows:
        rates.setdefault(row["decides"], []).append(float(row["largest_rate"]))
    return rates


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table: mean rates over seeds and ratios to Exact, with 95 % intervals."""
    rates = rates_of(rows)
    lines = [["decides", "largest stable rate (Mbit a frame)", "over that of Exact"]]
    for label, of_label in rates.items():
        ratios = np.array(of_label) / rates["Exact"]
        ratio = interval_text(ratios.tolist(), "{:.3f}".format)
        lines.append([label, interval_text(of_label, "{:.3f}".format), ratio])
    return aligned(lines)


def draw(study: Path, output: Path, described: Mapping[str, Any]) -> list[Path]:  # noqa: ARG001
    """Draw the figure of a saved study into another folder; return the files."""
    rows = read_rows(study / "runs.csv", ("decides", "largest_rate"))
    rates = rates_of(rows)
    panel = Metric("Largest stable arrival rate (Mbit a frame)")
    return save_bars(rates, panel, output / "largest_rate")
