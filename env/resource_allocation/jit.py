"""How kernels that call others across files are compiled."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel_of(*sources: Path, parallel: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that compiles a function on first use and keeps the machine code on disk.

    numba looks for changes in the file of the outermost kernel alone, but kernels call others
    across files: so the machine code is kept under a name that tells the state of all of them.
    Arithmetic is IEEE's.

    Args:
        sources: the files of all kernels that the function may call.
        parallel: run `numba.prange` in as many threads as numba is set to.
    """
    state = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:12]

    def compiled(function: Callable[P, R]) -> Callable[P, R]:
        function.__qualname__ += f"_{state}"
        compiler = numba.njit(cache=True, error_model="numpy", parallel=parallel)
        return cast(Callable[P, R], compiler(function))

    return compiled


SOURCES = tuple(sorted(Path(__file__).parent.glob("*_kernels.py")))
"""The kernels of this folder."""

kernel = kernel_of(*SOURCES)
