"""The reference of training: torch's modules, losses, derivatives and optimizers alone."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from droo_core.arrays import Singles

Losses = Callable[[Tensor, Tensor], Tensor]


class ByTorch:
    """A copy of a network, trained by torch.

    Attributes:
        network: the copy.
        optimizer: Adam with the settings of an agent; it may be changed or replaced.
        loss: the binary cross-entropy of logits; it may be replaced.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network)
        parameters = self.network.parameters()
        self.optimizer: torch.optim.Optimizer
        self.optimizer = torch.optim.Adam(parameters, 0.01, (0.9, 0.999), 1e-8, 1e-4)
        self.loss: Losses = nn.BCEWithLogitsLoss()

    def train_on(self, states: Singles, decisions: Singles) -> float:
        """Take a step of the optimizer, and return the loss before it."""
        self.optimizer.zero_grad()
        logits = self.network(torch.from_numpy(states))
        loss = self.loss(logits, torch.from_numpy(decisions))
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.item()


def check_equal(a: nn.Module, b: nn.Module, tolerance: float = 0) -> None:
    """Check that two networks have equal parameters."""
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        np.testing.assert_allclose(p.detach(), q.detach(), rtol=0, atol=tolerance)
