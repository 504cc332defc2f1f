"""Kernels as arguments of kernels, called through their addresses.

A kernel that is called by name is compiled once more into each caller. One that is an argument is
compiled once, and its caller once for all kernels of the same signature.
"""

import ctypes
import time
from typing import Any

import numba
from numba.core import types


class Pointer(types.WrapperAddressProtocol):
    """A kernel, or a function of C, as an argument of a kernel.

    Args:
        address: of the function.
        signature: its types.
    """

    def __init__(self, address: int, signature: Any) -> None:
        self._address, self._signature = address, signature

    def __wrapper_address__(self) -> int:
        return self._address

    def signature(self) -> Any:
        """Return its types."""
        return self._signature


def pointer_to(kernel: Any, *arguments: Any) -> Pointer:
    """Compile a kernel for arguments like these, and return it as an argument of other kernels."""
    signature = tuple(numba.typeof(argument) for argument in arguments)
    if signature not in kernel.overloads:  # compiling waits for other threads that compile
        kernel.compile(signature)
    compiled = kernel.overloads[signature]
    name = compiled.fndesc.llvm_cfunc_wrapper_name
    return Pointer(compiled.library.get_pointer_to_function(name), compiled.signature)


def clock() -> Pointer:
    """Return C's `clock_gettime` as an argument of kernels, which have no clock of their own.

    Its arguments are `CLOCK` and the address of two integers, which become seconds and nanoseconds.
    """
    function = ctypes.CDLL(None).clock_gettime
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return Pointer(address, types.int32(types.int32, types.uintp))


CLOCK = time.CLOCK_MONOTONIC
