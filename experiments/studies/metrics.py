"""Key figures that studies draw: metric -> label and scale of its axis."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from droo_core.arrays import Floats
from experiments.runs.statistics import LEAST, shortfall


class Metric(NamedTuple):
    """One metric in a figure.

    Attributes:
        label: label of the axis.
        convert: function from a mean and the ends of its interval to the numbers drawn.
        limits: settings of the Axes.
    """

    label: str
    convert: Callable[[Floats], Floats] = np.asarray
    limits: Mapping[str, Any] = {}


LOG: Mapping[str, Any] = {"yscale": "log"}
METRICS: Mapping[str, Metric] = {
    "normalized_rate": Metric("1 - normalized rate", shortfall, LOG),
    "normalized_rate_first_200": Metric("1 - normalized rate, first 200 frames", shortfall, LOG),
    "normalized_rate_test": Metric("1 - normalized rate, test frames", shortfall, LOG),
    "microseconds_per_frame": Metric("Time per frame, learning (us)", limits=LOG),
    "steady_data_queue": Metric("Data queue, last half (Mbit)", limits=LOG),
    "steady_energy_queue": Metric("Energy queue, last half", limits=LOG),
    "steady_weighted_rate": Metric("Weighted rate (Mbit a frame)", limits={"ylim": (0, 45)}),
    "data_queue": Metric("Data queue (Mbit)", limits=LOG),
    "mean_energy": Metric("Energy (J a frame)", limits={"ylim": (0, 0.13)}),
    "energy": Metric("Energy (J a frame)", limits={"ylim": (0, 0.13)}),
    "normalized_objective": Metric(
        "1 - objective / optimum", shortfall, {"yscale": "log", "ylim": (LEAST, None)}
    ),
    "cost": Metric("Training loss", limits=LOG),
}
