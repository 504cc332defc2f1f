"""Filling in the settings that a config leaves open."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from experiments.configs.checks import Config
from experiments.configs.policy import AgentConfig, PolicyConfig

AnyConfig = TypeVar("AnyConfig", bound=Config)


def resolve(config: AnyConfig) -> AnyConfig:
    """Return a config in which no setting of the agent is left open.

    A field that is None gets the value of the preset, or else the value that suits the policy. A
    resolved config is returned as it is, and so is one without an agent. To change the preset or
    the policy, use `dataclasses.replace` on the config before it is resolved.

    Raises:
        ValueError: if there is no such policy, or this problem has no features that suit it.
    """
    if not isinstance(config, PolicyConfig):
        return config
    config = _filled(config, config.defaults)
    config = _filled(config, _suited(config))
    if isinstance(config, AgentConfig):
        explore = bool(config.learn_when_wrong) and not config.refine_every  # as `DROO` does
        config = _filled(config, {"explore": explore})
    return config


def _suited(config: PolicyConfig) -> Mapping[str, Any]:
    """Return the settings that suit the policy of a config in its problem."""
    # Imported here, because torch takes a second to import.
    from agent.networks import POLICIES  # noqa: PLC0415

    if config.policy not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, got {config.policy!r}")
    policy = POLICIES[config.policy]
    suited = {"features": config.features_for.get(policy.reads), "hidden": policy.hidden}
    suited |= config.exceptions.get(config.policy, {})
    if config.features is None and suited["features"] is None:
        raise ValueError(f"features must be given for the policy {config.policy}, got None")
    return suited


def _filled(config: AnyConfig, values: Mapping[str, Any]) -> AnyConfig:
    """Return a config in which these fields have these values if they were None."""
    open_fields = {name: value for name, value in values.items() if getattr(config, name) is None}
    return replace(config, **open_fields) if open_fields else config
