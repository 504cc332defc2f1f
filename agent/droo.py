"""DROO: one time frame of the agent, for any problem that can score decisions."""

import os
from functools import partial
from typing import Any, Self

from numpy.typing import ArrayLike
from torch import Tensor, nn

from agent import checkpoint
from agent.memory_dnn import MemoryDNN
from agent.quantization import check_mode
from agent.scoring import Choice, Score, best_of, refine
from agent.validation import positive_int


class DROO:
    """Decode, score, take the best, encode: Algorithm 1 of the DROO paper, K adapting itself.

    Args:
        agent: the policy; what it learns stays in it.
        mode: the quantizer, as in `MemoryDNN.decode`.
        num_candidates: K at the start; None takes N.
        adapt_every: every so many frames K becomes min(largest place that won among them + 2, N);
            None keeps K. A candidate's place counts from 0, the noisy ones of OPN by themselves;
            where refinement has won, K becomes N.
        refine_every: try to refine the best candidate: change the one device whose change earns
            most, until none does. That is done in every frame as long as it helped in one of the
            last `refine_every` tries, and else in every `refine_every`-th frame. So the labels are
            good from the first frame on, and no policy imitates its own poor decisions. None,
            as in the paper, refines never.
        learn_when_wrong: train in every frame in which another candidate than the policy's own
            rounded decision has won, besides every `training_interval` frames. So training backs
            off as the policy gets better.

    Attributes:
        agent, mode, adapt_every, refine_every, learn_when_wrong: the arguments.
        k: the current K.

    Raises:
        TypeError: if `num_candidates`, `adapt_every` or `refine_every` is not an integer.
        ValueError: if one of them is below 1, or `mode` is unknown.
    """

    def __init__(
        self,
        agent: MemoryDNN,
        *,
        mode: str = "OP",
        num_candidates: int | None = None,
        adapt_every: int | None = 32,
        refine_every: int | None = None,
        learn_when_wrong: bool = False,
    ) -> None:
        self.agent = agent
        check_mode(mode, agent.num_places)
        self.mode = mode
        self.k = agent.net[-1]
        if num_candidates is not None:
            self.k = positive_int("num_candidates", num_candidates)
        if adapt_every is not None:
            adapt_every = positive_int("adapt_every", adapt_every)
        self.adapt_every = adapt_every
        if refine_every is not None:
            refine_every = positive_int("refine_every", refine_every)
        self.refine_every = refine_every
        self.learn_when_wrong = bool(learn_when_wrong)
        self._winners: list[int] = []
        self._idle = 0  # frames since refinement helped

    def decide(self, state: ArrayLike, score: Score) -> Choice:
        """Choose this frame's decision and learn from it.

        Args:
            state: state vector `[inputs]` of the frame.
            score: the critic: binary decisions `[K, N]` in, their rewards `[K]` out, larger is
                better; minus infinity marks an infeasible decision. It is called once, and once
                more for every step of a refinement.

        Returns:
            The best candidate and what is known of it.

        Raises:
            TypeError: if `state` holds no numbers.
            ArithmeticError: if training has driven the weights to non-finite values.
            ValueError: if `state` has another shape or is not finite, or `score` returns another
                shape, NaN, plus infinity, or no feasible candidate. Nothing is learned then.
        """
        candidates, places = self.agent.propose(state, self.k, self.mode)
        choice = best_of(candidates, score)
        place, idle = int(places[choice.candidate]), self._idle + 1
        if self._refinement_is_due():
            choice = refine(choice, score, self.agent.num_places, self.agent.active(state))
            if choice.candidate >= len(candidates):
                place, idle = self.agent.net[-1], 0

        updates = self.agent.updates
        self.agent.encode(state, choice.decision)
        if self.learn_when_wrong and choice.candidate > 0 and self.agent.updates == updates:
            self.agent.learn()
        self._idle = idle
        self._adapt(place)
        return choice

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one file, the agent included."""
        tensors, meta = self.agent.pack()
        meta["droo"] = {
            "mode": self.mode,
            "num_candidates": self.k,
            "adapt_every": self.adapt_every,
            "refine_every": self.refine_every,
            "learn_when_wrong": self.learn_when_wrong,
        }
        meta["winners"] = list(self._winners)
        meta["idle"] = self._idle
        checkpoint.write(path, tensors, meta)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, policy: nn.Module | None = None) -> Self:
        """Return what `save` wrote; it continues as if it had never stopped.

        Args:
            path: the file.
            policy: as for `MemoryDNN.load`.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is not a whole checkpoint of a `DROO`, or `policy` does not fit.
        """
        return checkpoint.restore(path, partial(cls._unpack, policy=policy))

    @classmethod
    def _unpack(
        cls, tensors: dict[str, Tensor], meta: dict[str, Any], policy: nn.Module | None
    ) -> Self:
        if "droo" not in meta:
            raise ValueError("it holds a MemoryDNN alone: load it with MemoryDNN.load")
        droo = cls(MemoryDNN.unpack(tensors, meta, policy), **meta["droo"])
        droo._winners.extend(meta["winners"])
        droo._idle = meta["idle"]
        return droo

    def _refinement_is_due(self) -> bool:
        """Whether it helped within the last tries, or else the frame is one of every so many."""
        every = self.refine_every
        return every is not None and (self._idle < every or (self._idle + 1) % every == 0)

    def _adapt(self, place: int) -> None:
        if self.adapt_every is None:
            return
        self._winners.append(place)
        if len(self._winners) == self.adapt_every:
            self.k = min(max(self._winners) + 2, self.agent.net[-1])
            self._winners.clear()
