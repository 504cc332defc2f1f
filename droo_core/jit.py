"""Compilation of kernels by numba, cached on disk and renewed when any of their sources changes."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel_of(
    *sources: str | Path, parallel: bool = False, fastmath: set[str] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that compiles a function at its first call and caches the machine code.

    numba renews the cache when the file of the outermost kernel changes, but not when a kernel that
    it calls in another file does. So the cached name contains a hash of all sources.

    Args:
        sources: files of all kernels that the function may call, or folders of them.
        parallel: run `numba.prange` in as many threads as numba is set to.
        fastmath: LLVM's fast-math flags; None keeps IEEE arithmetic.
    """
    paths = [Path(source) for source in sources]
    files = [file for path in paths for file in (sorted(path.glob("*.py")) or [path])]
    state = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]

    def compiled(function: Callable[P, R]) -> Callable[P, R]:
        function.__qualname__ += f"_{state}"
        compiler = numba.njit(
            cache=True, error_model="numpy", parallel=parallel, fastmath=fastmath or False
        )
        return cast(Callable[P, R], compiler(function))

    return compiled
