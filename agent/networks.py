"""Policy networks: from a state [B, inputs] to one logit a device [B, N]."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

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
        linear = nn.Linear(inputs, outputs, device="meta", dtype=torch.float32)
        linear.to_empty(device="cpu")
        bound = 1 / math.sqrt(inputs)
        with torch.no_grad():
            linear.weight.uniform_(-bound, bound, generator=generator)
            linear.bias.uniform_(-bound, bound, generator=generator)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class OneRow:
    """The forward pass of an `mlp` on one state, in NumPy, on the memory of torch's parameters.

    It gives what torch gives up to rounding. On one row of a network of this size, torch's dispatch
    takes three times as long as the arithmetic.

    Args:
        network: the `mlp`; training it in place trains this.
    """

    def __init__(self, network: nn.Sequential) -> None:
        self._network = network
        self._linears = [layer for layer in network if isinstance(layer, nn.Linear)]
        self._addresses: list[int] = []
        self._layers: list[Layer] = []

    def __call__(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits `[N]` of a state `[inputs]`."""
        addresses = [layer.weight.data_ptr() for layer in self._linears]
        if addresses != self._addresses:  # at first, and after load_state_dict(assign=True), say
            self._layers = [(_view(layer.weight), _view(layer.bias)) for layer in self._linears]
            self._addresses = addresses
        for weight, bias in self._layers[:-1]:
            state = np.maximum(weight @ state + bias, 0)
        weight, bias = self._layers[-1]
        logits: NDArray[np.float32] = weight @ state + bias
        return logits

    def __reduce__(self) -> tuple[type, tuple[nn.Sequential]]:
        """Copy and pickle the network alone: copied views would be of other memory than it."""
        return OneRow, (self._network,)


def _view(parameter: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = parameter.detach().numpy()
    return array
