"""The forward pass of one state and the backward pass of a batch: by torch, or written out."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, linear

from agent.losses import Loss, binary_cross_entropy
from agent.networks import MLP, Equivariant

Logits = NDArray[np.float32]
Layer = tuple[NDArray[np.float32], NDArray[np.float32]]


class Passes(Protocol):
    """The two computations that every frame waits for."""

    def forward(self, state: NDArray[np.float32]) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        ...

    def backward(self, states: Tensor, decisions: Tensor) -> float:
        """Set the gradients of the loss of `[B, inputs]` and `[B, N]`, and return the loss."""
        ...


def fastest(policy: nn.Module, loss: Loss) -> Passes:
    """Return the fastest way there is for a policy and a loss."""
    # Not for subclasses, which may compute something else.
    if type(policy) is MLP and loss is binary_cross_entropy and is_plain(policy):
        return WrittenOut(policy)
    if type(policy) is Equivariant:
        return EquivariantForward(policy, loss)
    return Autograd(policy, loss)


def is_plain(policy: nn.Module) -> bool:
    """Whether no layer is there twice, no parameter is shared, and all are trained."""
    layers = [layer for _, layer in policy.named_modules(remove_duplicate=False)]
    parameters = [p for _, p in policy.named_parameters(remove_duplicate=False)]
    distinct = len(set(layers)) == len(layers) and len(set(parameters)) == len(parameters)
    return distinct and all(parameter.requires_grad for parameter in parameters)


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

    def backward(self, states: Tensor, decisions: Tensor) -> float:
        """Set the gradients of the loss of `[B, inputs]` and `[B, N]`, and return the loss."""
        self._policy.train()
        try:
            self._policy.zero_grad(set_to_none=True)
            loss = self._loss(self._policy(states), decisions)
            loss.backward()  # type: ignore[no-untyped-call]
        finally:
            self._policy.eval()
        return loss.item()


class EquivariantForward(Autograd):
    """The forward pass of an `Equivariant` by NumPy, in a fifth of the time; backward by torch."""

    def __init__(self, policy: Equivariant, loss: Loss) -> None:
        super().__init__(policy, loss)
        self._equivariant = policy
        self._encoder = [layer for layer in policy.encoder if isinstance(layer, nn.Linear)]

    def forward(self, state: NDArray[np.float32]) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        policy = self._equivariant
        features = state.reshape(len(policy.layout.features), -1)
        seen = features[policy.inputs].T
        for layer in self._encoder:
            seen = np.maximum(seen @ _view(layer.weight).T + _view(layer.bias), 0)
        ones = np.ones(features.shape[1], dtype=bool)
        active = ones if policy.mask is None else features[policy.mask] > 0
        there = seen[active]
        context = there.sum(axis=0) / max(len(there), 1) @ _view(policy.context.weight).T
        seen = np.maximum(seen @ _view(policy.own.weight).T + (context + _view(policy.own.bias)), 0)
        logits: Logits = seen @ _view(policy.out.weight).T + _view(policy.out.bias)
        if policy.mask is not None:
            silent = np.array(policy.layout.silent, dtype=np.float32)
            logits = np.where(active[:, None], logits, silent)
        return logits[:, 0] if policy.layout.logits == 1 else logits


class WrittenOut:
    """The computations written out, for an `MLP` and the binary cross-entropy.

    They give what torch gives, up to rounding. In networks of this size torch's bookkeeping takes
    longer than the arithmetic: three times as long for one state, and half of a training step.

    Args:
        network: the policy; the parameters stay its own.
    """

    def __init__(self, network: MLP) -> None:
        self._network = network
        self._linears = [layer for layer in network if isinstance(layer, nn.Linear)]
        self._addresses: list[int] = []
        self._views: list[Layer] = []

    def forward(self, state: NDArray[np.float32]) -> Logits:
        """Return the logits `[N]` of one state `[inputs]`, by NumPy on the parameters' memory."""
        addresses = [p.data_ptr() for layer in self._linears for p in (layer.weight, layer.bias)]
        if addresses != self._addresses:  # at first, and after load_state_dict(assign=True), say
            self._views = [(_view(layer.weight), _view(layer.bias)) for layer in self._linears]
            self._addresses = addresses
        for weight, bias in self._views[:-1]:
            state = np.maximum(weight @ state + bias, 0)
        weight, bias = self._views[-1]
        logits: Logits = weight @ state + bias
        return logits

    @torch.no_grad()
    def backward(self, states: Tensor, decisions: Tensor) -> float:
        """Set the gradients of the cross-entropy, as its `backward()` would, and return it.

        Args:
            states: `[B, inputs]`.
            decisions: `[B, N]`, zeros and ones.

        Returns:
            Binary cross-entropy of the logits, averaged over the batch and the devices.
        """
        activations = [states]
        for layer in self._linears[:-1]:
            activations.append(linear(activations[-1], layer.weight, layer.bias).relu_())
        logits = linear(activations[-1], self._linears[-1].weight, self._linears[-1].bias)
        # The derivative of the cross-entropy with a sigmoid, by the logit: relaxed - decision.
        delta = (torch.sigmoid(logits) - decisions) / decisions.numel()
        for layer, activation in zip(self._linears[::-1], activations[::-1], strict=True):
            layer.weight.grad = delta.T @ activation
            layer.bias.grad = delta.sum(dim=0)
            if activation is not states:
                delta = (delta @ layer.weight) * (activation > 0)
        return binary_cross_entropy_with_logits(logits, decisions).item()

    def __reduce__(self) -> tuple[type, tuple[MLP]]:
        """Copy and pickle the network alone: copied views would be of other memory than it."""
        return WrittenOut, (self._network,)


def _view(parameter: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = parameter.detach().numpy()
    return array
