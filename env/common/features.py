"""Features: the per-device quantities that make up a state."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats


class DeviceView(Protocol):
    """Per-device quantities of a frame, `[N]` each; of T frames `[T, N]`: a `NamedTuple`."""

    @property
    def gain(self) -> Floats:
        """Channel gains."""

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the quantities."""


View = TypeVar("View", bound=DeviceView)

FeatureTable = Mapping[str, Callable[[View], Floats]]
"""The features that a problem offers: name -> function from a view to values `[N]` or `[T, N]`."""

SMALLEST_LOG = -14.0
"""Lower bound of `log_gain`: a millionth of the usual gain, or none at all."""

MAX_AGE = 1000  # frames

NO_FRAME = "call reset() first: there is no frame yet"


def log_gain(scaled_gain: Floats) -> Floats:
    """Return the natural logarithm of gains that are about 1, at least `SMALLEST_LOG`."""
    return np.log(np.maximum(scaled_gain, np.exp(SMALLEST_LOG)))


def active(gain: Floats) -> Floats:
    """Return 1 for each device that has a gain, else 0."""
    return (gain > 0).astype(np.float64)


def parse(features: Sequence[str], table: Iterable[str]) -> list[tuple[str, int]]:
    """Return the name and the age of each feature; "gain@3" is the gain of three frames ago.

    Args:
        features: names, each optionally with an age.
        table: names of the features that there are.

    Raises:
        ValueError: if no feature is given, one is given twice, or there is no such feature.
    """
    parsed = []
    for feature in features:
        name, at, age = feature.partition("@")
        frames = int(age) if age.isdecimal() and len(age) < 5 else 0
        if name not in table or (at and not 1 <= frames <= MAX_AGE):
            raise ValueError(
                f"features must be of {', '.join(table)}, with @1, @2, ... @{MAX_AGE} for "
                f"older frames, got {feature!r}"
            )
        parsed.append((name, frames))
    if not parsed or len(set(parsed)) < len(parsed):
        raise ValueError(f"features must be distinct and at least one, got {list(features)}")
    return parsed


def states(features: Sequence[str], table: FeatureTable[View], frames: View) -> Floats:
    """Return the states `[T, F N]` of successive frames.

    Args:
        features: F names, as for `parse`.
        table: the features that there are.
        frames: views of T frames; frames before the first are taken to equal it.

    Raises:
        ValueError: as `parse`.
    """
    numbers = np.arange(len(frames.gain))
    view_of = cast(Callable[..., View], type(frames))
    columns = []
    for name, age in parse(features, table):
        past = np.maximum(numbers - age, 0)
        columns.append(table[name](view_of(*(each[past] for each in frames))))
    return np.concatenate(columns, axis=1)


class Observer(Generic[View]):
    """Keeps as many past frames as the features need, and computes the state.

    Args:
        features: names of the features of a state, as for `parse`.
        table: the features that there are.

    Attributes:
        features: the argument, as a tuple.
        table: the argument.
        names: names of the features, without their ages.

    Raises:
        ValueError: as `parse`.
    """

    def __init__(self, features: Sequence[str], table: FeatureTable[View]) -> None:
        self.features = tuple(features)
        self.table: FeatureTable[View] = table
        self._parsed = parse(self.features, table)
        self.names = {name for name, _ in self._parsed}
        self._frames: deque[View] = deque(maxlen=1 + max(age for _, age in self._parsed))
        self._state: Floats | None = None  # cache of the coming frame's

    @property
    def lowest(self) -> float:
        """Lower bound of the entries of a state."""
        return -np.inf if "log_gain" in self.names else 0.0

    @property
    def frame(self) -> View:
        """View of the coming frame.

        Raises:
            RuntimeError: before the first frame.
        """
        if not self._frames:
            raise RuntimeError(NO_FRAME)
        return self._frames[-1]

    @property
    def state(self) -> Floats:
        """State `[F N]` of the coming frame; `[B, F N]` of the frames of B environments.

        Raises:
            RuntimeError: before the first frame.
        """
        if self._state is None:
            oldest = len(self._frames) - 1
            if oldest < 0:
                raise RuntimeError(NO_FRAME)
            self._state = np.concatenate(
                [
                    self.table[name](self._frames[-1 - min(age, oldest)])
                    for name, age in self._parsed
                ],
                axis=-1,
            )
        return self._state.copy()

    def clear(self) -> None:
        """Discard all frames."""
        self._frames.clear()
        self._state = None

    def add(self, frame: View) -> None:
        """Append the next frame."""
        self._frames.append(frame)
        self._state = None

    def restart(self, environments: NDArray[np.intp]) -> None:
        """Make the coming frame the first in some of B environments; views are `[B, N]` each."""
        for frame in self._frames:
            for older, coming in zip(frame, self._frames[-1], strict=True):
                older[environments] = coming[environments]

    def replace(self, frame: View) -> None:
        """Replace the coming frame."""
        self._frames[-1] = frame
        self._state = None

    def __len__(self) -> int:
        return len(self._frames)
