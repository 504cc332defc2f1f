"""Building, initializing and checking policies."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from agent.networks.layout import Layout
from agent.networks.policies import MLP
from agent.networks.registry import POLICIES

OWN = "module"
"""The name of a policy that is a module of the caller's own."""


def named_policy(
    policy: str | nn.Module, net: Sequence[int], layout: Layout, seed: np.random.SeedSequence
) -> tuple[str, nn.Module]:
    """Return the name and the network of a policy, given by name or as a module.

    Args:
        policy: a name of `POLICIES`, or a module, which is returned as `OWN`.
        net: widths `[inputs, hidden..., N]`.
        layout: devices, features and places.
        seed: of the initial parameters.

    Raises:
        ValueError: as `build`.
    """
    if isinstance(policy, nn.Module):
        return OWN, policy
    random = int(seed.generate_state(1, np.uint64)[0])
    return policy, build(policy, net, layout, torch.Generator().manual_seed(random))


def build(name: str, net: Sequence[int], layout: Layout, generator: torch.Generator) -> nn.Module:
    """Return a policy by its name.

    Args:
        name: of `POLICIES`.
        net: widths `[inputs, hidden..., N]`.
        layout: devices, features and places; some policies must know the features.
        generator: source of the initial parameters.

    Raises:
        ValueError: if there is no such policy, or `net` or the features do not fit it.
    """
    if name not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, got {name!r}")
    wanted = POLICIES[name]
    if wanted.needs_features and not layout.features:
        raise ValueError(f"features must name those of the state for the policy {name}, got None")
    if wanted.needs_hidden and len(net) < 3:
        raise ValueError(f"net must have a hidden width for the policy {name}, got {list(net)}")
    # The modules draw parameters of their own, which must not advance torch's global generator. On
    # the device "meta" nothing would be drawn, but torch would import sympy for its tensors.
    with torch.device("cpu"), torch.random.fork_rng(devices=[]):
        policy = wanted(net, layout)
    policy.to(torch.float32)  # as the memory is, whatever torch's default is
    initialize(policy, generator)
    return policy


def check_policy(policy: nn.Module, inputs: int, layout: Layout) -> None:
    """Check by one forward pass that a policy fits states `[B, inputs]` and a layout.

    Raises:
        ValueError: if it does not take such states, or does not return such logits.
    """
    wanted = layout.by_device(torch.zeros(1, layout.num_devices * layout.logits)).shape
    try:
        with torch.no_grad():
            shape = policy(torch.zeros(1, inputs, dtype=torch.float32)).shape
    except RuntimeError as error:
        raise ValueError(
            f"policy must take float32 states [B, {inputs}] of {layout.num_devices} devices: "
            f"{error}"
        ) from error
    if shape != wanted:
        raise ValueError(
            f"policy must return logits {list(wanted)} for a state [1, {inputs}], got {list(shape)}"
        )


def with_probabilities(policy: nn.Module, num_places: int) -> nn.Sequential:
    """Return a policy followed by a sigmoid, or by a softmax for more than two places."""
    if num_places > 2:
        return nn.Sequential(policy, nn.Softmax(dim=-1))
    layers = policy if type(policy) is MLP else (policy,)  # the published model was a list
    return nn.Sequential(*layers, nn.Sigmoid())


def initialize(policy: nn.Module, generator: torch.Generator) -> None:
    """Draw a policy's initial parameters, uniform in +-1 / sqrt(inputs), from a generator.

    That is torch's own distribution for linear layers, convolutions and GRUs (whose inputs count
    as the hidden states), which it draws from its global generator.
    """
    for module in policy.modules():
        own = list(module.parameters(recurse=False))
        if not own:
            continue
        inputs = module.hidden_size if isinstance(module, nn.GRU) else own[0][0].numel()
        bound = 1 / math.sqrt(inputs)
        with torch.no_grad():
            for parameter in own:
                parameter.uniform_(-bound, bound, generator=generator)
