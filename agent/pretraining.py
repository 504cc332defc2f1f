"""Supervised pre-training: a policy learns labelled decisions before it goes online."""

import copy
import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from agent.losses import LOSSES
from agent.memory_dnn import MemoryDNN
from agent.validation import places_vector, vector
from droo_core.validation import positive_int


class Pretraining(NamedTuple):
    """How a pre-training went.

    Attributes:
        training_loss: the mean loss of each epoch's steps.
        validation_loss: the loss on the validation rows after each epoch.
        accuracy: how large a part of the validation rows' devices is decided as labelled.
        best_epoch: the epoch, from 1, with the least validation loss; its policy was kept.
        training_rows: how many rows, the first, were trained on.
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

    The last rows are the validation, since neighbouring frames may be alike. Training ends after
    `epochs`, or when the validation loss has not fallen for `patience` of them, and the policy of
    the best epoch is kept; the optimizer goes on from the last. The memory is filled so that the
    first frames online are not all that the policy then learns from.

    Args:
        agent: its loss, optimizer and batch size are used.
        states: `[T, inputs]`.
        decisions: `[T, N]`.
        epochs: how often to go through the training rows at most.
        patience: epochs without a better validation loss after which to stop.
        validation_fraction: of the rows.
        seed: for the order of the rows.

    Raises:
        TypeError: if `epochs` or `patience` is not an integer, or `states` holds no numbers.
        ValueError: if one is out of range, a row is not what the agent takes, or there are not at
            least one row each to train on and to validate.
        ArithmeticError: if the loss is no longer finite.
    """
    epochs, patience = positive_int("epochs", epochs), positive_int("patience", patience)
    if not 0 < validation_fraction < 1:
        raise ValueError(f"validation_fraction must lie in (0, 1), got {validation_fraction}")
    states, decisions = np.asarray(states), np.asarray(decisions)
    if len(states) != len(decisions):
        raise ValueError(
            f"decisions must be as many as states, {len(states)}, got {len(decisions)}"
        )
    split = len(states) - max(1, round(validation_fraction * len(states)))
    if split < 1:
        raise ValueError(
            f"validation_fraction must leave a row to train on, got {validation_fraction} "
            f"of {len(states)} states"
        )
    x = np.stack([vector("states", row, agent.net[0]) for row in states])
    t = np.stack(
        [places_vector("decisions", row, agent.net[-1], agent.num_places) for row in decisions]
    )
    examples, inputs = np.hstack((x, t.astype(np.float32))), agent.net[0]
    validation = (
        torch.from_numpy(examples[split:, :inputs]),
        torch.from_numpy(examples[split:, inputs:]),
    )
    rng = np.random.default_rng(seed)
    training_loss: list[float] = []
    validation_loss: list[float] = []
    accuracies: list[float] = []
    best_epoch, best = 0, copy.deepcopy(agent.model.state_dict())
    for epoch in range(1, epochs + 1):
        losses = []
        order = rng.permutation(split)
        for start in range(0, split, agent.batch_size):
            batch = examples[order[start : start + agent.batch_size]]
            agent.train_on(batch[:, :inputs], batch[:, inputs:])
            losses.append(agent.cost_his[-1])
        loss, accuracy = evaluate(agent, *validation)
        training_loss.append(float(np.mean(losses)))
        validation_loss.append(loss)
        accuracies.append(accuracy)
        if not math.isfinite(loss):
            raise ArithmeticError("the policy diverged in training: try a smaller learning_rate")
        if best_epoch == 0 or loss < validation_loss[best_epoch - 1]:
            best_epoch, best = epoch, copy.deepcopy(agent.model.state_dict())
        if epoch - best_epoch >= patience:
            break
    agent.model.load_state_dict(best)
    for row in range(max(0, split - agent.memory_size), split):
        agent.remember(x[row], t[row])
    return Pretraining(training_loss, validation_loss, accuracies, best_epoch, split)


@torch.no_grad()
def evaluate(agent: MemoryDNN, states: Tensor, decisions: Tensor) -> tuple[float, float]:
    """Return the loss of these examples, and the part of devices decided as there.

    Args:
        agent: the policy and the loss.
        states: float32 `[B, inputs]`.
        decisions: float32 `[B, N]`.
    """
    policy = agent.model[:-1]  # without the sigmoid
    logits = policy(states)
    decided = logits > 0 if agent.num_places == 2 else logits.argmax(dim=-1)
    loss = LOSSES[agent.loss](logits, decisions)
    return loss.item(), (decided == decisions).float().mean().item()
