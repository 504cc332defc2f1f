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
        linear = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
        bound = 1 / math.sqrt(inputs)
        with torch.no_grad():
            linear.weight.uniform_(-bound, bound, generator=generator)
            linear.bias.uniform_(-bound, bound, generator=generator)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def layer_views(network: nn.Sequential) -> list[Layer]:
    """Return the weights and biases of an `mlp` as arrays on the memory that training writes to."""
    return [
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in network
        if isinstance(layer, nn.Linear)
    ]


def mlp_logits(layers: list[Layer], state: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits `[N]` of one state `[inputs]`, as torch does up to rounding.

    On one row of a network of this size, torch's dispatch takes three times as long as the
    arithmetic.
    """
    for weight, bias in layers[:-1]:
        state = np.maximum(weight @ state + bias, 0)
    weight, bias = layers[-1]
    logits: NDArray[np.float32] = weight @ state + bias
    return logits
