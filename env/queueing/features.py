"""Features of multi-slot MEC with queues."""

from typing import NamedTuple

import numpy as np

from droo_core.arrays import Floats
from env.common.features import FeatureTable, active, log_gain

# Networks like numbers of about 1.
GAIN_SCALE = 1e10  # devices are hundreds of metres away, gains about 1e-11
QUEUE_SCALE = 1e4  # as published

MAX_AIRTIME = 4.0  # frames; beyond, offloading is out of the question anyway


class QueueingView(NamedTuple):
    """Per-device quantities of a frame of MEC with queues, `[N]` each; of T frames `[T, N]`.

    Attributes:
        gain: channel gains h.
        data_queue: Q, Mbit.
        energy_queue: virtual energy queues Y.
        weights: w.
        price: first row of `QueueingFrame.outlook`.
        airtime: second row, s.
        ahead: third row, s.
    """

    gain: Floats
    data_queue: Floats
    energy_queue: Floats
    weights: Floats
    price: Floats
    airtime: Floats
    ahead: Floats


QUEUEING_FEATURES: FeatureTable[QueueingView] = {
    "gain": lambda frame: frame.gain * GAIN_SCALE,
    "data_queue": lambda frame: frame.data_queue / QUEUE_SCALE,
    "energy_queue": lambda frame: frame.energy_queue / QUEUE_SCALE,
    "log_gain": lambda frame: log_gain(frame.gain * GAIN_SCALE),
    "log_data_queue": lambda frame: np.log1p(frame.data_queue),
    "log_energy_queue": lambda frame: np.log1p(frame.energy_queue),
    "weight": lambda frame: frame.weights,
    "active": lambda frame: active(frame.gain),
    "log_price": lambda frame: np.log1p(frame.price),
    "airtime": lambda frame: np.minimum(frame.airtime, MAX_AIRTIME),
    "ahead": lambda frame: np.minimum(frame.ahead, MAX_AIRTIME),
}

OUTLOOK = ("log_price", "airtime", "ahead")
"""The features that need `QueueingFrame.outlook`."""
