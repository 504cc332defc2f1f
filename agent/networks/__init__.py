"""Policies by name: networks from states [B, inputs] to logits [B, N], the sigmoid outside.

A state is a list of features, each of all N devices: [feature 1 of device 1 ... N, feature 2 of
device 1 ... N, ...]. With more than two places a device has P logits, and all have [B, N, P].

A new policy is one class in `agent.networks.policies`, registered by `@register`.
"""

from agent.networks.building import (
    OWN,
    build,
    check_policy,
    initialize,
    named_policy,
    with_probabilities,
)
from agent.networks.layout import ACTIVE, SILENT, Layout
from agent.networks.policies import (
    MLP,
    Attention,
    BiGRUAttention,
    Conv,
    Equivariant,
    FrameGRU,
)
from agent.networks.registry import POLICIES, Policy, Reads, register, takes_any_n

__all__ = [
    "ACTIVE",
    "MLP",
    "OWN",
    "POLICIES",
    "SILENT",
    "Attention",
    "BiGRUAttention",
    "Conv",
    "Equivariant",
    "FrameGRU",
    "Layout",
    "Policy",
    "Reads",
    "build",
    "check_policy",
    "initialize",
    "named_policy",
    "register",
    "takes_any_n",
    "with_probabilities",
]
