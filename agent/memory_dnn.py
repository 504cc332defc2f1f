"""MemoryDNN: the policy network, its replay memory and its training."""

import copy
import math
import os
import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, softmax
from torch import Tensor, nn

from agent import checkpoint, onnx_export
from agent.backends import CompiledMLP, fastest
from agent.kernels.mlp import Several
from agent.losses import LOSSES
from agent.networks import ACTIVE, Layout, build, check, with_probabilities
from agent.quantization import (
    Candidates,
    Decisions,
    check_mode,
    likeliest,
    nearest_neighbours,
    noisy_order_preserving,
    order_preserving,
    quantize,
    without,
)
from agent.replay_memory import ReplayMemory
from agent.validation import check_layout, places_vector, vector
from droo_core.validation import positive_int

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OWN = "module"
"""The name of a policy that is a module of the caller's."""


class MemoryDNN:
    """A DNN that maps a state to an offloading decision and learns from the best decisions found.

    The first six arguments, the methods and the attributes are those of the published class, so
    that a published script runs with only its import changed. (DROO.)

    Args:
        net: layer widths `[inputs, hidden..., N]`, any number of hidden layers.
        learning_rate: of Adam, with weight decay 1e-4.
        training_interval: `encode` trains once in so many calls.
        batch_size: rows of the memory in one training step, drawn with replacement.
        memory_size: rows that the replay memory holds.
        output_graph: without effect; it wrote a TensorFlow 1 graph.
        policy: the network, one of `agent.networks.POLICIES`, or a module of your own, from states
            `[B, inputs]` to logits `[B, N]`, all float32. Of the latter `net` tells only the ends;
            it is not copied, and its dropout draws from torch's global generator.
        features: names of the features in a state, each of N entries, one after the other; None
            for a state of which nothing is known. "active" is a mask: devices with 0 there are not
            offloaded, and the policies that look at one device after the other (equivariant,
            attention, conv, bigru_attention) do not see them.
        loss: one of `agent.losses.LOSSES`.
        num_places: 2, to compute locally or offload; or how many places a device chooses from, for
            the loss "categorical".
        rebuild_optimizer: start Adam anew at every step with betas (0.09, 0.999), as published,
            instead of keeping its moments with betas (0.9, 0.999).
        cost_history_size: how many training losses `cost_his` keeps at most.
        seed: int or `SeedSequence` for the initial weights, the sampling and the noise; None takes
            fresh entropy from the operating system. A `SeedSequence` spawns others each time that
            it is used: hand each agent one of its own.

    Attributes:
        network: the policy, from states to logits.
        optimizer: its Adam.
        model: the network with its sigmoid (with its softmax, for more than two places), an
            `nn.Sequential`; other weights may be loaded into it, but its layers must stay.
        replay: the replay memory.
        memory: its rows `[memory_size, inputs + N]`, float32.
        memory_counter: how many rows were ever written to it.
        cost: the last training loss, None before the first.
        cost_his: the training losses, newest last.
        updates: how many training steps were taken.

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
        self.net = [positive_int(f"net[{i}]", width) for i, width in enumerate(net)]
        if len(self.net) < 2:
            raise ValueError(f"net must be [inputs, hidden..., N], got {self.net}")
        try:
            self.lr = float(learning_rate)
        except (TypeError, ValueError):
            raise TypeError(f"learning_rate must be a number, got {learning_rate!r}") from None
        if not 0 < self.lr < math.inf:
            raise ValueError(f"learning_rate must be positive and finite, got {learning_rate}")
        if output_graph:
            warnings.warn("output_graph has no effect", stacklevel=2)
        self.training_interval = positive_int("training_interval", training_interval)
        self.batch_size = positive_int("batch_size", batch_size)
        self.memory_size = positive_int("memory_size", memory_size)
        self.num_places = positive_int("num_places", num_places)
        if isinstance(features, str):
            raise TypeError(f"features must be a sequence of names, got {features!r}")
        self.features = None if features is None else tuple(features)
        check_layout("net[0]", self.net[0], self.features, self.net[-1])
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}")
        if self.num_places < 2 or (loss == "categorical") != (self.num_places > 2):
            raise ValueError(
                f"num_places must be 2, or more for the loss categorical alone, "
                f"got {num_places} for {loss}"
            )
        self.loss = loss
        self.cost_history_size = positive_int("cost_history_size", cost_history_size)
        self.rebuild_optimizer = rebuild_optimizer

        if not isinstance(seed, np.random.SeedSequence):
            seed = np.random.SeedSequence(seed)
        for_weights, for_memory, for_noise = seed.spawn(3)
        self._noise = np.random.default_rng(for_noise)
        self.replay = ReplayMemory(
            self.memory_size, self.net[0] + self.net[-1], np.random.default_rng(for_memory)
        )
        layout = Layout(self.net[-1], self.features or (), self.num_places)
        if isinstance(policy, nn.Module):
            self.policy, self.network = OWN, policy
        else:
            random = int(for_weights.generate_state(1, np.uint64)[0])
            generator = torch.Generator().manual_seed(random)
            self.policy, self.network = policy, build(policy, self.net, layout, generator)
        self._passes = fastest(self.network, LOSSES[loss])
        check(self.network, self.net[0], layout)
        self._model = with_probabilities(self.network, self.num_places)
        self.optimizer = self._new_optimizer()

        self.cost_his: list[float] = []
        self.updates = 0

    @property
    def model(self) -> nn.Sequential:
        """The network with its sigmoid: states `[B, inputs]` in, relaxed decisions `[B, N]` out."""
        return self._model

    @property
    def compiled_layers(self) -> tuple[Several, Several] | None:
        """Weights and biases of each layer for `agent.kernels.mlp`, on torch's own memory.

        None unless the policy is an MLP whose passes are compiled.
        """
        return self._passes.layers() if isinstance(self._passes, CompiledMLP) else None

    @property
    def num_parameters(self) -> int:
        """How many parameters the policy has."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def memory(self) -> NDArray[np.float32]:
        """The replay memory's rows `[memory_size, inputs + N]`."""
        return self.replay.rows

    @property
    def memory_counter(self) -> int:
        """How many rows were ever written to the replay memory."""
        return self.replay.counter

    @property
    def training_is_due(self) -> bool:
        """Whether a training step falls on the last row that was written."""
        return self.memory_counter % self.training_interval == 0

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
        self.replay.append(self._state(h), places_vector("m", m, self.net[-1], self.num_places))

    def encode(self, h: ArrayLike, m: ArrayLike) -> None:
        """Store one row, and train after every `training_interval` rows.

        Args:
            h: state `[inputs]`.
            m: decision `[N]`, as for `remember`.

        Raises:
            TypeError: if `h` holds no numbers.
            ValueError: if a shape differs, `h` is not finite or `m` is no decision.
        """
        self.remember(h, m)
        if self.training_is_due:
            self.learn()

    def learn(self) -> None:
        """Take one Adam step on a random batch of the memory.

        By default the loss is the binary cross-entropy averaged over the batch and the devices,
        computed from the logits: the same number as `BCELoss`, without its saturation.

        Raises:
            ValueError: if the memory is empty.
        """
        self.train_on(*self.sample())

    def sample(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return a random batch of the memory, states `[B, inputs]` and decisions `[B, N]`.

        Raises:
            ValueError: if the memory is empty.
        """
        batch = self.replay.sample(self.batch_size)
        return batch[:, : self.net[0]], batch[:, self.net[0] :]

    def train_on(self, states: NDArray[np.float32], decisions: NDArray[np.float32]) -> None:
        """Take one Adam step on these examples; their loss before it goes to `cost`.

        Args:
            states: `[B, inputs]`, single precision.
            decisions: `[B, N]`, single precision.

        Raises:
            ValueError: if their shapes are others, or B is 0.
        """
        wanted = (len(states), self.net[0]), (len(states), self.net[-1])
        if (states.shape, decisions.shape) != wanted or len(states) == 0:
            raise ValueError(
                f"states and decisions must have shapes [B, {self.net[0]}] and "
                f"[B, {self.net[-1]}], got {list(states.shape)} and {list(decisions.shape)}"
            )
        self.renew_optimizer(rebuild=self.rebuild_optimizer)
        self.optimizer.param_groups[0]["lr"] = self.lr  # the caller may have changed it
        self.record_loss(self._passes.step(self.optimizer, states, decisions))

    def renew_optimizer(self, *, rebuild: bool = False) -> None:
        """Begin a new optimizer if parameters were replaced, as by load_state_dict(assign=True)."""
        known = self.optimizer.param_groups[0]["params"]
        replaced = any(p is not q for p, q in zip(self.network.parameters(), known, strict=True))
        if rebuild or replaced:
            self.optimizer = self._new_optimizer()

    def record_loss(self, loss: float) -> None:
        """Count a training step, and keep its loss."""
        self.updates += 1
        self.cost_his.append(loss)
        if len(self.cost_his) > self.cost_history_size:
            # A tenth at a time: forgetting one by one would move the whole list at every step.
            del self.cost_his[: 1 + self.cost_history_size // 10]

    def relaxed_decision(self, h: ArrayLike) -> NDArray[np.float64]:
        """Return the policy's relaxed decision `[N]` in [0, 1] for a state `[inputs]`.

        The sigmoid is taken in double precision, where entries that single precision would round to
        the same 0 or 1 keep their order. With more than two places, the probability of each
        `[N, P]` is returned.

        Raises:
            TypeError: if `h` holds no numbers.
            ValueError: if `h` has another shape or is not finite.
            ArithmeticError: if training has driven the weights to non-finite values.
        """
        return self._relaxed(self._finite(self._passes.forward(self._state(h))))

    def _finite(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        if not math.isfinite(logits.sum()):
            raise ArithmeticError("the policy diverged in training: try a smaller learning_rate")
        return logits.astype(np.float64)

    def _relaxed(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        squash = expit if self.num_places == 2 else partial(softmax, axis=1)
        relaxed: NDArray[np.float64] = squash(logits)
        return relaxed

    def decode(self, h: ArrayLike, k: int = 1, mode: str = "OP") -> Decisions:
        """Propose binary offloading decisions for a state.

        Args:
            h: state `[inputs]`.
            k: how many candidates to propose at most (for OPN: twice that).
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
        """Do what `decode` does, and return with each candidate the least K that reaches it."""
        state = self._state(h)
        return self.candidates(state, self._passes.forward(state), k, mode)

    def candidates(
        self, state: NDArray[np.float32], logits: NDArray[np.float32], k: int, mode: str
    ) -> Candidates:
        """Return what `propose` does, from the logits `[N]` or `[N, P]` of a state `[inputs]`."""
        precise, active = self._finite(logits), self._active(state)
        if self.num_places == 2:
            candidates = quantize(precise, k, mode, self._noise)
        else:
            check_mode(mode, self.num_places)
            decisions = likeliest(self._relaxed(precise), k)
            candidates = Candidates(decisions, np.arange(len(decisions)))
        if active is None or active.all():
            return candidates
        return without(candidates, ~active)

    def active(self, h: ArrayLike) -> NDArray[np.bool_] | None:
        """Return which devices `[N]` are active in a state `[inputs]`; None if it does not tell.

        Raises:
            TypeError: if `h` holds no numbers.
            ValueError: if `h` has another shape or is not finite.
        """
        return self._active(self._state(h))

    def _active(self, state: NDArray[np.float32]) -> NDArray[np.bool_] | None:
        if self.features is None or ACTIVE not in self.features:
            return None
        features = state.reshape(len(self.features), -1)
        active: NDArray[np.bool_] = features[self.features.index(ACTIVE)] > 0
        return active

    def knm(self, m: ArrayLike, k: int = 1) -> Decisions:
        """Quantize `m` `[N]` by `agent.quantization.order_preserving`."""
        return order_preserving(m, k)

    def knn(self, m: ArrayLike, k: int = 1) -> Decisions:
        """Quantize `m` `[N]` by `agent.quantization.nearest_neighbours`."""
        return nearest_neighbours(m, k)

    def opn(self, m: ArrayLike, k: int = 1) -> Decisions:
        """Quantize `m` `[N]` by `agent.quantization.noisy_order_preserving`."""
        return noisy_order_preserving(m, k, self._noise)

    def plot_cost(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the training losses in `cost_his`.

        Args:
            ax: where to draw; None makes a figure of its own. Nothing is shown on the screen: that
                is for the caller, by `matplotlib.pyplot.show()`.

        Returns:
            The Axes drawn on.
        """
        if ax is None:
            import matplotlib.pyplot as plt  # noqa: PLC0415 (an agent that plots nothing needs none)

            _, ax = plt.subplots()
        oldest = self.updates - len(self.cost_his) + 1
        ax.plot(np.arange(oldest, self.updates + 1), self.cost_his)
        ax.set(xlabel="Training step", ylabel="Training loss")
        return ax

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole agent to one file: weights, optimizer, memory, counters, generators."""
        checkpoint.write(path, *self.pack())

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, policy: nn.Module | None = None) -> Self:
        """Return the agent that `save` wrote; it continues as if it had never stopped.

        Args:
            path: the file.
            policy: if the agent had a module of your own, one like it; its parameters are replaced.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is not a whole checkpoint of this project, or `policy` does not fit.
        """
        return checkpoint.restore(path, partial(cls.unpack, policy=policy))

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the policy alone to an ONNX file, which other programs and languages can run.

        Its input is `state` `[B, inputs]`, single precision, its outputs are `logits` `[B, N]`, of
        which `decode` makes candidates, and `relaxed_decision` `[B, N]`, double precision (with
        more than two places `[B, N, P]`). N is free for the policies that take any. It is held to
        the policy before it is written; the agent stays as it is.

        Raises:
            MissingExtraError: if onnx or onnxruntime is not installed.
            FileNotFoundError: if there is no such folder.
            ValueError: if the policy is a module of your own that cannot be written so.
            ArithmeticError: if training has driven the weights to non-finite values.
        """
        onnx_export.write(path, self)

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
        num_devices = positive_int("num_devices", num_devices)
        if self.features is None:
            raise ValueError("features must be known to take a policy to another number of devices")
        arguments = self._arguments() | {
            "net": [len(self.features) * num_devices, *self.net[1:-1], num_devices],
            "policy": copy.deepcopy(self.network),
            "seed": seed,
        }
        agent = type(self)(**arguments)
        agent.policy = self.policy
        agent.optimizer.load_state_dict(copy.deepcopy(self.optimizer.state_dict()))
        return agent

    def pack(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that the agent is, as tensors and JSON values: what `save` writes."""
        # Clones, since safetensors refuses tensors that share memory, as tied parameters do.
        parameters = self.model.state_dict()
        tensors = {f"model.{name}": value.clone() for name, value in parameters.items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
        tensors["memory"] = torch.from_numpy(self.memory)
        tensors["cost_his"] = torch.tensor(self.cost_his, dtype=torch.float64)
        meta = {
            "arguments": self._arguments(),
            "memory_counter": self.memory_counter,
            "updates": self.updates,
            "memory_rng": self.replay.rng.bit_generator.state,
            "noise_rng": self._noise.bit_generator.state,
        }
        return tensors, meta

    @classmethod
    def unpack(
        cls, tensors: dict[str, Tensor], meta: dict[str, Any], policy: nn.Module | None = None
    ) -> Self:
        """Return the agent that `pack` described."""
        arguments = meta["arguments"]
        if (arguments["policy"] == OWN) != (policy is not None):
            raise ValueError(f"policy must be given for an agent of policy {OWN} and no other")
        if policy is not None:
            arguments = arguments | {"policy": policy}
        agent = cls(**arguments, seed=0)  # every random number that this draws is replaced
        weights: dict[str, Tensor] = {}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            match name.split(".", maxsplit=2):
                case ["model", *rest]:
                    weights[".".join(rest)] = value
                case ["optimizer", number, moment]:
                    moments.setdefault(int(number), {})[moment] = value
        agent.model.load_state_dict(weights)
        groups = agent.optimizer.state_dict()["param_groups"]
        agent.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        if tensors["memory"].shape != agent.memory.shape:
            raise ValueError(f"memory must be {agent.memory.shape}, is {tensors['memory'].shape}")
        agent.replay.rows[:] = tensors["memory"].numpy()
        agent.replay.counter = meta["memory_counter"]
        agent.replay.rng.bit_generator.state = meta["memory_rng"]
        agent._noise.bit_generator.state = meta["noise_rng"]
        agent.cost_his = tensors["cost_his"].tolist()
        agent.updates = meta["updates"]
        return agent

    def start_from(self, other: "MemoryDNN") -> None:
        """Take over the parameters of another agent's policy, and its memory if N is the same.

        Without that memory a few first frames would soon be all that the policy knows.

        Raises:
            ValueError: if the policies differ, or the policy is for its own N alone.
        """
        names = ("policy", "features", "num_places")
        for name in names:
            if getattr(self, name) != getattr(other, name):
                raise ValueError(
                    f"other must have the {name} {getattr(self, name)}, has {getattr(other, name)}"
                )
        source = other if self.net[-1] == other.net[-1] else other.for_devices(self.net[-1])
        parameters = source.model.state_dict()
        shapes = [
            {name: list(value.shape) for name, value in of_model.items()}
            for of_model in (self.model.state_dict(), parameters)
        ]
        if shapes[0] != shapes[1]:
            raise ValueError(f"other must have parameters of shapes {shapes[0]}, has {shapes[1]}")
        self.model.load_state_dict(parameters)
        if source is other:
            kept = min(other.memory_counter, other.memory_size, self.memory_size)
            for row in range(other.memory_counter - kept, other.memory_counter):
                state, decision = np.split(other.memory[row % other.memory_size], [self.net[0]])
                self.replay.append(state, decision)

    def _arguments(self) -> dict[str, Any]:
        """Return what to construct an agent like this with, but for the seed."""
        return {
            "net": self.net,
            "learning_rate": self.lr,
            "training_interval": self.training_interval,
            "batch_size": self.batch_size,
            "memory_size": self.memory_size,
            "policy": self.policy,
            "features": self.features,
            "loss": self.loss,
            "num_places": self.num_places,
            "rebuild_optimizer": self.rebuild_optimizer,
            "cost_history_size": self.cost_history_size,
        }

    def _state(self, h: ArrayLike) -> NDArray[np.float32]:
        if np.shape(h) != (self.net[0],) and self.features is not None:
            check_layout("h", np.size(h), self.features, self.net[-1])
        return vector("h", h, self.net[0])

    def _new_optimizer(self) -> torch.optim.Adam:
        betas = (0.09, 0.999) if self.rebuild_optimizer else (0.9, 0.999)
        return torch.optim.Adam(
            self.network.parameters(), self.lr, betas, weight_decay=1e-4, fused=True
        )
