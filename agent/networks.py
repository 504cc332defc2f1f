"""Policy networks: from a state [B, inputs] to one logit a device [B, N]."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, linear

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]


def mlp(net: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Build the paper's fully connected network, ReLU between its layers (DROO).

    Args:
        net: layer widths `[inputs, hidden..., N]`.
        generator: where the initial parameters come from. They are uniform in
            +-1 / sqrt(inputs of the layer), as `nn.Linear` draws them from the global generator.

    Returns:
        A network whose output is logits: the sigmoid stays outside, for the loss's sake.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(net):
        layer = nn.Linear(inputs, outputs, device="meta", dtype=torch.float32)
        layer.to_empty(device="cpu")
        bound = 1 / math.sqrt(inputs)
        with torch.no_grad():
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class WrittenOut:
    """The two computations that every frame waits for, written out for an `mlp`.

    They give what torch gives, up to rounding. In networks of this size torch's bookkeeping takes
    longer than the arithmetic: three times as long for one state, and half of a training step.

    Args:
        network: the `mlp`; the parameters stay its own.
    """

    def __init__(self, network: nn.Sequential) -> None:
        self._network = network
        self._linears = [layer for layer in network if isinstance(layer, nn.Linear)]
        self._addresses: list[int] = []
        self._views: list[Layer] = []

    def logits(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits `[N]` of one state `[inputs]`, by NumPy on the parameters' memory."""
        addresses = [layer.weight.data_ptr() for layer in self._linears]
        if addresses != self._addresses:  # at first, and after load_state_dict(assign=True), say
            self._views = [(_view(layer.weight), _view(layer.bias)) for layer in self._linears]
            self._addresses = addresses
        for weight, bias in self._views[:-1]:
            state = np.maximum(weight @ state + bias, 0)
        weight, bias = self._views[-1]
        logits: NDArray[np.float32] = weight @ state + bias
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

    def __reduce__(self) -> tuple[type, tuple[nn.Sequential]]:
        """Copy and pickle the network alone: copied views would be of other memory than it."""
        return WrittenOut, (self._network,)


def _view(parameter: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = parameter.detach().numpy()
    return array
