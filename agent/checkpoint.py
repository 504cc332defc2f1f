"""Checkpoints: tensors and JSON in one safetensors file, which can hold no code."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

T = TypeVar("T")

_KEY = "droo-1"  # one key only: safetensors writes several in random order


def write(path: str | os.PathLike[str], tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write a checkpoint as `write_whole` does."""
    write_whole(path, save(tensors, {_KEY: json.dumps(meta)}))


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file, whole or not at all: one that is already there is replaced at the end.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path must be in a folder that is there, got {path}")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def restore(
    path: str | os.PathLike[str], build: Callable[[dict[str, Tensor], dict[str, Any]], T]
) -> T:
    """Read what `write` wrote, and build what it was written from.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a whole checkpoint of this project, or not one of what is built.
    """
    tensors, meta = _read(path)
    try:
        return build(tensors, json.loads(meta))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} does not hold what is to be loaded: {error!r}") from error


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], str]:
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole DROO checkpoint: {error}") from error
    if _KEY not in header:
        raise ValueError(
            f"{path} is no DROO checkpoint: its header lacks {_KEY}, has {list(header)}"
        )
    return tensors, header[_KEY]
