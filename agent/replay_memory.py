"""The replay memory: a ring buffer of (state, decision) rows."""

import numpy as np
from numpy.typing import NDArray


class ReplayMemory:
    """A ring buffer that keeps the newest `capacity` rows and samples them uniformly.

    Args:
        capacity: how many rows it holds.
        row_size: entries in a row.
        rng: where the sampled indices come from.

    Attributes:
        rows: the buffer `[capacity, row_size]`, float32 as the network sees it; rows never
            written are zero.
        counter: how many rows were ever written.
    """

    def __init__(self, capacity: int, row_size: int, rng: np.random.Generator) -> None:
        self.rows: NDArray[np.float32] = np.zeros((capacity, row_size), dtype=np.float32)
        self.counter = 0
        self.rng = rng

    def __len__(self) -> int:
        """Return how many written rows there are to sample from."""
        return min(self.counter, len(self.rows))

    def append(self, state: NDArray[np.floating], decision: NDArray[np.generic]) -> None:
        """Write one row, over the oldest when the buffer is full."""
        row = self.rows[self.counter % len(self.rows)]
        row[: len(state)] = state
        row[len(state) :] = decision
        self.counter += 1

    def sample(self, batch_size: int) -> NDArray[np.float32]:
        """Return `[batch_size, row_size]` written rows, drawn uniformly with replacement.

        Raises:
            ValueError: if nothing was written yet.
        """
        if self.counter == 0:
            raise ValueError("the replay memory is empty: encode at least one decision first")
        return self.rows[self.rng.integers(len(self), size=batch_size)]
