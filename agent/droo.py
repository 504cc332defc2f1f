"""DROO: the time frames of an agent, for any problem that can score decisions."""

import os
from functools import partial
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from agent import checkpoint
from agent.memory_dnn import MemoryDNN
from agent.quantization import Candidates, check_mode, with_probe
from agent.refinement import Climb, better_of, refine, refine_by
from agent.scoring import Choice, Score, best_of, single
from droo_core.validation import positive_int


class Progress(NamedTuple):
    """The state that `DROO` keeps from frame to frame, besides its agent.

    Attributes:
        k: the current K.
        frames: the number of frames since K was last adapted.
        rank: the largest rank that won in them.
        idle: the number of frames since refinement last helped.
    """

    k: int
    frames: int = 0
    rank: int = 0
    idle: int = 0


def refinement_is_due(progress: Progress, refine_every: int) -> bool:
    """Whether to refine in this frame: `DROO` explains the rule; 0 never refines."""
    idle = progress.idle
    return refine_every > 0 and (idle < refine_every or (idle + 1) % refine_every == 0)


def advance(
    progress: Progress, rank: int, refined: bool, adapt_every: int, num_devices: int
) -> Progress:
    """Return the progress after a frame.

    Args:
        progress: before the frame.
        rank: of the best candidate.
        refined: whether refinement improved that candidate.
        adapt_every: as in `DROO`, or 0 to keep K.
        num_devices: N.
    """
    rank = num_devices if refined else rank
    idle = 0 if refined else progress.idle + 1
    frames, rank = progress.frames + 1, max(progress.rank, rank)
    if 0 < adapt_every <= frames:
        return Progress(min(rank + 2, num_devices), 0, 0, idle)
    return Progress(progress.k, frames, rank, idle)


class DROO:
    """Decode, score, take the best, encode: Algorithm 1 of the DROO paper, with adaptive K.

    The arguments but `num_candidates` are attributes too.

    Args:
        agent: the policy, which learns.
        mode: the quantizer, as in `MemoryDNN.decode`.
        num_candidates: K at the start; None takes N.
        adapt_every: every so many frames, the window, K is reset to min(r + 2, N), where r is the
            largest rank that won during the window. The rank of a candidate counts from 0; the
            noisy candidates of OPN are counted by themselves, and a random change has rank 0. If
            refinement won during the window, K is reset to N. None keeps K.
        refine_every: refine the best candidate by single changes: change the one device whose
            change gains most, until no change gains. Refinement takes place in every frame while
            it helped in one of the last `refine_every` frames, and else in every `refine_every`-th
            frame. Labels are then good from the first frame on, and no policy imitates its own
            poor decisions. None, as in the paper, never refines.
        refine_from_local: refine also the decision that every device computes locally, and take
            the better of the two results. Where devices crowd one another out, this start leads
            to the optimum more often.
        learn_when_wrong: train also in every frame in which the policy's own rounded decision did
            not win, besides every `training_interval` frames. Training then becomes rarer as the
            policy improves.
        explore: score one more decision in every frame: the policy's own with one random device
            changed. Order-preserving candidates follow the policy's order of the devices. While
            that order is wrong, the policy's own decision can beat all others; it is then the
            label, and says nothing about the order, whatever K is. A random change does not depend
            on the order. None explores if `learn_when_wrong` is set and nothing is refined:
            refinement tries every device, and the paper does neither.
        learn_later: leave training to `learn_due`, to be called when there is time for it, for
            instance while the decision is sent to the devices. `decide` then never waits for
            training.

    Attributes:
        progress: the state kept from frame to frame, the current K among it.
        due: the number of training steps that `learn_due` has to take.

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
        explore: bool | None = None,
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
        if explore is None:
            explore = self.learn_when_wrong and self.refine_every is None
        self.explore = bool(explore)
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
                candidates, once for every step of a refinement, and once for the decision that
                every device computes locally if refinement starts there.
            climb: the problem's own, faster refinement of a decision `[N]`, which returns the
                refined decision, its reward, and the number of decisions scored. None refines with
                `score`.

        Returns:
            The best candidate with its scores.

        Raises:
            TypeError: if `state` holds no numbers.
            ArithmeticError: if training has driven the weights to non-finite values.
            ValueError: if `state` has another shape or is not finite, `score` returns another
                shape, NaN, plus infinity, or no feasible candidate, or `climb` returns another
                shape or a reward that is not finite. Nothing is learned then.
        """
        candidates = self.agent.propose(state, self.k, self.mode)
        choice, rank, refined = self.choose(candidates, state, score, climb)
        self.settle(state, choice, rank, refined=refined)
        if not self.learn_later:
            self.learn_due()
        return choice

    def choose(
        self, candidates: Candidates, state: ArrayLike, score: Score, climb: Climb | None = None
    ) -> tuple[Choice, int, bool]:
        """Choose the best of candidates, and refine it if refinement is due.

        Returns:
            The choice, the rank of the best candidate, and whether refinement improved it.
        """
        if self.explore:
            decoder, active = self.agent.decoder, self._active(state)
            candidates = with_probe(candidates, decoder.layout.num_places, active, decoder.rng)
        best = choice = best_of(candidates.decisions, score)
        if refinement_is_due(self.progress, self.refine_every or 0):
            choice = self._refine(best, state, score, climb)
        refined = choice.candidate != best.candidate
        return choice, int(candidates.ranks[best.candidate]), refined

    def _refine(self, best: Choice, state: ArrayLike, score: Score, climb: Climb | None) -> Choice:
        """Return the best candidate refined; with `refine_from_local`, the better of two starts."""

        def refined(start: Choice) -> Choice:
            if climb is not None:
                return refine_by(climb, start)
            return refine(start, score, self.agent.num_places, self._active(state))

        choice = refined(best)
        if self.refine_from_local:
            local = single(np.zeros_like(best.decision), score)
            if local.reward > -np.inf:
                choice = better_of(choice, refined(local))
        return choice

    def _active(self, state: ArrayLike) -> NDArray[np.bool_] | None:
        """Return the mask `[N]` of active devices in a state `[inputs]`; None for all."""
        decoder = self.agent.decoder
        return decoder.layout.active(decoder.state(state))

    def settle(self, state: ArrayLike, choice: Choice, rank: int, *, refined: bool) -> None:
        """Remember a choice and advance to the next frame; training steps may then be due.

        Args:
            state: state vector `[inputs]` of the frame.
            choice: the decision carried out.
            rank: of the best candidate.
            refined: whether refinement improved that candidate.
        """
        agent = self.agent
        agent.remember(state, choice.decision)
        wrong = self.learn_when_wrong and choice.candidate > 0
        self.due += agent.replay.ends_interval(agent.training_interval) or wrong
        self.progress = advance(self.progress, rank, refined, self.adapt_every or 0, agent.net[-1])

    def learn_due(self) -> None:
        """Take the training steps that are due; there are none unless `learn_later` is set."""
        while self.due > 0:
            self.agent.learn()
            self.due -= 1

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one file, the agent included."""
        settings = {
            "mode": self.mode,
            "adapt_every": self.adapt_every,
            "refine_every": self.refine_every,
            "refine_from_local": self.refine_from_local,
            "learn_when_wrong": self.learn_when_wrong,
            "explore": self.explore,
            "learn_later": self.learn_later,
        }
        checkpoint.write(path, *checkpoint.pack_droo(self.agent, self, settings))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, policy: nn.Module | None = None) -> Self:
        """Return the `DROO` that `save` wrote; it continues as if it had never stopped.

        Args:
            path: the file.
            policy: as for `MemoryDNN.load`.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is not a whole checkpoint of a `DROO`, its format is newer than this
                version reads, or `policy` does not fit.
        """
        return checkpoint.restore(path, partial(cls._unpack, policy=policy))

    @classmethod
    def _unpack(
        cls, tensors: checkpoint.Tensors, meta: checkpoint.Meta, policy: nn.Module | None
    ) -> Self:
        if "droo" not in meta:
            raise ValueError("it holds a MemoryDNN alone: load it with MemoryDNN.load")
        agent = checkpoint.unpack(MemoryDNN, tensors, meta, policy)
        return checkpoint.unpack_droo(cls, agent, meta)
