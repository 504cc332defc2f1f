"""DROO: one time frame of the agent, for any problem that can score decisions."""

import os
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor, nn

from agent import checkpoint
from agent.memory_dnn import MemoryDNN
from agent.quantization import Candidates, check_mode
from agent.scoring import Choice, Climb, Score, best_of, climbed, joined, only, refine
from droo_core.validation import positive_int


class Progress(NamedTuple):
    """What `DROO` keeps from frame to frame, besides what the agent learns.

    Attributes:
        k: the current K.
        frames: how many frames were played since K was adapted.
        place: the largest place that won in them.
        idle: how many frames were played since refinement helped.
    """

    k: int
    frames: int = 0
    place: int = 0
    idle: int = 0


def refinement_is_due(progress: Progress, refine_every: int) -> bool:
    """Whether to refine: it helped within the last tries, or the frame is one of every so many."""
    idle = progress.idle
    return refine_every > 0 and (idle < refine_every or (idle + 1) % refine_every == 0)


def advance(
    progress: Progress, place: int, refined: bool, adapt_every: int, num_devices: int
) -> Progress:
    """Return the progress after a frame.

    Args:
        progress: before the frame.
        place: of the candidate that won.
        refined: whether refinement found a better one than that.
        adapt_every: as in `DROO`, or 0.
        num_devices: N.
    """
    place = num_devices if refined else place
    idle = 0 if refined else progress.idle + 1
    frames, place = progress.frames + 1, max(progress.place, place)
    if 0 < adapt_every <= frames:
        return Progress(min(place + 2, num_devices), 0, 0, idle)
    return Progress(progress.k, frames, place, idle)


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
            as in the paper, never refines.
        refine_from_local: refine not the best candidate alone, but also the decision that every
            device computes locally, and take the better. Where devices crowd one another out,
            single changes lead there more often to the optimum.
        learn_when_wrong: train in every frame in which another candidate than the policy's own
            rounded decision has won, besides every `training_interval` frames. So training backs
            off as the policy gets better.
        learn_later: leave training to `learn_due`, to be called when there is time for it, as when
            the decision is on its way to the devices: `decide` then never waits for training.

    The arguments but `num_candidates` are attributes too.

    Attributes:
        progress: what is kept from frame to frame, the current K in it.
        due: how many training steps `learn_due` has to take.

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
        refine_from_local: bool = False,
        learn_when_wrong: bool = False,
        learn_later: bool = False,
    ) -> None:
        self.agent = agent
        check_mode(mode, agent.num_places)
        self.mode = mode
        k = agent.net[-1]
        if num_candidates is not None:
            k = positive_int("num_candidates", num_candidates)
        self.progress = Progress(k)
        if adapt_every is not None:
            adapt_every = positive_int("adapt_every", adapt_every)
        self.adapt_every = adapt_every
        if refine_every is not None:
            refine_every = positive_int("refine_every", refine_every)
        self.refine_every = refine_every
        self.refine_from_local = bool(refine_from_local)
        self.learn_when_wrong = bool(learn_when_wrong)
        self.learn_later = bool(learn_later)
        self.due = 0

    @property
    def k(self) -> int:
        """The current K."""
        return self.progress.k

    def decide(self, state: ArrayLike, score: Score, climb: Climb | None = None) -> Choice:
        """Choose this frame's decision and learn from it, unless `learn_later`.

        Args:
            state: state vector `[inputs]` of the frame.
            score: the critic: binary decisions `[K, N]` in, their rewards `[K]` out, larger is
                better; minus infinity marks an infeasible decision. It is called once for all
                candidates, and when refining once for every step, and to begin with computing
                locally.
            climb: refines a decision `[N]` as `refine_every` tells, in the problem's own, faster
                way: returns the refined one, its reward, and how many decisions were scored. None
                refines with `score`.

        Returns:
            The best candidate and what is known of it.

        Raises:
            TypeError: if `state` holds no numbers.
            ArithmeticError: if training has driven the weights to non-finite values.
            ValueError: if `state` has another shape or is not finite, `score` returns another
                shape, NaN, plus infinity, or no feasible candidate, or `climb` returns another
                shape or a reward that is not finite. Nothing is learned then.
        """
        choice, place, refined = self.choose(
            self.agent.propose(state, self.k, self.mode), state, score, climb
        )
        self.settle(state, choice, place, refined=refined)
        if not self.learn_later:
            self.learn_due()
        return choice

    def choose(
        self, candidates: Candidates, state: ArrayLike, score: Score, climb: Climb | None = None
    ) -> tuple[Choice, int, bool]:
        """Return the best of candidates, refined if it is time; its place; and whether it was."""
        best = choice = best_of(candidates.decisions, score)
        if refinement_is_due(self.progress, self.refine_every or 0):
            choice = self._refine(best, state, score, climb)
        refined = choice.candidate != best.candidate
        return choice, int(candidates.places[best.candidate]), refined

    def _refine(self, best: Choice, state: ArrayLike, score: Score, climb: Climb | None) -> Choice:
        """Return the best candidate refined and, if asked for, the better of it and one more."""

        def refined(start: Choice) -> Choice:
            if climb is None:
                return refine(start, score, self.agent.num_places, self.agent.active(state))
            return joined(start, climbed(start.decision, climb))

        choice = refined(best)
        if self.refine_from_local:
            local = only(np.zeros_like(best.decision), score)
            if local.reward > -np.inf:
                choice = joined(choice, refined(local))
        return choice

    def settle(self, state: ArrayLike, choice: Choice, place: int, *, refined: bool) -> None:
        """Remember what was chosen and go on to the next frame; training steps may then be due."""
        self.agent.remember(state, choice.decision)
        wrong = self.learn_when_wrong and choice.candidate > 0
        self.due += self.agent.training_is_due or wrong
        self.progress = advance(
            self.progress, place, refined, self.adapt_every or 0, self.agent.net[-1]
        )

    def learn_due(self) -> None:
        """Take the training steps that are due; there are none unless `learn_later` is set."""
        while self.due > 0:
            self.agent.learn()
            self.due -= 1

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one file, the agent included."""
        tensors, meta = self.agent.pack()
        meta["droo"] = {
            "mode": self.mode,
            "adapt_every": self.adapt_every,
            "refine_every": self.refine_every,
            "refine_from_local": self.refine_from_local,
            "learn_when_wrong": self.learn_when_wrong,
            "learn_later": self.learn_later,
        }
        meta["progress"] = self.progress._asdict()
        meta["due"] = self.due
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
        droo.progress = Progress(**meta["progress"])
        droo.due = meta["due"]
        return droo
