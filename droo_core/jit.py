"""Compilation by numba, with a disk cache that is invalidated when a named source file changes.

A kernel is compiled into each kernel that calls it, so compilation is slow where much is called.
Keep it fast:

- A kernel that only kernels call is an `inner_kernel`: it is optimized in its callers alone.
- A matrix is cheaper than a tuple of vectors, and an index into it cheaper than a view of its rows.
- Each pair of argument types is compiled anew: agree on one type of decisions.
- Functions of `numpy` that allocate, sort or take roots are slow to compile, and compiled anew for
  each call: `droo_core.numeric` has them once.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

from droo_core import inner

P = ParamSpec("P")
R = TypeVar("R")

_CORE = Path(__file__).parent


def kernel_of(
    *sources: str | Path, fastmath: set[str] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that compiles a function at its first call and caches the machine code.

    numba invalidates the cache when the outermost kernel's file changes, but not when another file
    changes that holds a kernel called from it. So the cached name contains a hash of all sources.

    Args:
        sources: files, or folders of files, of all kernels that the function may call; those of
            this package count without being named.
        fastmath: LLVM's fast-math flags; None keeps IEEE arithmetic.
    """
    paths = [Path(source) for source in sources] + [_CORE]
    files = [file for path in paths for file in (sorted(path.glob("*.py")) or [path])]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]

    def compiled(function: Callable[P, R]) -> Callable[P, R]:
        function.__qualname__ += f"_{digest}"
        compiler = numba.njit(
            cache=True,
            nogil=True,  # other threads may run meanwhile
            error_model="numpy",
            fastmath=fastmath or False,
        )
        return cast(Callable[P, R], inner.ignoring_literals(compiler(function)))

    return compiled


def inner_kernel_of(
    *, fastmath: set[str] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that compiles a function that kernels call; Python cannot call it.

    It becomes part of the machine code of its callers, which is cached. So it needs neither a cache
    nor machine code of its own, see `droo_core.inner`, nor the code that converts Python's objects.

    Args:
        fastmath: as for `kernel_of`.
    """
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

    def compiled(function: Callable[P, R]) -> Callable[P, R]:
        compiler = numba.njit(
            error_model="numpy",
            fastmath=fastmath or False,
            pipeline_class=inner.InnerCompiler,
            **options,
        )
        dispatcher = inner.ignoring_literals(compiler(function))
        return cast(Callable[P, R], inner.without_entry(dispatcher))

    return compiled


inner_kernel = inner_kernel_of()
"""Compiles a function that kernels call, with IEEE arithmetic."""


def as_inner(kernel: Callable[P, R], *, fastmath: set[str] | None = None) -> Callable[P, R]:
    """Return a kernel in the form for kernels that call it: `inner_kernel_of` of its function."""
    return inner_kernel_of(fastmath=fastmath)(function_of(kernel))


def function_of(kernel: Callable[P, R]) -> Callable[P, R]:
    """Return the Python function of a kernel, from which it can be compiled in another form."""
    return cast(Callable[P, R], getattr(kernel, "py_func", kernel))
