"""DROO: one time frame of the agent, for any problem that can score decisions."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from agent import checkpoint
from agent.memory_dnn import MemoryDNN
from agent.quantization import MODES, Decisions
from agent.validation import positive_int

Score = Callable[[Decisions], ArrayLike]


class Choice(NamedTuple):
    """What one frame came to.

    Attributes:
        decision: the best candidate `[N]`, zeros (compute locally) and ones (offload).
        reward: its score.
        candidate: its place among the candidates, from 0; 0 is the policy's own rounded decision.
        num_candidates: how many candidates were scored.
    """

    decision: NDArray[np.int64]
    reward: float
    candidate: int
    num_candidates: int


class DROO:
    """Decode, score, take the best, encode: Algorithm 1 of the DROO paper, K adapting itself.

    Args:
        agent: the policy; what it learns stays in it.
        mode: the quantizer, as in `MemoryDNN.decode`.
        num_candidates: K at the start; None takes N.
        adapt_every: every so many frames K becomes min(largest place that won among them + 2, N);
            None keeps K. A candidate's place counts from 0, the noisy ones of OPN by themselves.

    Attributes:
        agent, mode, adapt_every: the arguments.
        k: the current K.

    Raises:
        TypeError: if `num_candidates` or `adapt_every` is not an integer.
        ValueError: if either is below 1, or `mode` is unknown.
    """

    def __init__(
        self,
        agent: MemoryDNN,
        *,
        mode: str = "OP",
        num_candidates: int | None = None,
        adapt_every: int | None = 32,
    ) -> None:
        self.agent = agent
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        self.mode = mode
        self.k = agent.net[-1]
        if num_candidates is not None:
            self.k = positive_int("num_candidates", num_candidates)
        if adapt_every is not None:
            adapt_every = positive_int("adapt_every", adapt_every)
        self.adapt_every = adapt_every
        self._winners: list[int] = []

    def decide(self, state: ArrayLike, score: Score) -> Choice:
        """Choose this frame's decision and learn from it.

        Args:
            state: state vector `[inputs]` of the frame.
            score: the critic: binary decisions `[K, N]` in, their rewards `[K]` out, larger is
                better; minus infinity marks an infeasible decision.

        Returns:
            The best candidate and what is known of it.

        Raises:
            TypeError: if `state` holds no numbers.
            ArithmeticError: if training has driven the weights to non-finite values.
            ValueError: if `state` has another shape or is not finite, or `score` returns another
                shape, NaN, plus infinity, or no feasible candidate. Nothing is learned then.
        """
        candidates, places = self.agent.propose(state, self.k, self.mode)
        # The critic gets a copy: what it may write into it must not reach the memory.
        rewards = _checked_rewards(score(candidates.copy()), len(candidates))
        best = int(rewards.argmax())
        choice = Choice(candidates[best], float(rewards[best]), best, len(candidates))
        self.agent.encode(state, choice.decision)
        self._adapt(int(places[best]))
        return choice

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one file, the agent included."""
        tensors, meta = self.agent.pack()
        meta["droo"] = {
            "mode": self.mode,
            "num_candidates": self.k,
            "adapt_every": self.adapt_every,
        }
        meta["winners"] = list(self._winners)
        checkpoint.write(path, tensors, meta)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return what `save` wrote; it continues as if it had never stopped.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is not a whole checkpoint of a `DROO`.
        """
        return checkpoint.restore(path, cls._unpack)

    @classmethod
    def _unpack(cls, tensors: dict[str, Tensor], meta: dict[str, Any]) -> Self:
        if "droo" not in meta:
            raise ValueError("it holds a MemoryDNN alone: load it with MemoryDNN.load")
        droo = cls(MemoryDNN.unpack(tensors, meta), **meta["droo"])
        droo._winners.extend(meta["winners"])
        return droo

    def _adapt(self, place: int) -> None:
        if self.adapt_every is None:
            return
        self._winners.append(place)
        if len(self._winners) == self.adapt_every:
            self.k = min(max(self._winners) + 2, self.agent.net[-1])
            self._winners.clear()


def _checked_rewards(rewards: ArrayLike, num_candidates: int) -> NDArray[np.float64]:
    array = np.asarray(rewards, dtype=np.float64)
    if array.shape != (num_candidates,):
        raise ValueError(
            f"score must return one reward per candidate, shape [{num_candidates}], "
            f"got {list(array.shape)}"
        )
    best = array.max()  # NaN if any is
    if not np.isfinite(best):
        raise ValueError(f"score must return finite rewards (or -inf where infeasible), got {best}")
    return array
