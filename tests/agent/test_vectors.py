"""Matrix products by vector tiles, against NumPy in double precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.kernels import kernel, layers
from agent.kernels.vectors import COLUMNS, DOT_COLUMNS, ROWS, WIDTH, widths_for
from droo_core.arrays import Singles
from droo_core.jit import function_of

add_product = kernel(function_of(layers.add_product))
write_products = kernel(function_of(layers.write_products))
workspace = kernel(function_of(layers.workspace))
whole = kernel(function_of(layers.whole))


def parts(total: Singles, at: int, *shape: int) -> Singles:
    """Return a view of a part of an array as a matrix."""
    return total[at : at + int(np.prod(shape))].reshape(shape)


def random(rng: np.random.Generator, size: int) -> Singles:
    return rng.standard_normal(size, np.float32)


def check_product(rows: int, depth: int, vectors: int, *, transposed: bool) -> None:
    rng, columns = np.random.default_rng([rows, depth, vectors]), vectors * WIDTH
    a, b = random(rng, rows * depth + 3), random(rng, depth * columns + 5)
    out = random(rng, rows * columns + 14)
    before = out.copy()
    left = parts(a, 3, depth, rows).T if transposed else parts(a, 3, rows, depth)
    distances = (1, rows) if transposed else (depth, 1)
    add_product(a, 3, *distances, rows, depth, b, 5, out, 7, columns)
    product = left.astype(float) @ parts(b, 5, depth, columns)
    expected = parts(before, 7, rows, columns) + product
    np.testing.assert_allclose(parts(out, 7, rows, columns), expected, rtol=0, atol=1e-5 * depth)
    # Nothing is written before or after the product.
    assert (out[:7] == before[:7]).all()
    assert (out[-7:] == before[-7:]).all()


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("vectors", range(1, 2 * COLUMNS + 1))
@pytest.mark.parametrize("rows", range(1, 2 * ROWS + 1))
def test_a_product_with_every_remainder_of_the_tiles(
    rows: int, vectors: int, transposed: bool
) -> None:
    for depth in (1, 2, 7):
        check_product(rows, depth, vectors, transposed=transposed)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.booleans())
def test_a_product_of_any_shape(rows: int, depth: int, vectors: int, transposed: bool) -> None:
    check_product(rows, depth, vectors, transposed=transposed)


@pytest.mark.parametrize("columns", range(1, 2 * DOT_COLUMNS + 2))
@pytest.mark.parametrize("rows", range(1, 2 * ROWS + 1))
def test_scalar_products_with_every_remainder_of_the_tiles(rows: int, columns: int) -> None:
    rng = np.random.default_rng([rows, columns])
    for vectors in (1, 2, 5):
        length = vectors * WIDTH
        a, b = random(rng, rows * length + 3), random(rng, columns * length + 5)
        out = random(rng, rows * columns + 14)
        before = out.copy()
        write_products(a, 3, rows, b, 5, columns, length, out, 7)
        left, right = parts(a, 3, rows, length), parts(b, 5, columns, length)
        expected = left.astype(float) @ right.T
        np.testing.assert_allclose(parts(out, 7, rows, columns), expected, rtol=0, atol=1e-4)
        assert (out[:7] == before[:7]).all()
        assert (out[-7:] == before[-7:]).all()


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_product_shows_numbers_that_are_not_finite(bad: float) -> None:
    a, b, out = (
        np.ones(6, np.float32),
        np.ones(3 * WIDTH, np.float32),
        np.zeros(2 * WIDTH, np.float32),
    )
    a[4] = bad
    add_product(a, 0, 3, 1, 2, 3, b, 0, out, 0, WIDTH)
    assert (out[:WIDTH] == 3).all()
    assert not np.isfinite(out[WIDTH:]).any()


def test_memory_begins_at_a_cache_line() -> None:
    for size in range(1, 200, 7):
        memory = workspace(size)
        assert memory.shape == (size,)
        assert memory.ctypes.data % 64 == 0


def test_columns_are_rounded_up_to_whole_vectors() -> None:
    for columns in range(1, 100):
        padded = whole(columns)
        assert padded % WIDTH == 0
        assert 0 <= padded - columns < WIDTH


# Vectors of eight and four numbers, and the number of registers that a processor has for them.
@pytest.mark.parametrize(
    ("features", "machine", "vector", "registers", "fused"),
    [
        ({"+avx", "+avx2", "+fma", "+avx512f"}, "x86_64", 16, 32, True),
        ({"+avx", "+avx2", "+fma", "-avx512f"}, "x86_64", 8, 16, True),
        ({"+avx", "-avx2"}, "x86_64", 8, 16, False),
        ({"+sse4.2", "-avx"}, "AMD64", 4, 16, False),
        ({""}, "x86_64", 4, 16, False),
        ({"+neon"}, "aarch64", 4, 32, True),
        ({""}, "arm64", 4, 32, True),
    ],
)
def test_a_tile_fits_the_registers(
    features: set[str], machine: str, vector: int, registers: int, fused: bool
) -> None:
    width, rows, columns, dot_columns = widths_for(features, machine)
    assert width == vector
    product = 0 if fused else 1
    assert rows * columns + columns + 1 + product <= registers
    assert rows * dot_columns + rows + 1 + product <= registers
