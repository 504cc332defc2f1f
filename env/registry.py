"""The registry of problems.

A problem of this package is its folder and its name in `env.PROBLEMS`; one from elsewhere calls
`register`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from env.problem import CertifiedOptimum, Scheme


@dataclass(frozen=True)
class ProblemSpec:
    """Description of a problem for all code that works with any.

    Attributes:
        name: short name, such as "wpmec".
        environment_id: Gymnasium id, such as "WPMEC-v0".
        environment: Gymnasium environment class, importable from its module.
        vector_environment: the same for B environments at once; None if there is none.
        critic: class of the critic that scores its frames; None if there is none.
        optimum: scheme that returns an optimal decision; None if none is known.
        certified_optimum: returns an optimal decision of a frame with its certificate; None if
            none is known. `env.labels` passes the keyword arguments `gap` and `time_limit`.
    """

    name: str
    environment_id: str
    environment: type[gymnasium.Env[Any, Any]]
    vector_environment: type[VectorEnv[Any, Any, Any]] | None = None
    critic: type[Any] | None = None
    optimum: Scheme | None = None
    certified_optimum: Callable[..., CertifiedOptimum] | None = None


_registered: dict[str, ProblemSpec] = {}


def register(spec: ProblemSpec) -> None:
    """Register a problem here and its environments with Gymnasium.

    Raises:
        ValueError: if the name or the Gymnasium id is taken.
    """
    taken = [other for other in _registered.values() if other.name == spec.name]
    if taken or spec.environment_id in gymnasium.registry:
        name = f"name {spec.name}" if taken else f"environment_id {spec.environment_id}"
        raise ValueError(f"{name} must not be registered twice")
    vector = spec.vector_environment
    gymnasium.register(
        id=spec.environment_id,
        entry_point=_entry_point(spec.environment),
        vector_entry_point=None if vector is None else _entry_point(vector),
    )
    _registered[spec.name] = spec


def registered_problems() -> dict[str, ProblemSpec]:
    """Return the registered problems by name, in the order of registration."""
    return dict(_registered)


def spec_of_critic(critic: object) -> ProblemSpec | None:
    """Return the problem whose frames a critic scores, None if it is of no registered problem."""
    for spec in _registered.values():
        if spec.critic is not None and isinstance(critic, spec.critic):
            return spec
    return None


def _entry_point(kind: type[Any]) -> str:
    """Return a class in Gymnasium's form, a string, so that specs can be pickled and written."""
    return f"{kind.__module__}:{kind.__qualname__}"
