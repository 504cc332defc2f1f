"""How this project compiles its kernels."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on first use, keep the machine code on disk, and keep IEEE arithmetic."""
    return cast(Callable[P, R], numba.njit(cache=True, error_model="numpy")(function))
