"""Kernels of the passes through dense layers, of the loss, and of Adam.

A matrix is a part of a one-dimensional array, given by the index of its first number, since views
take long to compile. In a training step a matrix has a row for every feature and a column for every
example of the batch, padded to whole vectors: the inner loops run over the columns, and so are long
enough for vector instructions, whatever the widths of the layers.

Numbers too small to matter become zero where they are made: see `agent.negligible`.
"""

import math

import numpy as np

from agent.kernels import FAST, inner_kernel, kernel
from agent.kernels.vectors import (
    COLUMNS,
    DOT_COLUMNS,
    ROWS,
    WIDTH,
    dot_tile,
    multiply_tile,
)
from agent.negligible import CONFIDENT, NEGLIGIBLE
from droo_core.arrays import Floats, Singles
from droo_core.jit import as_inner

SMALL = np.float32(NEGLIGIBLE)
SMALL_SQUARE = np.float32(NEGLIGIBLE**2)
ZERO = np.float32(0)
BLOCK = 256  # factors of at most 2 whose product does not overflow

_tile, _narrow = multiply_tile(ROWS, COLUMNS), multiply_tile(ROWS, 1)
_row, _narrow_row = multiply_tile(1, COLUMNS), multiply_tile(1, 1)
_dots, _column_of_dots = dot_tile(ROWS, DOT_COLUMNS), dot_tile(ROWS, 1)
_row_of_dots, _dot = dot_tile(1, DOT_COLUMNS), dot_tile(1, 1)


@inner_kernel
def whole(columns: int) -> int:
    """Return a number of columns rounded up to whole vectors."""
    return -(-columns // WIDTH) * WIDTH


@inner_kernel
def workspace(size: int) -> Singles:
    """Return memory aligned to a cache line; vectors across two lines take half as long again."""
    line = 16  # numbers of 4 bytes
    memory = np.empty(size + line, np.float32)
    skip = -(memory.ctypes.data // 4) % line
    return memory[skip : skip + size]


@inner_kernel
def fill(values: Singles, value: np.float32) -> None:
    """Set all numbers to a value; numba takes long to compile `values[:] = value`."""
    for i in range(len(values)):
        values[i] = value


@inner_kernel
def add_product(
    a: Singles,
    a_at: int,
    a_row: int,
    a_column: int,
    rows: int,
    depth: int,
    b: Singles,
    b_at: int,
    out: Singles,
    out_at: int,
    columns: int,
) -> None:
    """Add the product of a `[rows, depth]` and b `[depth, columns]` to out `[rows, columns]`.

    The distances of the rows and the columns of a are arguments, so that it may be a transpose; the
    rows of b and out follow one another. `columns` must be a multiple of `WIDTH`.
    """
    k = 0
    while k < columns:
        many = columns - k >= COLUMNS * WIDTH
        i = 0
        while i < rows:
            four = rows - i >= ROWS
            from_a, to = a_at + i * a_row, out_at + i * columns + k
            if many and four:
                _tile(a, from_a, a_row, a_column, b, b_at + k, columns, out, to, columns, depth)
            elif four:
                _narrow(a, from_a, a_row, a_column, b, b_at + k, columns, out, to, columns, depth)
            elif many:
                _row(a, from_a, a_row, a_column, b, b_at + k, columns, out, to, columns, depth)
            else:
                _narrow_row(
                    a, from_a, a_row, a_column, b, b_at + k, columns, out, to, columns, depth
                )
            i += ROWS if four else 1
        k += COLUMNS * WIDTH if many else WIDTH


@inner_kernel
def write_products(
    a: Singles,
    a_at: int,
    rows: int,
    b: Singles,
    b_at: int,
    columns: int,
    length: int,
    out: Singles,
    out_at: int,
) -> None:
    """Write the product of a `[rows, length]` and the transpose of b `[columns, length]`."""
    i = 0
    while i < rows:
        four = rows - i >= ROWS
        from_a, j = a_at + i * length, 0
        while j < columns:
            many = columns - j >= DOT_COLUMNS
            from_b, to = b_at + j * length, out_at + i * columns + j
            if four and many:
                _dots(a, from_a, length, b, from_b, length, out, to, columns, length)
            elif four:
                _column_of_dots(a, from_a, length, b, from_b, length, out, to, columns, length)
            elif many:
                _row_of_dots(a, from_a, length, b, from_b, length, out, to, columns, length)
            else:
                _dot(a, from_a, length, b, from_b, length, out, to, columns, length)
            j += DOT_COLUMNS if many else 1
        i += ROWS if four else 1


@inner_kernel
def dense(
    parameters: Singles,
    weight_at: int,
    bias_at: int,
    work: Singles,
    given_at: int,
    inputs: int,
    out_at: int,
    outputs: int,
    columns: int,
) -> None:
    """Write the sums of a layer `[outputs, columns]`; there is no bias if `bias_at` is negative."""
    for o in range(outputs):
        bias = parameters[bias_at + o] if bias_at >= 0 else ZERO
        fill(work[out_at + o * columns : out_at + (o + 1) * columns], bias)
    add_product(
        parameters, weight_at, inputs, 1, outputs, inputs, work, given_at, work, out_at, columns
    )


@inner_kernel
def rectify(values: Singles) -> None:
    """Apply the ReLU in place; NaN stays NaN."""
    for i in range(len(values)):
        value = values[i]
        values[i] = ZERO if value < 0 else value


@inner_kernel
def dense_back(
    parameters: Singles,
    weight_at: int,
    work: Singles,
    delta_at: int,
    outputs: int,
    before_at: int,
    inputs: int,
    columns: int,
) -> None:
    """Write the derivatives `[inputs, columns]` of a layer's inputs, from those of its sums."""
    fill(work[before_at : before_at + inputs * columns], ZERO)
    add_product(
        parameters, weight_at, 1, inputs, inputs, outputs, work, delta_at, work, before_at, columns
    )


@inner_kernel
def rectify_back(derivatives: Singles, given: Singles) -> None:
    """Take derivatives back through the ReLU in place; negligible ones become zero."""
    for i in range(len(derivatives)):
        value = derivatives[i]
        value = ZERO if abs(value) < SMALL else value
        derivatives[i] = value if given[i] > 0 else ZERO


@inner_kernel
def sum_of(values: Singles) -> np.float32:
    """Return the sum of numbers."""
    total = ZERO
    for i in range(len(values)):
        total += values[i]
    return total


@inner_kernel
def write_gradient(
    gradient: Singles,
    weight_at: int,
    bias_at: int,
    work: Singles,
    delta_at: int,
    outputs: int,
    given_at: int,
    inputs: int,
    columns: int,
) -> None:
    """Write the gradient of a layer; there is no bias if `bias_at` is negative."""
    write_products(work, delta_at, outputs, work, given_at, inputs, columns, gradient, weight_at)
    if bias_at >= 0:
        for o in range(outputs):
            begin = delta_at + o * columns
            gradient[bias_at + o] = sum_of(work[begin : begin + columns])


@inner_kernel
def scalar_product(a: Singles, b: Singles) -> np.float32:
    """Return the scalar product of two vectors."""
    total = ZERO
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@inner_kernel
def exp_of_negative(x: float) -> float:
    """Return e^-x for x between 0 and 30, to 1e-9: vectorized, unlike the library's."""
    y = x * (-1.0 / 128.0)
    term = 1.0 + y * (1.0 / 7.0) * (1.0 + y * (1.0 / 8.0))
    term = 1.0 + y * (1.0 / 4.0) * (1.0 + y * (1.0 / 5.0) * (1.0 + y * (1.0 / 6.0) * term))
    e = 1.0 + y * (1.0 + y * (1.0 / 2.0) * (1.0 + y * (1.0 / 3.0) * term))
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    return e * e


@inner_kernel
def block_of_cross_entropy(
    logits: Singles, signs: Singles, derivatives: Singles, scale: np.float32
) -> float:
    """Return a sum of cross-entropies, of `BLOCK` logits at most; write derivatives times scale."""
    loss = 0.0
    product = 1.0  # of 1 + e^-|z|, so that one logarithm serves many entries
    for i in range(len(logits)):
        sign = signs[i]
        margin = logits[i] * sign
        e = exp_of_negative(float(min(abs(margin), np.float32(CONFIDENT))))
        wrong = (1.0 if margin < 0 else e) / (1.0 + e)  # probability of the other decision
        derivative = -sign * np.float32(wrong) * scale
        confident = margin > np.float32(CONFIDENT)
        derivatives[i] = ZERO if confident else derivative
        labelled = ZERO if confident else abs(sign)
        loss += float(labelled * max(-margin, ZERO))
        product *= 1.0 + float(labelled) * e
    return loss + math.log(product)


@inner_kernel
def cross_entropy(logits: Singles, signs: Singles, derivatives: Singles, count: int) -> float:
    """Return the mean binary cross-entropy, and write its derivatives with respect to the logits.

    Args:
        logits: `[M]`.
        signs: the labels `[M]`: 1 to offload, -1 to compute locally, 0 for none.
        derivatives: out `[M]`.
        count: the number of labels, by which the sum is divided.
    """
    scale = np.float32(1 / count)
    loss = 0.0
    for begin in range(0, len(logits), BLOCK):
        end = begin + BLOCK
        loss += block_of_cross_entropy(
            logits[begin:end], signs[begin:end], derivatives[begin:end], scale
        )
    return loss / count


@kernel
def adam(
    parameters: Singles,
    gradient: Singles,
    first: Singles,
    second: Singles,
    step: float,
    hyperparameters: Floats,
) -> None:
    """Take a step of Adam with weight decay in place, all arrays `[P]`.

    Args:
        parameters: in and out.
        gradient: of the loss.
        first: first moments, in and out.
        second: second moments, in and out.
        step: number of the step, from 1.
        hyperparameters: learning rate, both betas, epsilon and weight decay `[5]`.
    """
    rate, beta1, beta2, epsilon, decay = (
        hyperparameters[0],
        hyperparameters[1],
        hyperparameters[2],
        hyperparameters[3],
        hyperparameters[4],
    )
    keep1, take1 = np.float32(beta1), np.float32(1 - beta1)
    keep2, take2 = np.float32(beta2), np.float32(1 - beta2)
    eps, wd = np.float32(epsilon), np.float32(decay)
    rate_now = np.float32(rate / (1 - beta1**step))
    root = np.float32(1 / math.sqrt(1 - beta2**step))
    for i in range(len(parameters)):
        g = gradient[i] + wd * parameters[i]
        g = ZERO if abs(g) < SMALL else g
        m = keep1 * first[i] + take1 * g
        v = keep2 * second[i] + take2 * g * g
        m = ZERO if abs(m) < SMALL else m
        v = ZERO if v < SMALL_SQUARE else v
        p = parameters[i] - rate_now * m / (math.sqrt(v) * root + eps)
        first[i], second[i] = m, v
        parameters[i] = ZERO if abs(p) < SMALL else p


adam_step = as_inner(adam, fastmath=FAST)
