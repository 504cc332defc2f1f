"""Plays frames in compiled code."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from agent import DROO, MemoryDNN
from agent.backends import Compiled
from agent.droo import Progress
from droo_core.pointers import clock, pointer_to
from experiments.compiled import kernels
from experiments.compiled.arguments import (
    Buffers,
    Parts,
    Record,
    buffers_of,
    columns_of,
    policy_of,
    rules_of,
)
from experiments.consumers.recorder import Block
from experiments.runs.table import Table

FRAMES = 200  # per call: few enough for a smooth bar, many enough to hide the call's overhead


class CompiledProblem(ABC):
    """The frames of a run of one problem, in the form that the compiled loop takes.

    Attributes:
        kernels: the module of the kernels `observe(frames, t, state)`, `score(frames, t,
            decisions, rewards)` and `carry_out(frames, t, decision)`, as
            `env.wpmec.kernels.frames`. `frames` is the problem's own bundle of arrays, t the index
            of a frame in it. `score` returns whether it found all rewards, `carry_out` the
            decision's reward, NaN if it did not find it.
        own_climb: whether to count scored decisions as the problem's own refinement does.
        written: names of the columns that `carry_out` writes, or `ranges` fills.
    """

    kernels: ClassVar[ModuleType]
    own_climb: bool = False
    written: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def supports(self, droo: DROO) -> bool:
        """Whether the kernels support the features of an agent's state."""

    @abstractmethod
    def ranges(self, droo: DROO, table: Table) -> Iterator[tuple[int, int, Any]]:
        """Yield begin and end of successive ranges of frames, and the argument of the kernels.

        Raises:
            ValueError: if states are computed in advance, and one is not finite in single
                precision.
        """

    @abstractmethod
    def frame(self, frames: Any, t: int) -> Any:
        """Return a frame with `score` and `allocate`, from the argument of the kernels."""


def can_be_compiled(droo: DROO, problem: CompiledProblem, table: Table) -> bool:
    """Whether the compiled loop supports an agent, a problem, and the columns of a table."""
    learner = droo.agent.learner
    return (
        type(droo) is DROO  # a subclass may do something else
        and type(droo.agent) is MemoryDNN
        and droo.mode == "OP"
        and not droo.learn_later
        and droo.due == 0
        and not droo.explore
        and isinstance(learner.backend, Compiled)
        and learner.backend.trains(learner.adam)
        and problem.supports(droo)
        and writes_all(problem, table)
    )


def writes_all(problem: CompiledProblem, table: Table) -> bool:
    """Whether loop and problem write every column of a table that a recorder reads."""
    read = {column.name for column in table.schema.of(agent=True) if column.read is not None}
    quantity = table.schema.quantity
    own = {"k", "best_candidate", "scored", "decision", quantity, f"own_{quantity}"}
    return read <= own | problem.written


def play_compiled(droo: DROO, problem: CompiledProblem, table: Table) -> Iterator[Block]:
    """Play frames in compiled code; `can_be_compiled` must hold.

    Args:
        droo: the agent.
        problem: the frames.
        table: output, with space for T frames.

    Yields:
        Blocks of frames.

    Raises:
        ValueError: if a state is not finite in single precision.
        ArithmeticError: if training made the network's parameters non-finite, or an allocation
            could not be solved.
    """
    agent, columns, buffers = droo.agent, columns_of(table), buffers_of(droo)
    record = Record(
        np.empty(6, np.int64), np.empty(FRAMES), np.empty(FRAMES, np.int64), np.empty(FRAMES)
    )
    parts: Parts | None = None
    for begin, end, frames in problem.ranges(droo, table):
        parts = parts or parts_of(droo, problem, frames, buffers)
        first = begin
        while first < end:
            stop = min(first + FRAMES, end)
            record.reached[:] = first, 0, *droo.progress
            try:
                kernels.play(
                    first,
                    stop,
                    begin,
                    parts,
                    policy_of(droo),
                    frames,
                    agent.replay.rng,
                    agent.replay.rows,
                    agent.replay.counter,
                    rules_of(droo, own_climb=problem.own_climb),
                    columns,
                    record,
                    buffers,
                )
            finally:  # after an interrupt too
                t, trained, *progress = record.reached.tolist()
                droo.progress = Progress(*progress)
                agent.replay.counter += t - first
                losses = record.losses[:trained].tolist()
                for loss in losses:
                    agent.learner.record_loss(loss)
            if t > first:
                costs = list(zip(record.trained[:trained].tolist(), losses, strict=True))
                yield Block(first, t, costs, record.decision_us[: t - first].copy())
            if t < stop:
                raise_error(droo, problem, frames, t - begin)
            first = t


def raise_error(droo: DROO, problem: CompiledProblem, frames: Any, t: int) -> None:
    """Repeat a frame that failed in compiled code, to raise its exact error."""
    state = np.empty(droo.agent.net[0], np.float32)
    problem.kernels.observe(frames, t, state)
    frame = problem.frame(frames, t)
    climb = frame.climb if problem.own_climb else None
    frame.allocate(droo.decide(state, frame.score, climb).decision)
    raise AssertionError("a frame failed in compiled code but not in Python")


def parts_of(droo: DROO, problem: CompiledProblem, frames: Any, buffers: Buffers) -> Parts:
    """Compile the kernels of a policy and a problem, and return them as a kernel argument."""
    backend = droo.agent.learner.backend
    assert isinstance(backend, Compiled)
    policy = policy_of(droo)
    state, decisions = buffers.state, buffers.decisions
    of_policy = policy.parameters, policy.shape
    adam = policy.first, policy.second, 1.0, policy.hyperparameters
    return Parts(
        pointer_to(backend.kernels.forward, *of_policy, state, buffers.logits),
        pointer_to(backend.kernels.train, *of_policy, *adam, buffers.batch),
        pointer_to(problem.kernels.observe, frames, 0, state),
        pointer_to(problem.kernels.score, frames, 0, decisions, buffers.rewards),
        pointer_to(problem.kernels.carry_out, frames, 0, decisions[0]),
        clock(),
    )
