"""Labelled frames of any problem: checked, read and written by a schema."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from droo_core.arrays import Floats
from droo_core.validation import in_range, zeros_and_ones
from env.common.files import read_variables, write_variables
from env.problem import CertifiedOptimum


class Variable(NamedTuple):
    """Schema of one field of labelled frames.

    Attributes:
        name: of the variable in files.
        shape: of letters T (frames) and N (devices), such as ("T", "N").
        high: largest entry allowed.
        positive: entries must exceed 0; otherwise they must be at least 0.
        binary: entries must be 0 or 1; stored as uint8.
        optional: the field may be None, the variable absent.
    """

    name: str
    shape: tuple[str, ...]
    high: float = np.inf
    positive: bool = False
    binary: bool = False
    optional: bool = False

    def checked(self, name: str, value: ArrayLike, sizes: dict[str, int]) -> NDArray[Any]:
        """Return a copy of a value as an array; `sizes` are those of T and N, where known.

        Raises:
            TypeError: if the value holds anything but real numbers.
            ValueError: if the shape differs or an entry is out of range.
        """
        shape = tuple(sizes.get(letter, letter) for letter in self.shape)
        if self.binary:
            return zeros_and_ones(name, value, shape).copy()
        return in_range(name, value, 0, self.high, shape, open_low=self.positive).copy()


def variable(name: str, *shape: str, **options: Any) -> dict[str, Variable]:
    """Return the metadata of a dataclass field with this schema: see `Variable`."""
    return {"variable": Variable(name, shape, **options)}


@dataclass(frozen=True, eq=False)
class LabelledFrames(ABC):
    """Base of a problem's labelled frames: a dataclass whose fields have metadata by `variable`.

    Attributes:
        gain: channel gains `[T, N]`.
        decision: offloading decisions `[T, N]`, zeros and ones.

    Raises:
        TypeError: if a field holds anything but real numbers.
        ValueError: if fields disagree in shape or an entry is out of range.
    """

    gain: Floats = field(metadata=variable("input_h", "T", "N"))
    decision: NDArray[np.int64] = field(metadata=variable("output_mode", "T", "N", binary=True))

    def __post_init__(self) -> None:
        """Check the fields against the schema and each other, and convert them."""
        sizes: dict[str, int] = {}
        for name, schema in schema_of(type(self)).items():
            if (value := getattr(self, name)) is not None:
                checked = schema.checked(name, value, sizes)
                sizes |= dict(zip(schema.shape, checked.shape, strict=True))
                object.__setattr__(self, name, checked)  # the dataclass is frozen

    @property
    @abstractmethod
    def reward(self) -> Floats:
        """Labelled scores of the decisions `[T]`."""

    @classmethod
    @abstractmethod
    def of(cls, critic: Any, gains: Floats, optima: Sequence[CertifiedOptimum]) -> Self:
        """Return the labelled frames of gains `[T, N]` with these decisions."""

    @abstractmethod
    def allocated(self, critic: Any) -> tuple[Floats, Floats]:
        """Evaluate the labelled decisions with the labelled allocations.

        Returns:
            Their scores `[T]`, and by how much each allocation exceeds its frame's limits `[T]`.
        """


L = TypeVar("L", bound=LabelledFrames)


def schema_of(kind: type[LabelledFrames]) -> dict[str, Variable]:
    """Return the schema of labelled frames, by field."""
    return {each.name: each.metadata["variable"] for each in fields(kind)}


def read_labelled(path: str | os.PathLike[str], kind: type[L]) -> L:
    """Read labelled frames from a .mat or .npz file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or lacks a variable, or the variables disagree.
    """
    schema = schema_of(kind)
    found = read_variables(
        Path(path),
        [each.name for each in schema.values() if not each.optional],
        [each.name for each in schema.values() if each.optional],
    )
    values = {name: found[each.name] for name, each in schema.items() if each.name in found}
    for name, value in values.items():
        if len(schema[name].shape) == 1:  # a row or a column in MATLAB
            values[name] = value.reshape(-1)
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_labelled(path: str | os.PathLike[str], frames: LabelledFrames) -> None:
    """Write labelled frames to a .mat or .npz file, whole or not at all.

    Raises:
        ValueError: if the name ends in neither .mat nor .npz.
        OSError: if the file cannot be written there.
    """
    variables = {}
    for name, schema in schema_of(type(frames)).items():
        if (value := getattr(frames, name)) is not None:
            value = value.astype(np.uint8) if schema.binary else value
            variables[schema.name] = value[:, None] if schema.shape == ("T",) else value
    write_variables(Path(path), variables)
