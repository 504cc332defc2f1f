"""Arguments of the compiled loop, and how they are made of an agent and a table."""

from typing import Any, NamedTuple

import numpy as np

from agent import DROO
from agent.backends import Compiled
from droo_core.arrays import Floats, Ints, Singles
from experiments.runs.table import Table


class Rules(NamedTuple):
    """Settings of `DROO` and `MemoryDNN` by the same names; 0 stands for None.

    Attributes:
        own_climb: whether to count scored decisions as the problem's own refinement does, which
            scores its start too.
    """

    training_interval: int
    batch_size: int
    adapt_every: int
    refine_every: int
    refine_from_local: bool
    learn_when_wrong: bool
    rebuild_optimizer: bool
    own_climb: bool


class Policy(NamedTuple):
    """A policy and its Adam, trained in place: arguments of its kernels, see `agent.kernels`."""

    parameters: Singles
    shape: Ints
    first: Singles
    second: Singles
    steps: Singles
    hyperparameters: Floats


class Parts(NamedTuple):
    """The kernels of a policy and of a problem, and the clock."""

    forward: Any
    train: Any
    observe: Any
    score: Any
    carry_out: Any
    clock: Any


class Columns(NamedTuple):
    """Columns of a run's table that the loop writes, named as in the schema.

    Attributes:
        reward: of the decisions `[T]`.
        own_reward: of the policy's own decisions `[T]`.
    """

    reward: Floats
    own_reward: Floats
    k: Ints
    best_candidate: Ints
    scored: Ints
    decision: Ints


class Buffers(NamedTuple):
    """Memory of a call, made outside it: numba takes long to compile allocations.

    Attributes:
        state: `[inputs]`.
        logits: `[N]`.
        precise: logits in double precision `[N]`.
        decisions: candidates `[N + 1, N]`.
        ranks: of the candidates `[N + 1]`.
        rewards: of the candidates, or of neighbours `[N + 1]`.
        neighbours: decisions that differ in one device `[N, N]`.
        decision: `[N]`.
        start: a decision that is refined `[1, N]`.
        batch: rows of the replay memory `[batch size, inputs + N]`.
        time: seconds and nanoseconds `[2]`.
    """

    state: Singles
    logits: Singles
    precise: Floats
    decisions: Ints
    ranks: Ints
    rewards: Floats
    neighbours: Ints
    decision: Ints
    start: Ints
    batch: Singles
    time: Ints


class Record(NamedTuple):
    """Output of a call, for its frames.

    All of it is in arrays: were results returned as tuples, an interrupt could come between the
    training and the counters, or while numba makes the tuples, which it does not survive.

    Attributes:
        reached: index of the next frame; number of training steps; and the fields of the agent's
            `Progress`, in and out `[6]`.
        decision_us: duration of each decision, training included, in microseconds `[F]`.
        trained: numbers of the frames with a training step, from 1 `[F]`.
        losses: the losses of these steps `[F]`.
    """

    reached: Ints
    decision_us: Floats
    trained: Ints
    losses: Floats


def rules_of(droo: DROO, *, own_climb: bool) -> Rules:
    """Return an agent's settings as a kernel argument."""
    return Rules(
        droo.agent.training_interval,
        droo.agent.batch_size,
        droo.adapt_every or 0,
        droo.refine_every or 0,
        droo.refine_from_local,
        droo.learn_when_wrong,
        droo.agent.rebuild_optimizer,
        own_climb,
    )


def policy_of(droo: DROO) -> Policy:
    """Return an agent's policy and its Adam as a kernel argument, which trains them in place."""
    learner = droo.agent.learner
    learner.renew_optimizer(rebuild=learner.rebuild_optimizer and not learner.adam.is_rebuilt)
    adam, backend = learner.adam, learner.backend
    assert isinstance(backend, Compiled)
    return Policy(
        backend.parameters(),
        backend.shape,
        adam.first,
        adam.second,
        adam.steps,
        np.array(learner.hyperparameters),
    )


def buffers_of(droo: DROO) -> Buffers:
    """Return memory for the loop to work in."""
    inputs, n, batch_size = droo.agent.net[0], droo.agent.net[-1], droo.agent.batch_size
    return Buffers(
        state=np.empty(inputs, np.float32),
        logits=np.empty(n, np.float32),
        precise=np.empty(n),
        decisions=np.empty((n + 1, n), np.int64),
        ranks=np.empty(n + 1, np.int64),
        rewards=np.empty(n + 1),
        neighbours=np.empty((n, n), np.int64),
        decision=np.empty(n, np.int64),
        start=np.empty((1, n), np.int64),
        batch=np.empty((batch_size, inputs + n), np.float32),
        time=np.empty(2, np.int64),
    )


def columns_of(table: Table) -> Columns:
    """Return the columns of a table that the loop writes."""
    quantity, columns = table.schema.quantity, table.columns
    reward: Floats = columns[quantity] if quantity in columns else np.empty(len(table))
    return Columns(
        reward,
        columns[f"own_{quantity}"],
        columns["k"],
        columns["best_candidate"],
        columns["scored"],
        columns["decision"],
    )
