"""The forward pass of one state and the training step of a batch: by torch, or compiled."""

from collections.abc import Callable
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.kernels import equivariant as equivariant_kernels
from agent.kernels import mlp as mlp_kernels
from agent.kernels.mlp import Several
from agent.losses import Loss, binary_cross_entropy
from agent.networks import MLP, Equivariant

Floats = NDArray[np.float32]
Logits = NDArray[np.float32]


class Passes(Protocol):
    """The two computations that every frame waits for."""

    def forward(self, state: Floats) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        ...

    def step(self, optimizer: torch.optim.Adam, states: Floats, decisions: Floats) -> float:
        """Take a step of the optimizer on `[B, inputs]` and `[B, N]`; return the loss before it."""
        ...


def fastest(policy: nn.Module, loss: Loss) -> Passes:
    """Return the fastest way there is for a policy and a loss."""
    # Not for subclasses, which may compute something else.
    if type(policy) is MLP and loss is binary_cross_entropy and is_plain(policy):
        return CompiledMLP(policy)
    if type(policy) is Equivariant and is_plain(policy):
        return CompiledEquivariant(policy, loss)
    return Autograd(policy, loss)


def is_plain(policy: nn.Module) -> bool:
    """Whether no layer is there twice, no parameter is shared, and all are trained."""
    layers = [layer for _, layer in policy.named_modules(remove_duplicate=False)]
    return len(set(layers)) == len(layers) and all_own_and_trained(policy)


def all_own_and_trained(policy: nn.Module) -> bool:
    """Whether no parameter is shared, and all are trained."""
    parameters = [p for _, p in policy.named_parameters(remove_duplicate=False)]
    own = len(set(parameters)) == len(parameters)
    return own and all(parameter.requires_grad for parameter in parameters)


class Autograd:
    """The computations as torch does them, for any policy and loss."""

    def __init__(self, policy: nn.Module, loss: Loss) -> None:
        self._policy, self._loss = policy, loss
        policy.eval()

    @torch.no_grad()
    def forward(self, state: NDArray[np.float32]) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        logits: Logits = self._policy(torch.tensor(state)[None])[0].numpy()
        return logits

    def step(self, optimizer: torch.optim.Adam, states: Floats, decisions: Floats) -> float:
        """Take a step of the optimizer on `[B, inputs]` and `[B, N]`; return the loss before it."""
        self._policy.train()
        try:
            self._policy.zero_grad(set_to_none=True)
            logits = self._policy(torch.from_numpy(states))
            loss = self._loss(logits, torch.from_numpy(decisions))
            loss.backward()  # type: ignore[no-untyped-call]
        finally:
            self._policy.eval()
        optimizer.step()
        return loss.item()


class Compiled:
    """Base of the computations as compiled kernels on torch's memory.

    Args:
        network: the policy; the parameters stay its own, and the moments its optimizer's.
        linears: its layers, in the order of the kernels.
        loss: what torch minimizes where the kernels do not.
        train: the kernel of a training step.
        reading: what it is told last, of how a state is read.
    """

    def __init__(
        self,
        network: nn.Module,
        linears: list[nn.Linear],
        loss: Loss,
        train: Callable[..., float],
        *reading: int,
    ) -> None:
        self._linears, self._train, self._reading = linears, train, reading
        self._by_torch = Autograd(network, loss)
        self._parameters, self._first, self._second, self._steps = (Views() for _ in range(4))

    def layers(self) -> tuple[Several, Several]:
        """Return the weights and the biases of each layer, `[outputs, inputs]`, `[1, outputs]`."""
        return self._parameters.of(self._tensors())

    def step(self, optimizer: torch.optim.Adam, states: Floats, decisions: Floats) -> float:
        """Take a step of the optimizer on `[B, inputs]` and `[B, N]`; return the loss before it."""
        if not is_plain_adam(optimizer):  # the caller has replaced or changed it
            return self._by_torch.step(optimizer, states, decisions)
        tensors = self._tensors()
        moments = [moments_of(optimizer, tensor) for tensor in tensors]
        _, steps = self._steps.of([moment["step"] for moment in moments])
        for step in steps:
            np.add(step, 1, out=step)
        weights, biases = zip(
            self._parameters.of(tensors),
            self._first.of([moment["exp_avg"] for moment in moments]),
            self._second.of([moment["exp_avg_sq"] for moment in moments]),
            strict=True,
        )
        settings = hyperparameters(optimizer, float(optimizer.param_groups[0]["lr"]))
        return self._train(
            weights, biases, float(steps[0]), settings, states, decisions, *self._reading
        )

    def _tensors(self) -> list[Tensor]:
        """Return the weights, and then the biases."""
        # Read from torch's own dictionary: this is done in every frame, and attributes are slow.
        own = [layer._parameters for layer in self._linears]
        biases = [each["bias"] for each in own if each["bias"] is not None]
        return cast(list[Tensor], [each["weight"] for each in own] + biases)


class CompiledMLP(Compiled):
    """The computations as compiled kernels, for an `MLP` and its cross-entropy."""

    def __init__(self, network: MLP) -> None:
        linears = [layer for layer in network if isinstance(layer, nn.Linear)]
        super().__init__(network, linears, binary_cross_entropy, mlp_kernels.train)
        self._network = network

    def forward(self, state: Floats) -> Logits:
        """Return the logits `[N]` of one state `[inputs]`."""
        return mlp_kernels.forward(*self.layers(), state)

    def __reduce__(self) -> tuple[type, tuple[MLP]]:
        """Copy and pickle the network alone: copied views would be of other memory than it."""
        return CompiledMLP, (self._network,)


class CompiledEquivariant(Compiled):
    """The same for an `Equivariant`; by other losses than the cross-entropy, torch trains it."""

    def __init__(self, policy: Equivariant, loss: Loss) -> None:
        encoder = [layer for layer in policy.encoder if isinstance(layer, nn.Linear)]
        linears = [*encoder, policy.own, policy.out, policy.context]
        reading = len(policy.layout.features), -1 if policy.mask is None else policy.mask
        super().__init__(policy, linears, loss, equivariant_kernels.train, *reading)
        self._policy, self._loss = policy, loss
        self._trains = loss is binary_cross_entropy and policy.layout.num_places == 2

    def forward(self, state: Floats) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        logits = equivariant_kernels.forward(*self.layers(), state, *self._reading)
        return logits[0] if len(logits) == 1 else logits.T

    def step(self, optimizer: torch.optim.Adam, states: Floats, decisions: Floats) -> float:
        """Take a step of the optimizer on `[B, inputs]` and `[B, N]`; return the loss before it."""
        if not self._trains:
            return self._by_torch.step(optimizer, states, decisions)
        # Compiled once, whether a batch is part of wider rows or not.
        batch = np.ascontiguousarray(states), np.ascontiguousarray(decisions)
        return super().step(optimizer, *batch)

    def __reduce__(self) -> tuple[type, tuple[Equivariant, Loss]]:
        """Copy and pickle the policy alone, as `CompiledMLP` does."""
        return CompiledEquivariant, (self._policy, self._loss)


class Views:
    """Tensors as arrays on their memory, made anew when that is another."""

    def __init__(self) -> None:
        self._addresses: list[int] = []
        self._arrays: tuple[Several, Several] = ((), ())

    def of(self, tensors: list[Tensor]) -> tuple[Several, Several]:
        """Return the matrices as arrays, and the others; a vector `[M]` becomes `[1, M]`."""
        if list(map(Tensor.data_ptr, tensors)) != self._addresses:
            # At first, and after load_state_dict(assign=True), say.
            for tensor in tensors:
                tensor.data = tensor.data.contiguous()  # which it is, as a rule
            self._addresses = [tensor.data_ptr() for tensor in tensors]
            arrays = [_view(tensor) for tensor in tensors]
            matrices = [array for array in arrays if array.ndim == 2]
            others = [array for array in arrays if array.ndim < 2]
            rows = [array[None] if array.ndim == 1 else array for array in others]
            self._arrays = tuple(matrices), tuple(rows)
        return self._arrays


def is_plain_adam(optimizer: torch.optim.Adam) -> bool:
    """Whether the kernel's Adam does what this optimizer does."""
    groups = optimizer.param_groups
    changed = groups[0]["amsgrad"] or groups[0]["maximize"]
    return type(optimizer) is torch.optim.Adam and len(groups) == 1 and not changed


def hyperparameters(
    optimizer: torch.optim.Adam, learning_rate: float
) -> tuple[float, float, float, float, float]:
    """Return the learning rate, both betas, epsilon and the weight decay."""
    group = optimizer.param_groups[0]
    return learning_rate, *group["betas"], group["eps"], group["weight_decay"]


def moments_of(optimizer: torch.optim.Adam, parameter: Tensor) -> dict[str, Tensor]:
    """Return what Adam knows of a parameter; at first what it would begin with."""
    if parameter not in optimizer.state:
        names = ("exp_avg", "exp_avg_sq")
        moments = {name: torch.zeros_like(parameter, requires_grad=False) for name in names}
        optimizer.state[parameter] = {"step": torch.tensor(0.0), **moments}
    known: dict[str, Tensor] = optimizer.state[parameter]
    return known


def _view(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().numpy()
    return array
