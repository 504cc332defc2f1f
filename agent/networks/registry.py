"""The policies' base class and their registry `POLICIES`."""

from typing import ClassVar, Literal, TypeAlias, TypeVar

from torch import nn

Reads: TypeAlias = Literal["vector", "devices", "history"]
"""Kinds of states: any vector; features of each device; features that are time steps."""


class Policy(nn.Module):
    """Base of the policies that are known by name; constructed from `(net, layout)`.

    `net` is `[inputs, hidden..., N]`, `layout` a `Layout`. The class attributes describe a policy
    to the rest of the project. A module of the caller's own needs none of them.

    Attributes:
        name: the name in `POLICIES`.
        reads: the kind of state that suits it.
        hidden: hidden widths that suit it.
        any_n: whether one network serves any number of devices.
        batchable: whether `torch.vmap` can batch it; it cannot batch GRUs.
        needs_features: whether the layout must name the features of a state.
        needs_hidden: whether `net` must have a hidden width.
    """

    name: ClassVar[str]
    reads: ClassVar[Reads]
    hidden: ClassVar[tuple[int, ...]]
    any_n: ClassVar[bool] = False
    batchable: ClassVar[bool] = True
    needs_features: ClassVar[bool] = True
    needs_hidden: ClassVar[bool] = True


POLICIES: dict[str, type[Policy]] = {}
"""The policies by name, filled by `register`."""

P = TypeVar("P", bound=type[Policy])


def register(policy: P) -> P:
    """Add a policy to `POLICIES`, as a decorator of its class.

    Raises:
        ValueError: if there is one of this name.
    """
    if policy.name in POLICIES:
        raise ValueError(f"name must be that of no other policy, got {policy.name!r}")
    POLICIES[policy.name] = policy
    return policy


def takes_any_n(network: nn.Module) -> bool:
    """Whether a network is a registered policy for any number of devices."""
    # Not for subclasses, which may compute something else.
    return any(type(network) is policy and policy.any_n for policy in POLICIES.values())
