"""Features: what a state tells of each device."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Known = Mapping[str, Callable[..., Floats]]
"""Features by name, as functions of what a frame is to the devices, arrays `[N]` or `[T, N]`."""

SMALLEST_LOG = -14.0
"""Of the scaled gain: a millionth of the usual, where a device that is off must end, too."""

MOST_FRAMES = 1000

NO_FRAME = "call reset() first: there is no frame yet"


def _log(scaled_gain: Floats) -> Floats:
    return np.log(np.maximum(scaled_gain, np.exp(SMALLEST_LOG)))


def _active(gain: Floats) -> Floats:
    return (gain > 0).astype(np.float64)


# Networks like numbers about 1: gains are about 1e-6 here and 1e-11 below.
WPMEC_FEATURES: Known = {
    "gain": lambda gain, _: gain * 1e6,
    "log_gain": lambda gain, _: _log(gain * 1e6),
    "weight": lambda _, weights: weights,
    "active": lambda gain, _: _active(gain),
}
"""Of wireless powered MEC: functions of the channel gains and the weights."""

OUTLOOK = ("log_price", "airtime", "ahead")
"""The features of MEC with queues that its critic works out; see `QueueingCritic.outlook`."""

LONGEST = 4.0  # frames: what takes longer is far from being offloaded

QUEUEING_FEATURES: Known = {
    "gain": lambda gain, *_: gain * 1e10,
    "data_queue": lambda _, data_queue, *__: data_queue / 1e4,
    "energy_queue": lambda _, __, energy_queue, *___: energy_queue / 1e4,
    "log_gain": lambda gain, *_: _log(gain * 1e10),
    "log_data_queue": lambda _, data_queue, *__: np.log1p(data_queue),
    "log_energy_queue": lambda _, __, energy_queue, *___: np.log1p(energy_queue),
    "weight": lambda _, __, ___, weights, *____: weights,
    "active": lambda gain, *_: _active(gain),
    "log_price": lambda *frame: np.log1p(frame[4]),
    "airtime": lambda *frame: np.minimum(frame[5], LONGEST),
    "ahead": lambda *frame: np.minimum(frame[6], LONGEST),
}
"""Of MEC with queues: functions of channel gains, data and energy queues, weights and outlook."""


def parse(features: Sequence[str], known: Known) -> list[tuple[str, int]]:
    """Return the name and the age of each feature; "gain@3" is the gain of three frames ago.

    Raises:
        ValueError: if there is none, one is there twice, or there is no such feature.
    """
    parsed = []
    for feature in features:
        name, at, age = feature.partition("@")
        frames = int(age) if age.isdecimal() and len(age) < 5 else 0
        if name not in known or (at and not 1 <= frames <= MOST_FRAMES):
            raise ValueError(
                f"features must be of {', '.join(known)}, with @1, @2, ... @{MOST_FRAMES} for "
                f"older frames, got {feature!r}"
            )
        parsed.append((name, frames))
    if not parsed or len(set(parsed)) < len(parsed):
        raise ValueError(f"features must be distinct and at least one, got {list(features)}")
    return parsed


def states(features: Sequence[str], known: Known, *frames: Floats) -> Floats:
    """Return the states `[T, F N]` of frames that follow one another.

    Args:
        features: F names, as for `parse`.
        known: the features that there are.
        frames: what these are functions of, `[T, N]` each; before the first frame they were its
            own.
    """
    numbers = np.arange(len(frames[0]))
    columns = []
    for name, age in parse(features, known):
        past = np.maximum(numbers - age, 0)
        columns.append(known[name](*(each[past] for each in frames)))
    return np.concatenate(columns, axis=1)


class Observer:
    """Keeps as many frames as the features of a state look back on, and tells the state.

    Args:
        features: names of what a state tells of each device.
        known: the features that there are.

    Raises:
        ValueError: as `parse`.
    """

    def __init__(self, features: Sequence[str], known: Known) -> None:
        self.features = tuple(features)
        self._known = known
        self._parsed = parse(self.features, known)
        self._frames: deque[tuple[Floats, ...]] = deque(maxlen=1 + max(a for _, a in self._parsed))
        self._state: Floats | None = None  # of the coming frame, once it was asked for

    @property
    def lowest(self) -> float:
        """The least that an entry of a state can be."""
        return -np.inf if any(name == "log_gain" for name, _ in self._parsed) else 0.0

    @property
    def frame(self) -> tuple[Floats, ...]:
        """The coming frame.

        Raises:
            RuntimeError: before there is one.
        """
        if not self._frames:
            raise RuntimeError(NO_FRAME)
        return self._frames[-1]

    @property
    def state(self) -> Floats:
        """The state `[F N]` of the coming frame.

        Raises:
            RuntimeError: before there is one.
        """
        if self._state is None:
            oldest = len(self._frames) - 1
            if oldest < 0:
                raise RuntimeError(NO_FRAME)
            self._state = np.concatenate(
                [
                    self._known[name](*self._frames[-1 - min(age, oldest)])
                    for name, age in self._parsed
                ]
            )
        return self._state.copy()

    def clear(self) -> None:
        """Forget all frames."""
        self._frames.clear()
        self._state = None

    def add(self, *frame: Floats) -> None:
        """Go on to the next frame, given by what the features are functions of, `[N]` each."""
        self._frames.append(frame)
        self._state = None

    def replace(self, *frame: Floats) -> None:
        """Put another frame in place of the coming one."""
        self._frames[-1] = frame
        self._state = None

    def __len__(self) -> int:
        return len(self._frames)
