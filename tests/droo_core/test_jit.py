"""Compilation: kernels that only kernels call, and those in place of functions of numpy."""

from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droo_core import inner
from droo_core.arrays import Floats, Ints
from droo_core.jit import function_of, inner_kernel, kernel_of
from droo_core.numeric import argsort_descending, cube_root, zeros


@inner_kernel
def scaled(rows: Floats, row: int, factor: int) -> float:
    for i in range(rows.shape[1]):
        rows[row, i] = cube_root(8.0) * factor
    total: float = rows[row].sum()
    return total


@kernel_of(Path(__file__))
def total_of(columns: int) -> float:
    rows = zeros(2, columns)
    return scaled(rows, 0, 3) + scaled(rows, 1, 4)


@kernel_of(Path(__file__))
def order_of(keys: Floats) -> Ints:
    order = np.empty(len(keys), np.int64)
    argsort_descending(keys, order)
    return order


def test_inner_kernels_are_compiled_into_their_callers_once_for_all_literals() -> None:
    uncached: Any = numba.njit(function_of(total_of))  # of one from the cache nothing is compiled
    for total in (uncached(5), total_of(5)):
        assert total == pytest.approx(5 * 2 * (3 + 4), rel=1e-15)
    assert len(scaled.overloads) == 1  # type: ignore[attr-defined]


def test_inner_kernels_refuse_calls_from_python() -> None:
    for _ in range(2):  # before and after they are compiled
        with pytest.raises(TypeError, match="scaled can be called from compiled code only"):
            scaled(np.ones((1, 2)), 0, 3)
        total_of(2)


def test_this_version_of_numba_leaves_out_the_machine_code_of_inner_kernels() -> None:
    assert inner.SUPPORTED


@given(st.lists(st.one_of(st.integers(-3, 3), st.floats(-1e300, 1e300)), max_size=80))
def test_the_sort_is_stable_and_puts_the_largest_first(keys: list[float]) -> None:
    array = np.array(keys, dtype=np.float64)
    assert (order_of(array) == np.argsort(-array, kind="stable")).all()
