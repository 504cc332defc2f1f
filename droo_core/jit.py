"""Compilation by numba, with a disk cache that is invalidated when any source file changes."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba
from numba.core import types

P = ParamSpec("P")
R = TypeVar("R")


def kernel_of(
    *sources: str | Path, parallel: bool = False, fastmath: set[str] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that compiles a function at its first call and caches the machine code.

    numba invalidates the cache when the outermost kernel's file changes, but not when another file
    changes that holds a kernel called from it. So the cached name contains a hash of all sources.

    Args:
        sources: files, or folders of files, of all kernels that the function may call.
        parallel: run `numba.prange` loops in as many threads as numba is set to.
        fastmath: LLVM's fast-math flags; None keeps IEEE arithmetic.
    """
    paths = [Path(source) for source in sources]
    files = [file for path in paths for file in (sorted(path.glob("*.py")) or [path])]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]

    def compiled(function: Callable[P, R]) -> Callable[P, R]:
        function.__qualname__ += f"_{digest}"
        compiler = numba.njit(
            cache=True, error_model="numpy", parallel=parallel, fastmath=fastmath or False
        )
        dispatcher = compiler(function)
        resolve = dispatcher.get_call_template
        # A call with a literal would be compiled for that literal alone.
        dispatcher.get_call_template = lambda args, kws: resolve(
            tuple(types.unliteral(each) for each in args),
            {name: types.unliteral(each) for name, each in kws.items()},
        )
        return cast(Callable[P, R], dispatcher)

    return compiled
