"""Vector instructions for kernels: tiles of matrix products, at the width of the processor.

A compiler that vectorizes loops by itself chooses 256-bit vectors on processors that have 512-bit
ones, and writes every partial sum back to memory. A tile keeps its sums in registers instead: as
many as the processor has room for, and more than its multiply-add units need to be kept busy.
"""

import platform
from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic


def processor_features() -> set[str]:
    """Return the features of the processor that numba compiles for, as "+avx2"."""
    chosen = config.CPU_FEATURES  # type: ignore[attr-defined]
    return set((get_host_cpu_features() if chosen is None else chosen).split(","))


class Widths(NamedTuple):
    """Sizes of vectors and tiles.

    Attributes:
        vector: number of single-precision numbers in a vector.
        rows: of a tile.
        columns: vectors in a row of a tile of `multiply_tile`.
        dot_columns: columns of a tile of `dot_tile`.
    """

    vector: int
    rows: int
    columns: int
    dot_columns: int


def widths_for(features: set[str], machine: str) -> Widths:
    """Return the widths for a processor, whose registers have to hold a tile and its factors.

    Args:
        features: of the processor, as "+avx2".
        machine: its architecture, as `platform.machine` names it.
    """
    if "+avx512f" in features:
        return Widths(16, 4, 4, 4)  # 32 registers
    if machine in ("arm64", "aarch64"):
        return Widths(4, 4, 4, 4)  # 32 registers
    if "+fma" in features:
        return Widths(8, 4, 3, 2)  # 16 registers
    # 16 registers, one of which holds a product before it is added.
    return Widths(8 if "+avx" in features else 4, 4, 2, 2)


WIDTH, ROWS, COLUMNS, DOT_COLUMNS = widths_for(processor_features(), platform.machine())

_SINGLE, _INDEX = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_SINGLE, WIDTH)
_ARRAY = types.Array(types.float32, 1, "C")

Builder = Any  # llvmlite's builder has no types


class _Code:
    """Emits the instructions of a tile.

    Args:
        builder: llvmlite's.
    """

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def at(self, begin: ir.Value, row: ir.Value, number: int) -> ir.Value:
        """Return begin + number * row."""
        return self.builder.add(begin, self.builder.mul(row, ir.Constant(_INDEX, number)))

    def load(self, data: ir.Value, index: ir.Value, kind: ir.Type) -> ir.Value:
        """Load a number or a vector from an index of an array."""
        value = self.builder.load(self._pointer(data, index, kind))
        value.align = 4
        return value

    def store(self, value: ir.Value, data: ir.Value, index: ir.Value) -> None:
        """Store a number or a vector at an index of an array."""
        self.builder.store(value, self._pointer(data, index, value.type)).align = 4

    def broadcast(self, number: ir.Value) -> ir.Value:
        """Return a vector of one number."""
        first = ir.Constant(ir.IntType(32), 0)
        none = ir.Constant(_VECTOR, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
        vector = self.builder.insert_element(none, number, first)
        return self.builder.shuffle_vector(vector, none, zeros)

    def multiply_add(self, a: ir.Value, b: ir.Value, total: ir.Value) -> None:
        """Add the product of two vectors to a variable; one rounding where the processor can."""
        name = f"llvm.fmuladd.v{WIDTH}f32"
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        self.builder.store(self.builder.call(function, [a, b, self.builder.load(total)]), total)

    def sum(self, vector: ir.Value) -> ir.Value:
        """Return the sum of a vector's numbers."""
        name = f"llvm.vector.reduce.fadd.v{WIDTH}f32"
        kind = ir.FunctionType(_SINGLE, [_SINGLE, _VECTOR])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        zero = ir.Constant(_SINGLE, 0.0)
        return self.builder.call(function, [zero, vector], fastmath=("reassoc",))

    def variable(self, value: ir.Value) -> ir.Value:
        """Return a variable, which the compiler keeps in a register."""
        return cgutils.alloca_once_value(self.builder, value)

    def _pointer(self, data: ir.Value, index: ir.Value, kind: ir.Type) -> ir.Value:
        return self.builder.bitcast(self.builder.gep(data, [index]), kind.as_pointer())


def _data(context: Any, builder: Builder, array: ir.Value) -> ir.Value:
    return context.make_array(_ARRAY)(context, builder, array).data


def multiply_tile(rows: int, columns: int) -> Callable[..., None]:
    """Return an intrinsic that adds a product to a tile of `rows` times `columns` vectors.

    Its arguments are a, the index of its first number, and the distances of its rows and columns; b
    and out with the index of their first number and the distance of their rows; and the depth of
    the product, the columns of a.
    """

    @intrinsic
    def tile(  # type: ignore[no-untyped-def]
        typingctx,
        a,
        a_at,
        a_row,
        a_column,
        b,
        b_at,
        b_row,
        out,
        out_at,
        out_row,
        depth,
    ):
        def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
            code = _Code(builder)
            a, b, out = (_data(context, builder, args[number]) for number in (0, 4, 7))
            _, a_at, a_row, a_column, _, b_at, b_row, _, out_at, out_row, depth = args
            places = [
                [
                    code.at(code.at(out_at, out_row, r), ir.Constant(_INDEX, WIDTH), c)
                    for c in range(columns)
                ]
                for r in range(rows)
            ]
            sums = [
                [code.variable(code.load(out, place, _VECTOR)) for place in row] for row in places
            ]
            with cgutils.for_range(builder, depth) as loop:
                from_b = builder.add(b_at, builder.mul(loop.index, b_row))
                vectors = [
                    code.load(b, code.at(from_b, ir.Constant(_INDEX, WIDTH), c), _VECTOR)
                    for c in range(columns)
                ]
                from_a = builder.add(a_at, builder.mul(loop.index, a_column))
                for r in range(rows):
                    number = code.load(a, code.at(from_a, a_row, r), _SINGLE)
                    factor = code.broadcast(number)
                    for c in range(columns):
                        code.multiply_add(factor, vectors[c], sums[r][c])
            for row, of_row in zip(places, sums, strict=True):
                for place, total in zip(row, of_row, strict=True):
                    code.store(builder.load(total), out, place)
            return context.get_dummy_value()

        index = types.intp
        return types.void(
            _ARRAY, index, index, index, _ARRAY, index, index, _ARRAY, index, index, index
        ), emit

    return tile


def dot_tile(rows: int, columns: int) -> Callable[..., None]:
    """Return an intrinsic that writes a tile of scalar products of rows of a and rows of b.

    Its arguments are a, b and out, each with the index of its first number and the distance of its
    rows; and the length of the rows, a multiple of `WIDTH`.
    """

    @intrinsic
    def tile(  # type: ignore[no-untyped-def]
        typingctx,
        a,
        a_at,
        a_row,
        b,
        b_at,
        b_row,
        out,
        out_at,
        out_row,
        length,
    ):
        def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
            code = _Code(builder)
            a, b, out = (_data(context, builder, args[number]) for number in (0, 3, 6))
            _, a_at, a_row, _, b_at, b_row, _, out_at, out_row, length = args
            zero = ir.Constant(_VECTOR, [0.0] * WIDTH)
            sums = [[code.variable(zero) for _ in range(columns)] for _ in range(rows)]
            step = ir.Constant(_INDEX, WIDTH)
            start = ir.Constant(_INDEX, 0)
            with cgutils.for_range_slice(builder, start, length, step, _INDEX) as (k, _):
                left = [
                    code.load(a, builder.add(code.at(a_at, a_row, r), k), _VECTOR)
                    for r in range(rows)
                ]
                for c in range(columns):
                    right = code.load(b, builder.add(code.at(b_at, b_row, c), k), _VECTOR)
                    for r in range(rows):
                        code.multiply_add(left[r], right, sums[r][c])
            for r in range(rows):
                for c in range(columns):
                    place = builder.add(code.at(out_at, out_row, r), ir.Constant(_INDEX, c))
                    code.store(code.sum(builder.load(sums[r][c])), out, place)
            return context.get_dummy_value()

        index = types.intp
        return types.void(
            _ARRAY, index, index, _ARRAY, index, index, _ARRAY, index, index, index
        ), emit

    return tile
