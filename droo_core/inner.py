"""Changes numba's compiler for kernels that only kernels call.

numba links a function into each of its callers and optimizes it there once more. For a function
that is called from compiled code alone, all work on machine code of its own is wasted: half of the
time of a deep chain of calls. This module leaves it out. It relies on names inside numba. If a
version of numba lacks one of them, functions are compiled as usual.
"""

# mypy: allow-untyped-calls
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from numba.core import config, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

_RELIES_ON = (
    "_optimize_final_module",
    "_finalize_final_module",
    "_finalize_dynamic_globals",
    "_get_module_for_linking",
)
SUPPORTED = all(hasattr(JITCodeLibrary, name) for name in _RELIES_ON)
"""Whether this version of numba has the names on which this module relies."""
_unliteral: Callable[[Any], Any] = types.unliteral


class InnerLibrary(JITCodeLibrary):
    """Code to be linked into that of callers: not optimized, and no machine code."""

    def _optimize_final_module(self) -> None:
        """Do nothing: the callers optimize what is linked into them."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True
        self._get_module_for_linking()
        # numba writes the address of each function's environment into a variable of this name.
        names = [each.name for each in self._final_module.global_variables]
        lines = [f'@"{name}" = common global i8* null' for name in names if "NumbaEnv" in name]
        self._environment = llvm.parse_assembly("\n".join(lines))
        self._codegen._add_module(self._environment)


class InnerCompiler(Compiler):
    """Compiles a function into an `InnerLibrary`."""

    def define_pipelines(self) -> Any:
        """Return numba's own passes, which are to fill the library."""
        if SUPPORTED:
            codegen, name = self.state.targetctx.codegen(), self.state.func_id.func_qualname
            self.state.library = InnerLibrary(codegen, name)
        return super().define_pipelines()


def ignoring_literals(dispatcher: Any) -> Any:
    """Return a compiled function that ignores the values of literals.

    numba compiles a function anew for each literal, such as the 0 in `f(0)`.
    """
    if getattr(config, "DISABLE_JIT", False):  # by NUMBA_DISABLE_JIT: it is the function itself
        return dispatcher
    get_call_template = dispatcher.get_call_template

    def of_types(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        plain = tuple(_unliteral(arg) for arg in args)
        return get_call_template(plain, {key: _unliteral(arg) for key, arg in kws.items()})

    dispatcher.get_call_template = of_types
    return dispatcher


def without_entry(dispatcher: Any) -> Any:
    """Return a compiled function that refuses calls from Python."""
    if getattr(config, "DISABLE_JIT", False):
        return dispatcher

    def refuse(*_: Any, **__: Any) -> None:
        raise TypeError(f"{dispatcher.py_func.__name__} can be called from compiled code only")

    dispatcher._compile_for_args = refuse
    # Otherwise a call from Python would find compiled code without a wrapper.
    dispatcher._insert = lambda *_, **__: None
    return dispatcher
