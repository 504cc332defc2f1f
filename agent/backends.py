"""Backends: the forward pass of one state and the training step of a batch.

By torch's autograd for any policy, or by compiled kernels, which `agent.kernels` holds.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Protocol, cast

import numpy as np
import torch
from numba.core import config
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.adam import AdamState
from agent.kernels import equivariant as equivariant_kernels
from agent.kernels import layers as layer_kernels
from agent.kernels import mlp as mlp_kernels
from agent.losses import Loss, binary_cross_entropy
from agent.negligible import NEGLIGIBLE, SCALE, without_negligible
from agent.networks import MLP, POLICIES, Equivariant
from droo_core.arrays import Ints, Singles

Logits = NDArray[np.float32]


class Backend(Protocol):
    """The computations of a policy that every frame waits for."""

    def forward(self, state: Singles) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        ...

    def step(self, adam: AdamState, rate: float, states: Singles, decisions: Singles) -> float:
        """Take a step of Adam at a learning rate; return the loss before it.

        Args:
            adam: of the policy.
            rate: the learning rate.
            states: `[B, inputs]`.
            decisions: `[B, N]`.
        """
        ...


def backend_for(policy: nn.Module, loss: Loss) -> Backend:
    """Return the fastest backend of a policy and a loss; it puts the policy in evaluation mode."""
    if getattr(config, "DISABLE_JIT", False):  # by NUMBA_DISABLE_JIT
        return Autograd(policy, loss)
    # Not for subclasses, which may compute something else.
    if type(policy) is MLP and is_plain(policy):
        return Compiled(policy, loss, mlp_kernels, mlp_shape(policy))
    if type(policy) is Equivariant and is_plain(policy):
        return Compiled(policy, loss, equivariant_kernels, equivariant_shape(policy))
    return Autograd(policy, loss)


def is_plain(policy: nn.Module) -> bool:
    """Whether layers are distinct, and parameters unshared and trained; hooks are not seen."""
    layers = [layer for _, layer in policy.named_modules(remove_duplicate=False)]
    return len(set(layers)) == len(layers) and is_unshared_and_trained(policy)


def is_unshared_and_trained(policy: nn.Module) -> bool:
    """Whether no two layers share a parameter, and all parameters are trained."""
    parameters = [p for _, p in policy.named_parameters(remove_duplicate=False)]
    unshared = len(set(parameters)) == len(parameters)
    return unshared and all(parameter.requires_grad for parameter in parameters)


def scale_of(policy: nn.Module) -> float:
    """Return the factor of a policy's loss in torch's backward pass.

    1 for a module of the caller's own, whose backward pass may clip derivatives, or be in half
    precision.
    """
    return SCALE if type(policy) in POLICIES.values() else 1.0


class Autograd:
    """The backend of torch, for any policy and loss."""

    def __init__(self, policy: nn.Module, loss: Loss) -> None:
        self._policy, self._loss = policy, loss
        self._scale = scale_of(policy)
        policy.eval()

    @torch.no_grad()
    def forward(self, state: NDArray[np.float32]) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        logits: Logits = self._policy(torch.tensor(state)[None])[0].numpy()
        return logits

    def step(self, adam: AdamState, rate: float, states: Singles, decisions: Singles) -> float:
        """Take a step as `Backend.step` says."""
        self._policy.train()
        try:
            self._policy.zero_grad(set_to_none=True)
            logits = self._policy(torch.from_numpy(states))
            loss = self._loss(logits, torch.from_numpy(decisions))
            loss.backward(torch.full_like(loss, self._scale))  # type: ignore[no-untyped-call]
        finally:
            self._policy.eval()
        for parameter in adam.parameters:
            if parameter.grad is not None:
                parameter.grad /= self._scale
        if adam.synchronize():
            _own_step(adam, rate)
        else:  # the optimizer was replaced or changed by the caller
            _step_of_replaced_optimizer(adam, rate)
        return loss.item()

    def __reduce__(self) -> tuple[type, tuple[nn.Module, Loss]]:
        """Copy and pickle the policy and the loss alone."""
        return Autograd, (self._policy, self._loss)


def _own_step(adam: AdamState, rate: float) -> None:
    """Take the compiled step of Adam, parameter by parameter; one without a gradient stays."""
    settings = np.array(adam.hyperparameters(rate))
    for number, (parameter, (begin, end)) in enumerate(
        zip(adam.parameters, adam.bounds, strict=True)
    ):
        if parameter.grad is None:
            continue
        adam.steps[number] += 1
        parameter.data = parameter.data.contiguous()  # usually without effect
        layer_kernels.adam(
            parameter.detach().view(-1).numpy(),
            parameter.grad.reshape(-1).numpy(),
            adam.first[begin:end],
            adam.second[begin:end],
            float(adam.steps[number]),
            settings,
        )


@torch.no_grad()
def _step_of_replaced_optimizer(adam: AdamState, rate: float) -> None:
    """Take the step of an optimizer of the caller's; here too negligible numbers become zero."""
    optimizer = adam.optimizer
    optimizer.param_groups[0]["lr"] = rate
    trained = [parameter for parameter in adam.parameters if parameter.grad is not None]
    for parameter in trained:
        cast(Tensor, parameter.grad).copy_(without_negligible(cast(Tensor, parameter.grad)))
    optimizer.step()
    for parameter in trained:
        parameter.copy_(without_negligible(parameter))
        for value in optimizer.state.get(parameter, {}).values():
            if isinstance(value, Tensor) and value.shape == parameter.shape:  # a moment
                value.copy_(without_negligible(value, NEGLIGIBLE**2))


class Compiled:
    """The backend of compiled kernels, which work on the memory of torch's tensors.

    Args:
        policy: its parameters become views of one contiguous vector.
        loss: binary cross-entropy of two places is trained by the kernels, any other by torch.
        kernels: the module with the kernels `forward` and `train` of the policy.
        shape: their argument.

    Attributes:
        kernels: the argument.
        shape: the argument.
    """

    def __init__(
        self, policy: MLP | Equivariant, loss: Loss, kernels: ModuleType, shape: Ints
    ) -> None:
        self.kernels, self.shape = kernels, shape
        self._knows_loss = loss is binary_cross_entropy and policy.layout.num_places == 2
        self._policy, self._loss, self._logits = policy, loss, policy.layout.logits
        self._autograd = Autograd(policy, loss)
        self._modules = [module for module in policy.modules() if isinstance(module, nn.Linear)]
        self._addresses: list[int] = []
        self._flat: Singles = np.empty(0, np.float32)
        self.parameters()

    def trains(self, adam: AdamState) -> bool:
        """Whether the kernels can take the next step of an Adam; torch takes it otherwise."""
        return (
            self._knows_loss
            and adam.synchronize()
            and adam.is_even
            and all(tensor.requires_grad for tensor in self._tensors())
        )

    def parameters(self) -> Singles:
        """Return the policy's parameters `[P]` in torch's order: a view of its tensors."""
        tensors = self._tensors()
        if list(map(Tensor.data_ptr, tensors)) != self._addresses:
            # At the first call, and for instance after load_state_dict(assign=True).
            self._flat = torch.cat([tensor.detach().flatten() for tensor in tensors]).numpy()
            end = 0
            for tensor in tensors:
                begin, end = end, end + tensor.numel()
                tensor.data = torch.from_numpy(self._flat[begin:end]).view(tensor.shape)
            self._addresses = [tensor.data_ptr() for tensor in tensors]
        return self._flat

    def forward(self, state: Singles) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        logits = np.empty(self._size(len(state)), np.float32)
        self.kernels.forward(self.parameters(), self.shape, state, logits)
        return logits if self._logits == 1 else logits.reshape(-1, self._logits)

    def step(self, adam: AdamState, rate: float, states: Singles, decisions: Singles) -> float:
        """Take a step as `Backend.step` says."""
        if not self.trains(adam):
            return self._autograd.step(adam, rate, states, decisions)
        rows = np.empty((len(states), states.shape[1] + decisions.shape[1]), np.float32)
        np.concatenate((states, decisions), axis=1, out=rows)  # in C order, whatever they are in
        adam.steps += 1
        return cast(
            float,
            self.kernels.train(
                self.parameters(),
                self.shape,
                adam.first,
                adam.second,
                float(adam.steps[0]),
                np.array(adam.hyperparameters(rate)),
                rows,
            ),
        )

    def _size(self, inputs: int) -> int:
        """Return the number of logits of a state of this size."""
        if isinstance(self._policy, MLP):
            return int(self.shape[-1])
        return inputs // int(self.shape[0]) * int(self.shape[-1])

    def _tensors(self) -> list[Tensor]:
        # From torch's dictionary, since this runs in every frame and module attributes are slow.
        found = []
        for module in self._modules:
            own = module._parameters
            found += [own["weight"]] if own["bias"] is None else [own["weight"], own["bias"]]
        return cast(list[Tensor], found)

    def __reduce__(self) -> tuple[Callable[..., Backend], tuple[nn.Module, Loss]]:
        """Copy and pickle the policy alone: a copied view would show the original's memory."""
        return backend_for, (self._policy, self._loss)


def mlp_shape(policy: MLP) -> Ints:
    """Return the widths of the layers of an MLP."""
    linears = [layer for layer in policy if isinstance(layer, nn.Linear)]
    return np.array([linears[0].in_features, *(layer.out_features for layer in linears)])


def equivariant_shape(policy: Equivariant) -> Ints:
    """Return the shape of an equivariant policy, as its kernels take it."""
    encoder = [layer for layer in policy.encoder if isinstance(layer, nn.Linear)]
    mask = -1 if policy.mask is None else policy.mask
    widths = [layer.out_features for layer in (*encoder, policy.own, policy.out)]
    return np.array([len(policy.layout.features), mask, encoder[0].in_features, *widths])
