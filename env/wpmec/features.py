"""Features of wireless powered MEC."""

from typing import NamedTuple

from droo_core.arrays import Floats
from env.common.features import FeatureTable, active, log_gain

GAIN_SCALE = 1e6  # devices are some metres away, gains about 1e-6; networks like numbers of about 1


class WPMECView(NamedTuple):
    """Per-device quantities of a frame of wireless powered MEC, `[N]` each; of T frames `[T, N]`.

    Attributes:
        gain: channel gains.
        weights: w.
    """

    gain: Floats
    weights: Floats


WPMEC_FEATURES: FeatureTable[WPMECView] = {
    "gain": lambda frame: frame.gain * GAIN_SCALE,
    "log_gain": lambda frame: log_gain(frame.gain * GAIN_SCALE),
    "weight": lambda frame: frame.weights,
    "active": lambda frame: active(frame.gain),
}
