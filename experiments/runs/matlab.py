"""Conversion of Python values for MATLAB and Octave, and .mat files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

EXACT = 2**53  # double precision represents all integers up to this one


def write_mat(path: Path, variables: Mapping[str, object]) -> None:
    """Write variables, converted by `to_matlab`, as a MATLAB 5 file (`-v7`)."""
    scipy.io.savemat(path, to_matlab(variables), long_field_names=True, do_compression=True)


def to_matlab(value: object) -> Any:
    """Convert a value to a form that `scipy.io.savemat` writes for use in MATLAB.

    Numbers become double, since arithmetic on MATLAB's integers rounds; arrays of uint8 and bool
    keep their type. Vectors become column vectors, lists of numbers row vectors, arrays and lists
    of text cell arrays, mappings structs, and None the empty matrix. Names are unchanged. Integers
    that double precision would round, such as a long seed, become text.
    """
    if value is None:
        return np.zeros((0, 0))
    if isinstance(value, Mapping):
        return {name: to_matlab(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        numbers = all(isinstance(entry, int | float) for entry in value)
        return np.array(value, dtype=np.float64 if numbers else np.object_).reshape(1, -1)
    if isinstance(value, np.ndarray):
        kept = value.dtype in (np.uint8, np.bool_)
        other = np.object_ if value.dtype.kind == "U" else np.float64
        converted: NDArray[Any] = value if kept else value.astype(other)
        return converted[:, None] if value.ndim == 1 else converted
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value) if isinstance(value, int) and abs(value) > EXACT else float(value)
    return value
