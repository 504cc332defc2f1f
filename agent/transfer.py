"""Transfer: a policy goes to another number of devices, or to another agent."""

import copy
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from agent.parts import Agent, arguments_of
from droo_core.validation import positive_int

A = TypeVar("A", bound=Agent)


def for_devices(
    agent: Agent,
    make: Callable[..., A],
    num_devices: int,
    seed: int | np.random.SeedSequence | None = None,
) -> A:
    """Return an agent with a copy of a policy for another number of devices.

    Args:
        agent: the owner of the policy.
        make: the class of the new agent.
        num_devices: N of the new agent.
        seed: for its sampling and noise.

    Raises:
        ValueError: if the policy is for its own N alone, or the features are not known.
    """
    num_devices = positive_int("num_devices", num_devices)
    features = agent.decoder.layout.features
    if not features:
        raise ValueError("features must be known to take a policy to another number of devices")
    arguments = arguments_of(agent) | {
        "net": [len(features) * num_devices, *agent.net[1:-1], num_devices],
        "policy": copy.deepcopy(agent.learner.network),
        "seed": seed,
    }
    other = make(**arguments)
    other.policy = agent.policy
    other.learner.adam.take_over(agent.learner.adam)
    return other


def start_from(agent: Agent, other: Agent) -> None:
    """Give an agent the parameters of another's policy, and its memory if N is the same.

    Raises:
        ValueError: if the policies differ, or the policy is for its own N alone.
    """
    arguments, others = arguments_of(agent), arguments_of(other)
    for name in ("policy", "features", "num_places"):
        if arguments[name] != others[name]:
            raise ValueError(f"other must have the {name} {arguments[name]}, has {others[name]}")
    num_devices = agent.net[-1]
    source = other if other.net[-1] == num_devices else other.for_devices(num_devices)
    parameters = source.model.state_dict()
    wanted, given = (
        {name: list(value.shape) for name, value in of_model.items()}
        for of_model in (agent.model.state_dict(), parameters)
    )
    if wanted != given:
        raise ValueError(f"other must have parameters of shapes {wanted}, has {given}")
    agent.model.load_state_dict(parameters)
    if source is other:
        agent.replay.append_newest(other.replay)
