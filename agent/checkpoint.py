"""Checkpoints of a `MemoryDNN` or a `DROO`: tensors and JSON in one safetensors file.

Such a file can hold no code. Its header has one key, "droo-" and the version of the format:

1. The first format. `Progress.rank` was called "place", and no agent explored.
2. `Progress.rank` has its name; `explore` is a setting.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from agent.networks import OWN
from agent.parts import Agent, arguments_of
from droo_core.files import replaced

FORMAT = 2
"""The version of the format that is written; earlier versions are read too."""

Tensors = dict[str, Tensor]
Meta = dict[str, Any]
T = TypeVar("T")
A = TypeVar("A", bound=Agent)


class Player(Protocol):
    """The parts of a `DROO` that are saved besides its agent."""

    progress: Any
    due: int


D = TypeVar("D", bound=Player)


def write(path: str | os.PathLike[str], tensors: Tensors, meta: Meta) -> None:
    """Write a checkpoint as `write_whole` does."""
    # One key only: safetensors writes several in random order.
    write_whole(path, save(tensors, {f"droo-{FORMAT}": json.dumps(meta)}))


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file, whole or not at all; an existing file is replaced at the end.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path must be in a folder that is there, got {path}")
    with replaced(path) as partial:
        partial.write_bytes(content)


def restore(path: str | os.PathLike[str], build: Callable[[Tensors, Meta], T]) -> T:
    """Read a checkpoint and build its content.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no whole checkpoint of this project, if its format is newer than this
            version reads, or if `build` refuses its content.
    """
    tensors, meta = _read(path)
    try:
        return build(tensors, json.loads(meta))
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} does not hold what is to be loaded: {error!r}") from error


def _read(path: str | os.PathLike[str]) -> tuple[Tensors, str]:
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole DROO checkpoint: {error}") from error
    versions = {int(key[5:]): key for key in header if re.fullmatch(r"droo-[1-9]\d*", key)}
    if not versions:
        raise ValueError(
            f"{path} is no DROO checkpoint: its header lacks droo-{FORMAT}, has {list(header)}"
        )
    readable = [version for version in versions if version <= FORMAT]
    if not readable:
        raise ValueError(
            f"{path} has checkpoint format {max(versions)}, this version of droo reads formats up "
            f"to {FORMAT}: update droo"
        )
    return tensors, header[versions[max(readable)]]


def pack(agent: Agent) -> tuple[Tensors, Meta]:
    """Return the whole state of an agent as tensors and JSON values."""
    learner, replay = agent.learner, agent.replay
    # Clones, since safetensors refuses tensors that share memory, as tied parameters do.
    parameters = agent.model.state_dict()
    tensors = {f"model.{name}": value.clone() for name, value in parameters.items()}
    moments = learner.adam.moments()
    tensors |= {f"optimizer.{name}": value.clone() for name, value in moments.items()}
    tensors["memory"] = torch.from_numpy(replay.rows)
    tensors["cost_his"] = torch.tensor(learner.cost_his, dtype=torch.float64)
    meta = {
        "arguments": arguments_of(agent),
        "memory_counter": replay.counter,
        "updates": learner.updates,
        "memory_rng": replay.rng.bit_generator.state,
        "noise_rng": agent.decoder.rng.bit_generator.state,
    }
    return tensors, meta


def unpack(make: Callable[..., A], tensors: Tensors, meta: Meta, policy: nn.Module | None) -> A:
    """Return the agent that `pack` described.

    Args:
        make: the class of the agent.
        tensors: as from `pack`.
        meta: as from `pack`.
        policy: a module of the caller's own like the agent's, if that had one.

    Raises:
        KeyError: if something is missing.
        ValueError: if something is out of range or does not fit the rest.
    """
    arguments = meta["arguments"]
    if (arguments["policy"] == OWN) != (policy is not None):
        raise ValueError(f"policy must be given for an agent of policy {OWN} and no other")
    if policy is not None:
        arguments = arguments | {"policy": policy}
    agent = make(**arguments, seed=0)  # every random number that this draws is replaced
    learner, replay = agent.learner, agent.replay
    agent.model.load_state_dict(_named(tensors, "model."))
    learner.adam.load(_named(tensors, "optimizer."))
    memory = tensors["memory"]
    if memory.shape != replay.rows.shape:
        raise ValueError(f"memory must be {replay.rows.shape}, is {tuple(memory.shape)}")
    replay.rows[:] = memory.numpy()
    replay.counter = _count("memory_counter", meta)
    replay.rng.bit_generator.state = meta["memory_rng"]
    agent.decoder.rng.bit_generator.state = meta["noise_rng"]
    learner.cost_his = tensors["cost_his"].tolist()
    learner.updates = _count("updates", meta)
    return agent


def _named(tensors: Tensors, prefix: str) -> Tensors:
    """Return the tensors whose names begin with a prefix, under the rest of their names."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _count(name: str, meta: Meta) -> int:
    """Return a count of the JSON values.

    Raises:
        ValueError: if it is not an integer of at least 0.
    """
    value = meta[name]
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} must be an integer of at least 0, is {value!r}")
    return value


def pack_droo(agent: Agent, droo: Player, settings: dict[str, Any]) -> tuple[Tensors, Meta]:
    """Return the whole state of a `DROO`: that of its agent, its settings and its progress."""
    tensors, meta = pack(agent)
    meta["droo"] = settings
    meta["progress"] = droo.progress._asdict()
    meta["due"] = droo.due
    return tensors, meta


def unpack_droo(make: Callable[..., D], agent: Agent, meta: Meta) -> D:
    """Return the `DROO` that `pack_droo` described.

    Args:
        make: its class.
        agent: as from `unpack`.
        meta: as from `pack_droo`.

    Raises:
        KeyError: if something is missing.
        ValueError: if something is out of range.
    """
    droo = make(agent, **{"explore": False} | meta["droo"])  # format 1 has no exploration
    progress = dict(meta["progress"])
    if "place" in progress:  # format 1
        progress["rank"] = progress.pop("place")
    droo.progress = droo.progress._replace(**{name: _count(name, progress) for name in progress})
    droo.due = _count("due", meta)
    return droo
