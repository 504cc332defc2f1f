"""Features: what a state tells of each device."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class WPMECView(NamedTuple):
    """What a frame of wireless powered MEC is to the devices, `[N]` each; of T frames `[T, N]`.

    Attributes:
        gain: channel gains.
        weights: of the devices.
    """

    gain: Floats
    weights: Floats


class QueueingView(NamedTuple):
    """What a frame of MEC with queues is to the devices, `[N]` each; of T frames `[T, N]`.

    Attributes:
        gain: channel gains.
        data_queue: Mbit.
        energy_queue: virtual energy queues.
        weights: of the devices.
        price: the first of what `QueueingFrame.outlook` returns.
        airtime: the second.
        ahead: the third.
    """

    gain: Floats
    data_queue: Floats
    energy_queue: Floats
    weights: Floats
    price: Floats
    airtime: Floats
    ahead: Floats


View = TypeVar("View", WPMECView, QueueingView)
Known = Mapping[str, Callable[[View], Floats]]
"""Features by name, as functions of what a frame is to the devices."""

SMALLEST_LOG = -14.0
"""The least that `log_gain` can be, for a millionth of the usual gain, or for none at all."""

LONGEST = 4.0
"""Frames: a device that would take longer than this is as far from being offloaded as can be."""

MOST_FRAMES = 1000

NO_FRAME = "call reset() first: there is no frame yet"


def _log(scaled_gain: Floats) -> Floats:
    return np.log(np.maximum(scaled_gain, np.exp(SMALLEST_LOG)))


def _active(gain: Floats) -> Floats:
    return (gain > 0).astype(np.float64)


# Networks like numbers about 1. Gains are about 1e-6 in wireless powered MEC, where devices stand
# at some metres, and about 1e-11 in MEC with queues, where they stand at hundreds.
WPMEC_FEATURES: Known[WPMECView] = {
    "gain": lambda frame: frame.gain * 1e6,
    "log_gain": lambda frame: _log(frame.gain * 1e6),
    "weight": lambda frame: frame.weights,
    "active": lambda frame: _active(frame.gain),
}

QUEUEING_FEATURES: Known[QueueingView] = {
    "gain": lambda frame: frame.gain * 1e10,
    "data_queue": lambda frame: frame.data_queue / 1e4,
    "energy_queue": lambda frame: frame.energy_queue / 1e4,
    "log_gain": lambda frame: _log(frame.gain * 1e10),
    "log_data_queue": lambda frame: np.log1p(frame.data_queue),
    "log_energy_queue": lambda frame: np.log1p(frame.energy_queue),
    "weight": lambda frame: frame.weights,
    "active": lambda frame: _active(frame.gain),
    "log_price": lambda frame: np.log1p(frame.price),
    "airtime": lambda frame: np.minimum(frame.airtime, LONGEST),
    "ahead": lambda frame: np.minimum(frame.ahead, LONGEST),
}

OUTLOOK = ("log_price", "airtime", "ahead")
"""Those features that want `QueueingFrame.outlook`."""


def parse(features: Sequence[str], known: Iterable[str]) -> list[tuple[str, int]]:
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


def states(features: Sequence[str], known: Known[View], frames: View) -> Floats:
    """Return the states `[T, F N]` of frames that follow one another.

    Args:
        features: F names, as for `parse`.
        known: the features that there are.
        frames: T of them; before the first they were as in it.
    """
    numbers = np.arange(len(frames.gain))
    columns = []
    for name, age in parse(features, known):
        past = np.maximum(numbers - age, 0)
        columns.append(known[name](type(frames)(*(each[past] for each in frames))))
    return np.concatenate(columns, axis=1)


class Observer(Generic[View]):
    """Keeps as many frames as the features of a state look back on, and tells the state.

    Args:
        features: names of what a state tells of each device.
        known: the features that there are.

    Attributes:
        features: the argument.
        names: those of the features without their ages.

    Raises:
        ValueError: as `parse`.
    """

    def __init__(self, features: Sequence[str], known: Known[View]) -> None:
        self.features = tuple(features)
        self._known: Known[View] = known
        self._parsed = parse(self.features, known)
        self.names = {name for name, _ in self._parsed}
        self._frames: deque[View] = deque(maxlen=1 + max(age for _, age in self._parsed))
        self._state: Floats | None = None  # of the coming frame, once it was asked for

    @property
    def lowest(self) -> float:
        """The least that an entry of a state can be."""
        return -np.inf if "log_gain" in self.names else 0.0

    @property
    def frame(self) -> View:
        """The coming frame.

        Raises:
            RuntimeError: before there is one.
        """
        if not self._frames:
            raise RuntimeError(NO_FRAME)
        return self._frames[-1]

    @property
    def state(self) -> Floats:
        """The state `[F N]` of the coming frame; `[B, F N]` of those of B environments.

        Raises:
            RuntimeError: before there is one.
        """
        if self._state is None:
            oldest = len(self._frames) - 1
            if oldest < 0:
                raise RuntimeError(NO_FRAME)
            self._state = np.concatenate(
                [
                    self._known[name](self._frames[-1 - min(age, oldest)])
                    for name, age in self._parsed
                ],
                axis=-1,
            )
        return self._state.copy()

    def clear(self) -> None:
        """Forget all frames."""
        self._frames.clear()
        self._state = None

    def add(self, frame: View) -> None:
        """Go on to the next frame."""
        self._frames.append(frame)
        self._state = None

    def restart(self, environments: NDArray[np.intp]) -> None:
        """Let the coming frame be the first of some of B environments, `[B, N]` each."""
        for frame in self._frames:
            for older, coming in zip(frame, self._frames[-1], strict=True):
                older[environments] = coming[environments]

    def replace(self, frame: View) -> None:
        """Put another frame in place of the coming one."""
        self._frames[-1] = frame
        self._state = None

    def __len__(self) -> int:
        return len(self._frames)
