"""MemoryDNN: the policy network, its replay memory and its training."""

import os
import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from agent import checkpoint, onnx_export, transfer
from agent.decoder import Decoder
from agent.learner import Learner
from agent.losses import LOSSES
from agent.networks import Layout, check_policy, named_policy, with_probabilities
from agent.quantization import (
    Candidates,
    Decisions,
    nearest_neighbours,
    noisy_order_preserving,
    order_preserving,
)
from agent.replay_memory import ReplayMemory
from agent.validation import (
    check_layout,
    feature_names,
    layer_widths,
    places_of_loss,
    places_vector,
    positive_float,
)
from droo_core.validation import positive_int

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch.optim import Optimizer


class MemoryDNN:
    """A DNN that maps a state to an offloading decision and learns from the best decisions found.

    The first six arguments, the methods and the attributes are those of the published class, so
    that a published script runs with only its import changed. (DROO.)

    The work is done by its parts: `learner` computes and trains the policy, `decoder` turns its
    logits into candidates, `replay` is the memory.

    Args:
        net: layer widths `[inputs, hidden..., N]`, any number of hidden layers.
        learning_rate: of Adam, with weight decay 1e-4.
        training_interval: `encode` trains once in this many calls.
        batch_size: rows of the memory in one training step, drawn with replacement.
        memory_size: rows that the replay memory holds.
        output_graph: without effect; it wrote a TensorFlow 1 graph.
        policy: the network: a name of `agent.networks.POLICIES`, or a module of your own, from
            states `[B, inputs]` to logits `[B, N]`, all float32. A module is not copied, `net`
            gives only its numbers of inputs and devices, and its dropout draws from torch's global
            generator.
        features: names of the features in a state, each of N entries, one after the other; None if
            they are not known. "active" is a mask: devices with 0 there are not offloaded, and
            policies that read states device by device do not see them.
        loss: one of `agent.losses.LOSSES`.
        num_places: the number of places that a device chooses from: 2, to compute locally or
            offload; more for the loss "categorical".
        rebuild_optimizer: begin a new Adam with betas (0.09, 0.999) at every step, as published,
            instead of keeping its moments with betas (0.9, 0.999).
        cost_history_size: the most training losses that `cost_his` keeps.
        seed: int or `SeedSequence` for the initial weights, the sampling and the noise; None takes
            fresh entropy from the operating system. A `SeedSequence` spawns others at every use:
            give each agent one of its own.

    Attributes:
        learner: the network with its optimizer, its backend and its cost history.
        decoder: checks states and decodes logits.
        replay: the replay memory.

    Raises:
        TypeError: if a size is not an integer, the learning rate no number, or `features` a string.
        ValueError: if a size is below 1, `net` has fewer than two layers, the learning rate is not
            a positive number, there is no such policy or loss, or `net`, `features`, policy, loss
            and `num_places` do not fit one another.
    """

    def __init__(
        self,
        net: Sequence[int],
        learning_rate: float = 0.01,
        training_interval: int = 10,
        batch_size: int = 100,
        memory_size: int = 1000,
        output_graph: bool = False,
        *,
        policy: str | nn.Module = "mlp",
        features: Sequence[str] | None = None,
        loss: str = "bce",
        num_places: int = 2,
        rebuild_optimizer: bool = False,
        cost_history_size: int = 100_000,
        seed: int | np.random.SeedSequence | None = None,
    ) -> None:
        if output_graph:
            warnings.warn("output_graph has no effect", stacklevel=2)
        self.net = layer_widths("net", net)
        rate = positive_float("learning_rate", learning_rate)
        self.training_interval = positive_int("training_interval", training_interval)
        self.batch_size = positive_int("batch_size", batch_size)
        self.memory_size = positive_int("memory_size", memory_size)
        self.cost_history_size = positive_int("cost_history_size", cost_history_size)
        self.num_places = places_of_loss("num_places", num_places, loss)
        self.loss = loss
        self.features = feature_names("features", features)
        inputs, num_devices = self.net[0], self.net[-1]
        check_layout("net[0]", inputs, self.features, num_devices)

        if not isinstance(seed, np.random.SeedSequence):
            seed = np.random.SeedSequence(seed)
        for_weights, for_memory, for_noise = seed.spawn(3)
        layout = Layout(num_devices, self.features or (), self.num_places)
        self.policy, network = named_policy(policy, self.net, layout, for_weights)
        self.learner = Learner(
            network,
            LOSSES[loss],
            inputs,
            num_devices,
            learning_rate=rate,
            rebuild_optimizer=rebuild_optimizer,
            cost_history_size=self.cost_history_size,
        )
        check_policy(network, inputs, layout)
        self._model = with_probabilities(network, self.num_places)
        self.decoder = Decoder(inputs, layout, np.random.default_rng(for_noise))
        self.replay = ReplayMemory(
            self.memory_size, inputs + num_devices, np.random.default_rng(for_memory)
        )

    @property
    def model(self) -> nn.Sequential:
        """The network with its sigmoid: states `[B, inputs]` in, relaxed decisions `[B, N]` out.

        For more than two places, with its softmax. Other weights may be loaded into it, but its
        layers must stay.
        """
        return self._model

    @property
    def network(self) -> nn.Module:
        """The policy, from states `[B, inputs]` to logits `[B, N]` or `[B, N, P]`."""
        return self.learner.network

    @property
    def num_parameters(self) -> int:
        """The number of the policy's parameters."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def optimizer(self) -> "Optimizer":
        """The network's Adam, torch's, made at the first access; it may be replaced.

        Its first group takes over the learning rate `lr` at every step.
        """
        self.learner.renew_optimizer()
        return self.learner.adam.optimizer

    @optimizer.setter
    def optimizer(self, optimizer: "Optimizer") -> None:
        self.learner.renew_optimizer()
        self.learner.adam.optimizer = optimizer

    @property
    def lr(self) -> float:
        """The learning rate; it may be changed."""
        return self.learner.lr

    @lr.setter
    def lr(self, learning_rate: float) -> None:
        self.learner.lr = learning_rate

    @property
    def rebuild_optimizer(self) -> bool:
        """Whether each step begins a new Adam; it may be changed."""
        return self.learner.rebuild_optimizer

    @rebuild_optimizer.setter
    def rebuild_optimizer(self, rebuild: bool) -> None:
        self.learner.rebuild_optimizer = rebuild

    @property
    def memory(self) -> NDArray[np.float32]:
        """The replay memory's rows `[memory_size, inputs + N]`."""
        return self.replay.rows

    @property
    def memory_counter(self) -> int:
        """The number of rows ever written to the replay memory."""
        return self.replay.counter

    @property
    def updates(self) -> int:
        """The number of training steps taken."""
        return self.learner.updates

    @property
    def cost_his(self) -> list[float]:
        """The training losses, newest last."""
        return self.learner.cost_his

    @property
    def cost(self) -> float | None:
        """The last training loss, None before the first."""
        return self.cost_his[-1] if self.cost_his else None

    def remember(self, h: ArrayLike, m: ArrayLike) -> None:
        """Store one row.

        Args:
            h: state `[inputs]`.
            m: decision `[N]`, zeros and ones, or places from 0 to `num_places` - 1.

        Raises:
            TypeError: if `h` holds no numbers.
            ValueError: if a shape differs, `h` is not finite or `m` is no such decision.
        """
        state = self.decoder.state(h)
        self.replay.append(state, places_vector("m", m, self.net[-1], self.num_places))

    def encode(self, h: ArrayLike, m: ArrayLike) -> None:
        """Store one row as `remember` does, and train after every `training_interval` rows."""
        self.remember(h, m)
        if self.replay.ends_interval(self.training_interval):
            self.learn()

    def learn(self) -> None:
        """Take one Adam step on a random batch of the memory.

        By default the loss is the binary cross-entropy averaged over the batch and the devices,
        computed from the logits: the same number as `BCELoss`, without its saturation.

        Raises:
            ValueError: if the memory is empty.
        """
        rows, inputs = self.replay.sample(self.batch_size), self.net[0]
        self.learner.train_on(rows[:, :inputs], rows[:, inputs:])

    def relaxed_decision(self, h: ArrayLike) -> NDArray[np.float64]:
        """Return the policy's relaxed decision `[N]` in [0, 1] for a state `[inputs]`.

        The sigmoid is taken in double precision, where entries that single precision would round to
        the same 0 or 1 keep their order. With more than two places, the probabilities `[N, P]` of
        all places are returned.

        Raises:
            TypeError: if `h` holds no numbers.
            ValueError: if `h` has another shape or is not finite.
            ArithmeticError: if training has driven the weights to non-finite values.
        """
        return self.decoder.relaxed(self.learner.logits(self.decoder.state(h)))

    def decode(self, h: ArrayLike, k: int = 1, mode: str = "OP") -> Decisions:
        """Propose offloading decisions for a state.

        Args:
            h: state `[inputs]`.
            k: the most candidates to propose (for OPN: twice that).
            mode: the quantizer: "OP" (order-preserving), "OPN" (noisy order-preserving) or "KNN"
                (nearest neighbours); with more than two places "KNN" alone, the likeliest.

        Returns:
            Distinct decisions `[K, N]` of zeros and ones (or places), the likeliest first.

        Raises:
            ValueError: if `h` has another shape or is not finite, `k < 1`, or `mode` is unknown.
            TypeError: if `k` is not an integer or `h` holds no numbers.
            ArithmeticError: if training has driven the weights to non-finite values.
        """
        return self.propose(h, k, mode).decisions

    def propose(self, h: ArrayLike, k: int = 1, mode: str = "OP") -> Candidates:
        """Do what `decode` does, and return with each candidate its rank, to adapt K by."""
        state = self.decoder.state(h)
        return self.decoder.candidates(state, self.learner.logits(state), k, mode)

    def knm(self, m: ArrayLike, k: int = 1) -> Decisions:
        """Quantize `m` `[N]` by `agent.quantization.order_preserving`."""
        return order_preserving(m, k)

    def knn(self, m: ArrayLike, k: int = 1) -> Decisions:
        """Quantize `m` `[N]` by `agent.quantization.nearest_neighbours`."""
        return nearest_neighbours(m, k)

    def opn(self, m: ArrayLike, k: int = 1) -> Decisions:
        """Quantize `m` `[N]` by `agent.quantization.noisy_order_preserving`."""
        return noisy_order_preserving(m, k, self.decoder.rng)

    def plot_cost(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the training losses in `cost_his`.

        Args:
            ax: where to draw; None makes a new figure. Nothing is shown on the screen: call
                `matplotlib.pyplot.show()` for that.

        Returns:
            The Axes drawn on.
        """
        return self.learner.plot_cost(ax)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole agent to one file: weights, optimizer, memory, counters, generators."""
        checkpoint.write(path, *checkpoint.pack(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, policy: nn.Module | None = None) -> Self:
        """Return the agent that `save` wrote; it continues as if it had never stopped.

        Args:
            path: the file.
            policy: if the agent had a module of your own, one like it; its parameters are replaced.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is not a whole checkpoint of this project, its format is newer than
                this version reads, or `policy` does not fit.
        """
        return checkpoint.restore(path, partial(checkpoint.unpack, cls, policy=policy))

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the policy alone to an ONNX file, which other programs and languages can run.

        Its input is `state` `[B, inputs]`, single precision. Its outputs are `logits` `[B, N]`,
        from which `decode` makes candidates, and `relaxed_decision` `[B, N]`, double precision
        (with more than two places `[B, N, P]`). N is free for the policies that take any N. The
        file is compared with the policy before it is written; the agent stays as it is.

        Raises:
            MissingExtraError: if onnx or onnxruntime is not installed.
            FileNotFoundError: if there is no such folder.
            ValueError: if the policy is a module of your own that cannot be exported.
            ArithmeticError: if training has driven the weights to non-finite values.
        """
        onnx_export.write(path, self.network, self.net[0], self.decoder.layout, self.policy)

    def for_devices(
        self, num_devices: int, seed: int | np.random.SeedSequence | None = None
    ) -> Self:
        """Return an agent with a copy of this policy for another number of devices.

        It continues the optimizer, and begins with an empty memory.

        Args:
            num_devices: N of the new agent.
            seed: for its sampling and noise, as in the constructor.

        Raises:
            ValueError: if the policy is for its own N alone, or the features are not known.
        """
        return transfer.for_devices(self, type(self), num_devices, seed)

    def start_from(self, other: "MemoryDNN") -> None:
        """Take over the parameters of another agent's policy, and its memory if N is the same.

        Without that memory, the policy would soon know only its first few frames.

        Raises:
            ValueError: if the policies differ, or the policy is for its own N alone.
        """
        transfer.start_from(self, other)
