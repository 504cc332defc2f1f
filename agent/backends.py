"""Backends: the forward pass of one state and the training step of a batch.

By torch's autograd for any policy, or by compiled kernels, which `agent.kernels` holds.
"""

from collections.abc import Callable
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Adam

from agent.adam import hyperparameters, is_plain_adam, moments_of
from agent.kernels import equivariant as equivariant_kernels
from agent.kernels import mlp as mlp_kernels
from agent.kernels.mlp import Arrays
from agent.losses import Loss, binary_cross_entropy
from agent.networks import MLP, Equivariant
from droo_core.arrays import Singles

Logits = NDArray[np.float32]


class Backend(Protocol):
    """The computations of a policy that every frame waits for."""

    def forward(self, state: Singles) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        ...

    def step(self, optimizer: Adam, states: Singles, decisions: Singles) -> float:
        """Take a step of the optimizer on `[B, inputs]` and `[B, N]`; return the loss before it."""
        ...


def backend_for(policy: nn.Module, loss: Loss) -> Backend:
    """Return the fastest backend of a policy and a loss; it puts the policy in evaluation mode."""
    # Not for subclasses, which may compute something else.
    if type(policy) is MLP and loss is binary_cross_entropy and is_plain(policy):
        return CompiledMLP(policy)
    if type(policy) is Equivariant and is_plain(policy):
        return CompiledEquivariant(policy, loss)
    return Autograd(policy, loss)


def is_plain(policy: nn.Module) -> bool:
    """Whether all layers are distinct, and all parameters are unshared and trained."""
    layers = [layer for _, layer in policy.named_modules(remove_duplicate=False)]
    return len(set(layers)) == len(layers) and is_unshared_and_trained(policy)


def is_unshared_and_trained(policy: nn.Module) -> bool:
    """Whether no two layers share a parameter, and all parameters are trained."""
    parameters = [p for _, p in policy.named_parameters(remove_duplicate=False)]
    unshared = len(set(parameters)) == len(parameters)
    return unshared and all(parameter.requires_grad for parameter in parameters)


class Autograd:
    """The backend of torch, for any policy and loss."""

    def __init__(self, policy: nn.Module, loss: Loss) -> None:
        self._policy, self._loss = policy, loss
        policy.eval()

    @torch.no_grad()
    def forward(self, state: NDArray[np.float32]) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        logits: Logits = self._policy(torch.tensor(state)[None])[0].numpy()
        return logits

    def step(self, optimizer: Adam, states: Singles, decisions: Singles) -> float:
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
    """Base of the backends of compiled kernels, which work on the memory of torch's tensors.

    Args:
        network: the policy; it keeps its parameters, and its optimizer the moments.
        linears: its layers, in the order of the kernels.
        loss: the loss of training steps that are left to torch.
        train: the kernel of a training step.
        extra: extra trailing kernel arguments.
    """

    def __init__(
        self,
        network: nn.Module,
        linears: list[nn.Linear],
        loss: Loss,
        train: Callable[..., float],
        *extra: int,
    ) -> None:
        self._linears, self._train, self._extra = linears, train, extra
        self._autograd = Autograd(network, loss)
        self._parameters, self._first, self._second, self._steps = (ViewCache() for _ in range(4))

    def layers(self) -> tuple[Arrays, Arrays]:
        """Return the weights and the biases of each layer, `[outputs, inputs]`, `[1, outputs]`."""
        return self._parameters.views(self._tensors())

    def step(self, optimizer: Adam, states: Singles, decisions: Singles) -> float:
        """Take a step of the optimizer on `[B, inputs]` and `[B, N]`; return the loss before it."""
        if not is_plain_adam(optimizer):  # replaced or changed by the caller
            return self._autograd.step(optimizer, states, decisions)
        tensors = self._tensors()
        moments = [moments_of(optimizer, tensor) for tensor in tensors]
        _, steps = self._steps.views([moment["step"] for moment in moments])
        for step in steps:
            np.add(step, 1, out=step)
        weights, biases = zip(
            self._parameters.views(tensors),
            self._first.views([moment["exp_avg"] for moment in moments]),
            self._second.views([moment["exp_avg_sq"] for moment in moments]),
            strict=True,
        )
        settings = hyperparameters(optimizer, float(optimizer.param_groups[0]["lr"]))
        return self._train(
            weights, biases, float(steps[0]), settings, states, decisions, *self._extra
        )

    def _tensors(self) -> list[Tensor]:
        """Return the weights, and then the biases."""
        # From torch's dictionary, since this runs in every frame and module attributes are slow.
        own = [layer._parameters for layer in self._linears]
        biases = [each["bias"] for each in own if each["bias"] is not None]
        return cast(list[Tensor], [each["weight"] for each in own] + biases)


class CompiledMLP(Compiled):
    """The compiled backend of an `MLP` and the binary cross-entropy."""

    def __init__(self, network: MLP) -> None:
        linears = [layer for layer in network if isinstance(layer, nn.Linear)]
        super().__init__(network, linears, binary_cross_entropy, mlp_kernels.train)
        self._network = network

    def forward(self, state: Singles) -> Logits:
        """Return the logits `[N]` of one state `[inputs]`."""
        return mlp_kernels.forward(*self.layers(), state)

    def __reduce__(self) -> tuple[type, tuple[MLP]]:
        """Copy and pickle the network alone: copied views would show the original's memory."""
        return CompiledMLP, (self._network,)


class CompiledEquivariant(Compiled):
    """The compiled backend of an `Equivariant`; torch trains it on other losses or more places."""

    def __init__(self, policy: Equivariant, loss: Loss) -> None:
        encoder = [layer for layer in policy.encoder if isinstance(layer, nn.Linear)]
        linears = [*encoder, policy.own, policy.out, policy.context]
        num_features, mask = len(policy.layout.features), policy.mask
        extra = num_features, -1 if mask is None else mask
        super().__init__(policy, linears, loss, equivariant_kernels.train, *extra)
        self._policy, self._loss = policy, loss
        self._is_compiled = loss is binary_cross_entropy and policy.layout.num_places == 2

    def forward(self, state: Singles) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        logits = equivariant_kernels.forward(*self.layers(), state, *self._extra)
        return logits[0] if len(logits) == 1 else logits.T

    def step(self, optimizer: Adam, states: Singles, decisions: Singles) -> float:
        """Take a step of the optimizer on `[B, inputs]` and `[B, N]`; return the loss before it."""
        if not self._is_compiled:
            return self._autograd.step(optimizer, states, decisions)
        # Contiguous, so that numba compiles for one memory layout only.
        batch = np.ascontiguousarray(states), np.ascontiguousarray(decisions)
        return super().step(optimizer, *batch)

    def __reduce__(self) -> tuple[type, tuple[Equivariant, Loss]]:
        """Copy and pickle the policy alone, as `CompiledMLP` does."""
        return CompiledEquivariant, (self._policy, self._loss)


class ViewCache:
    """Caches NumPy views of tensors; rebuilt when a tensor's storage moves."""

    def __init__(self) -> None:
        self._addresses: list[int] = []
        self._views: tuple[Arrays, Arrays] = ((), ())

    def views(self, tensors: list[Tensor]) -> tuple[Arrays, Arrays]:
        """Return views of the matrices, and of the other tensors; vectors `[M]` become `[1, M]`."""
        if list(map(Tensor.data_ptr, tensors)) != self._addresses:
            # At the first call, and for instance after load_state_dict(assign=True).
            for tensor in tensors:
                tensor.data = tensor.data.contiguous()  # usually without effect
            self._addresses = [tensor.data_ptr() for tensor in tensors]
            views = [_view(tensor) for tensor in tensors]
            matrices = [view for view in views if view.ndim == 2]
            others = [view for view in views if view.ndim < 2]
            rows = [view[None] if view.ndim == 1 else view for view in others]
            self._views = tuple(matrices), tuple(rows)
        return self._views


def _view(tensor: Tensor) -> Singles:
    view: Singles = tensor.detach().numpy()
    return view
