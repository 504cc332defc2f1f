"""The learner: a policy network with its optimizer, its backend and its cost history."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import nn

from agent.adam import AdamState, Hyperparameters
from agent.backends import Logits, backend_for
from agent.losses import Loss
from droo_core.arrays import Singles

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Learner:
    """Computes a policy's logits and trains it.

    Args:
        network: the policy, from states `[B, inputs]` to logits; put in evaluation mode.
        loss: from logits and decisions `[B, N]` to their mean loss.
        inputs: the size of a state.
        num_devices: N.
        learning_rate: of Adam.
        rebuild_optimizer: begin a new Adam with the published betas at every step.
        cost_history_size: the most training losses that `cost_his` keeps.

    Attributes:
        network: the policy.
        backend: computes the forward pass and the training step.
        adam: the state of the network's Adam.
        lr: the learning rate of the next step.
        rebuild_optimizer: the argument.
        cost_his: the training losses, newest last.
        updates: the number of training steps taken.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        inputs: int,
        num_devices: int,
        *,
        learning_rate: float = 0.01,
        rebuild_optimizer: bool = False,
        cost_history_size: int = 100_000,
    ) -> None:
        self.network = network
        self.backend = backend_for(network, loss)
        self.lr = learning_rate
        self.rebuild_optimizer = rebuild_optimizer
        self.adam = AdamState(network, learning_rate, published=rebuild_optimizer)
        self.cost_his: list[float] = []
        self.updates = 0
        self._inputs, self._num_devices = inputs, num_devices
        self._cost_history_size = cost_history_size

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Adam's hyperparameters in the next step."""
        return self.adam.hyperparameters(self.lr)

    def logits(self, state: NDArray[np.float32]) -> Logits:
        """Return the logits `[N]` or `[N, P]` of a state `[inputs]`."""
        return self.backend.forward(state)

    def train_on(self, states: Singles, decisions: Singles) -> None:
        """Take one Adam step on a batch, and record its loss before the step.

        Args:
            states: `[B, inputs]`, single precision.
            decisions: `[B, N]`, single precision.

        Raises:
            ValueError: if their shapes are others, or B is 0.
        """
        wanted = (len(states), self._inputs), (len(states), self._num_devices)
        if (states.shape, decisions.shape) != wanted or len(states) == 0:
            raise ValueError(
                f"states and decisions must have shapes [B, {self._inputs}] and "
                f"[B, {self._num_devices}], got {list(states.shape)} and {list(decisions.shape)}"
            )
        self.renew_optimizer(rebuild=self.rebuild_optimizer)
        self.record_loss(self.backend.step(self.adam, self.lr, states, decisions))

    def renew_optimizer(self, *, rebuild: bool = False) -> None:
        """Begin a new optimizer if the network's parameters were replaced, or on request."""
        if rebuild or self.adam.is_stale(self.network):
            self.adam = AdamState(self.network, self.lr, published=self.rebuild_optimizer)

    def record_loss(self, loss: float) -> None:
        """Count a training step and append its loss to `cost_his`."""
        self.updates += 1
        self.cost_his.append(loss)
        if len(self.cost_his) > self._cost_history_size:
            # A tenth at a time: dropping single losses would move the whole list at every step.
            del self.cost_his[: 1 + self._cost_history_size // 10]

    def plot_cost(self, ax: "Axes | None" = None) -> "Axes":
        """Draw `cost_his` over the training steps, and return the Axes drawn on.

        Args:
            ax: where to draw; None makes a new figure.
        """
        if ax is None:
            import matplotlib.pyplot as plt  # noqa: PLC0415 (only plotting needs it)

            _, ax = plt.subplots()
        oldest = self.updates - len(self.cost_his) + 1
        ax.plot(np.arange(oldest, self.updates + 1), self.cost_his)
        ax.set(xlabel="Training step", ylabel="Training loss")
        return ax
