"""How this project compiles its kernels."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")

_SOURCES = sorted(Path(__file__).parent.glob("*_kernels.py"))
_STATE = hashlib.sha256(b"".join(file.read_bytes() for file in _SOURCES)).hexdigest()[:12]


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on first use, keep the machine code on disk, and keep IEEE arithmetic.

    numba looks for changes in the file of the outermost kernel alone, but kernels call others
    across files: so the machine code is kept under a name that tells the state of all of them.
    """
    function.__qualname__ += f"_{_STATE}"
    return cast(Callable[P, R], numba.njit(cache=True, error_model="numpy")(function))
