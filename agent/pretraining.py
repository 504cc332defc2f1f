"""Supervised pre-training: a policy learns labelled decisions before it goes online."""

import copy
import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from agent.losses import LOSSES
from agent.memory_dnn import MemoryDNN
from agent.validation import places_vector, vector
from droo_core.validation import positive_int


class Pretraining(NamedTuple):
    """The course of a pre-training.

    Attributes:
        training_loss: the mean loss of each epoch's steps.
        validation_loss: the loss on the validation rows after each epoch.
        accuracy: the fraction of the validation rows' devices that is decided as labelled.
        best_epoch: the epoch, from 1, with the least validation loss, whose policy was kept.
        training_rows: the number of rows, the first ones, that were trained on.
    """

    training_loss: list[float]
    validation_loss: list[float]
    accuracy: list[float]
    best_epoch: int
    training_rows: int


def pretrain(
    agent: MemoryDNN,
    states: ArrayLike,
    decisions: ArrayLike,
    *,
    epochs: int = 100,
    patience: int = 10,
    validation_fraction: float = 0.2,
    seed: int | np.random.SeedSequence | None = None,
) -> Pretraining:
    """Train an agent's policy on labelled decisions, and fill its memory with the last of them.

    The last rows are held out for validation, since neighbouring frames may be alike. Training ends
    after `epochs`, or when the validation loss has not fallen for `patience` epochs. The policy of
    the best epoch is kept; the optimizer goes on from the last. The memory is filled, or the policy
    would online learn from its first few frames alone.

    Args:
        agent: its loss, optimizer and batch size are used.
        states: `[T, inputs]`.
        decisions: `[T, N]`.
        epochs: the most passes over the training rows.
        patience: the number of epochs without a lower validation loss after which to stop.
        validation_fraction: the fraction of the rows held out.
        seed: for the order of the rows.

    Raises:
        TypeError: if `epochs` or `patience` is not an integer, or `states` holds no numbers.
        ValueError: if an argument is out of range, a row does not fit the agent, or there is not at
            least one row each for training and validation.
        ArithmeticError: if the loss is no longer finite.
    """
    epochs, patience = positive_int("epochs", epochs), positive_int("patience", patience)
    states, decisions = np.asarray(states), np.asarray(decisions)
    split = _checked_split(len(states), len(decisions), validation_fraction)
    x = np.stack([vector("states", row, agent.net[0]) for row in states])
    t = np.stack(
        [places_vector("decisions", row, agent.net[-1], agent.num_places) for row in decisions]
    )
    rows, inputs = np.hstack((x, t.astype(np.float32))), agent.net[0]
    validation = [torch.from_numpy(part) for part in np.split(rows[split:], [inputs], axis=1)]
    rng = np.random.default_rng(seed)
    done = Pretraining([], [], [], 0, split)
    for epoch in range(1, epochs + 1):
        done.training_loss.append(_train_epoch(agent, rows[:split], rng))
        loss, accuracy = evaluate(agent, validation[0], validation[1])
        if not math.isfinite(loss):
            raise ArithmeticError("the policy diverged in training: try a smaller learning_rate")
        if loss < min(done.validation_loss, default=math.inf):
            done, best = done._replace(best_epoch=epoch), copy.deepcopy(agent.model.state_dict())
        done.validation_loss.append(loss)
        done.accuracy.append(accuracy)
        if epoch - done.best_epoch >= patience:
            break
    agent.model.load_state_dict(best)
    for row in range(max(0, split - agent.memory_size), split):
        agent.remember(x[row], t[row])
    return done


def _checked_split(num_states: int, num_decisions: int, validation_fraction: float) -> int:
    """Return the number of rows to train on."""
    if not 0 < validation_fraction < 1:
        raise ValueError(f"validation_fraction must lie in (0, 1), got {validation_fraction}")
    if num_states != num_decisions:
        raise ValueError(f"decisions must be as many as states, {num_states}, got {num_decisions}")
    split = num_states - max(1, round(validation_fraction * num_states))
    if split < 1:
        raise ValueError(
            f"validation_fraction must leave a row to train on, got {validation_fraction} "
            f"of {num_states} states"
        )
    return split


def _train_epoch(agent: MemoryDNN, rows: NDArray[np.float32], rng: np.random.Generator) -> float:
    """Train once on all rows `[T, inputs + N]` in random order; return the steps' mean loss."""
    losses, order, inputs = [], rng.permutation(len(rows)), agent.net[0]
    for start in range(0, len(rows), agent.batch_size):
        batch = rows[order[start : start + agent.batch_size]]
        agent.learner.train_on(batch[:, :inputs], batch[:, inputs:])
        losses.append(agent.cost_his[-1])
    return float(np.mean(losses))


@torch.no_grad()
def evaluate(agent: MemoryDNN, states: Tensor, decisions: Tensor) -> tuple[float, float]:
    """Return the loss of examples, and the fraction of their devices decided as labelled.

    Args:
        agent: its policy and loss are used.
        states: float32 `[B, inputs]`.
        decisions: float32 `[B, N]`.
    """
    logits = agent.network(states)
    decided = logits > 0 if agent.num_places == 2 else logits.argmax(dim=-1)
    loss = LOSSES[agent.loss](logits, decisions)
    return loss.item(), (decided == decisions).float().mean().item()
