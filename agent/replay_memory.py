"""The replay memory: a ring buffer of (state, decision) rows."""

import numpy as np
from numpy.typing import NDArray

from droo_core.validation import positive_int


class ReplayMemory:
    """A ring buffer that keeps the newest `capacity` rows and samples them uniformly.

    Args:
        capacity: the number of rows that it holds.
        row_size: the number of entries in a row.
        rng: source of the sampled indices.

    Raises:
        TypeError: if a size is not an integer.
        ValueError: if a size is below 1.

    Attributes:
        rows: the buffer `[capacity, row_size]`, float32 like the network's inputs; rows never
            written are zero.
        counter: the number of rows ever written.
        rng: the argument.
    """

    def __init__(self, capacity: int, row_size: int, rng: np.random.Generator) -> None:
        shape = positive_int("capacity", capacity), positive_int("row_size", row_size)
        self.rows: NDArray[np.float32] = np.zeros(shape, dtype=np.float32)
        self.counter = 0
        self.rng = rng

    def __len__(self) -> int:
        """Return the number of written rows to sample from."""
        return min(self.counter, len(self.rows))

    def append(self, state: NDArray[np.floating], decision: NDArray[np.generic]) -> None:
        """Write one row, over the oldest when the buffer is full.

        Raises:
            ValueError: if `state` and `decision` do not fill the row.
        """
        if len(state) + len(decision) != self.rows.shape[1]:
            raise ValueError(
                f"state and decision must have {self.rows.shape[1]} entries together, "
                f"got {len(state)} and {len(decision)}"
            )
        row = self.rows[self.counter % len(self.rows)]
        row[: len(state)] = state
        row[len(state) :] = decision
        self.counter += 1

    def append_newest(self, other: "ReplayMemory") -> None:
        """Append the newest rows of another memory, as many as there is room for, oldest first."""
        kept = min(len(other), len(self.rows))
        for row in range(other.counter - kept, other.counter):
            self.rows[self.counter % len(self.rows)] = other.rows[row % len(other.rows)]
            self.counter += 1

    def ends_interval(self, interval: int) -> bool:
        """Whether the number of rows ever written is a multiple of an interval."""
        return self.counter % interval == 0

    def sample(self, batch_size: int) -> NDArray[np.float32]:
        """Return `[batch_size, row_size]` written rows, drawn uniformly with replacement.

        Raises:
            ValueError: if nothing was written yet.
        """
        return self.rows[self.draw(batch_size)]

    def draw(self, batch_size: int) -> NDArray[np.int64]:
        """Return the indices `[batch_size]` of a sample.

        Raises:
            ValueError: if nothing was written yet.
        """
        if self.counter == 0:
            raise ValueError("the replay memory is empty: encode at least one decision first")
        return self.rng.integers(len(self), size=batch_size)
