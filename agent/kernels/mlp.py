"""Kernels of the MLP policy: the logits of one state, and one training step of a batch.

They work on the memory of torch's tensors, and agree with torch up to rounding. In networks of this
size torch's bookkeeping takes twice as long as the arithmetic.

In a training step a matrix has a column for every row of the batch: the inner loops run over the
columns, and so are long enough for vector instructions, whatever the widths of the layers. They
handle blocks of 4 x 4 weights; hence weights and gradients are padded with zeros to multiples of
four.
"""

import math
from typing import TypeAlias

import numpy as np

from agent.kernels import kernel
from droo_core.arrays import Ints, Singles

Arrays: TypeAlias = tuple[Singles, ...] | list[Singles]


@kernel
def forward(weights: Arrays, biases: Arrays, state: Singles) -> Singles:
    """Return the logits `[N]` of a state `[inputs]`, ReLU between the layers.

    Args:
        weights: of each layer `[outputs, inputs]`.
        biases: of each layer `[1, outputs]`.
        state: the inputs of the first layer.
    """
    seen = state
    for number in range(len(weights)):
        weight, bias = weights[number], biases[number]
        sums = np.empty(len(weight), np.float32)
        for o in range(len(weight)):
            total = bias[0, o]
            for i in range(len(seen)):
                total += weight[o, i] * seen[i]
            sums[o] = total if number == len(weights) - 1 or not total < 0 else np.float32(0)
        seen = sums
    return seen


@kernel
def multiple_of_four(size: int) -> int:
    """Return the smallest multiple of four that is at least `size`."""
    return -(-size // 4) * 4


@kernel
def aligned_zeros(rows: int, columns: int) -> Singles:
    """Return zeros aligned to a cache line; vectors across two lines take half as long again."""
    line = 16  # numbers of 4 bytes
    memory = np.zeros(rows * columns + line, np.float32)
    skip = -(memory.ctypes.data // 4) % line
    return memory[skip : skip + rows * columns].reshape(rows, columns)


@kernel
def padded(matrix: Singles) -> Singles:
    """Return a matrix padded with zeros, below and to the right, to multiples of four."""
    rows, columns = matrix.shape
    larger = np.zeros((multiple_of_four(rows), multiple_of_four(columns)), np.float32)
    for i in range(rows):
        for j in range(columns):
            larger[i, j] = matrix[i, j]
    return larger


@kernel
def add_product(a: Singles, b: Singles, out: Singles) -> None:
    """Add the product of a `[M, L]` and b `[L, B]` to `out`; M and L must be multiples of 4."""
    # These bounds prove to the compiler that i + 3 and j + 3 are in range, which halves the time.
    for i in range(0, a.shape[0] - a.shape[0] % 4, 4):
        out0, out1, out2, out3 = out[i], out[i + 1], out[i + 2], out[i + 3]
        for j in range(0, a.shape[1] - a.shape[1] % 4, 4):
            b0, b1, b2, b3 = b[j], b[j + 1], b[j + 2], b[j + 3]
            a00, a01, a02, a03 = a[i, j], a[i, j + 1], a[i, j + 2], a[i, j + 3]
            a10, a11, a12, a13 = a[i + 1, j], a[i + 1, j + 1], a[i + 1, j + 2], a[i + 1, j + 3]
            a20, a21, a22, a23 = a[i + 2, j], a[i + 2, j + 1], a[i + 2, j + 2], a[i + 2, j + 3]
            a30, a31, a32, a33 = a[i + 3, j], a[i + 3, j + 1], a[i + 3, j + 2], a[i + 3, j + 3]
            for k in range(b.shape[1]):
                x0, x1, x2, x3 = b0[k], b1[k], b2[k], b3[k]
                out0[k] += a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3
                out1[k] += a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3
                out2[k] += a20 * x0 + a21 * x1 + a22 * x2 + a23 * x3
                out3[k] += a30 * x0 + a31 * x1 + a32 * x2 + a33 * x3


@kernel
def product_with_transpose(a: Singles, b: Singles) -> Singles:
    """Return the product `[M, L]` of a `[M, B]` and b `[L, B]` transposed; M, L multiples of 4."""
    product = np.empty((len(a), len(b)), np.float32)
    zero = np.float32(0)
    for i in range(0, len(a) - len(a) % 4, 4):
        a0, a1, a2, a3 = a[i], a[i + 1], a[i + 2], a[i + 3]
        for j in range(0, len(b) - len(b) % 4, 4):
            b0, b1, b2, b3 = b[j], b[j + 1], b[j + 2], b[j + 3]
            s00, s01, s02, s03 = zero, zero, zero, zero
            s10, s11, s12, s13 = zero, zero, zero, zero
            s20, s21, s22, s23 = zero, zero, zero, zero
            s30, s31, s32, s33 = zero, zero, zero, zero
            for k in range(a.shape[1]):
                x0, x1, x2, x3 = a0[k], a1[k], a2[k], a3[k]
                y0, y1, y2, y3 = b0[k], b1[k], b2[k], b3[k]
                s00, s01, s02, s03 = s00 + x0 * y0, s01 + x0 * y1, s02 + x0 * y2, s03 + x0 * y3
                s10, s11, s12, s13 = s10 + x1 * y0, s11 + x1 * y1, s12 + x1 * y2, s13 + x1 * y3
                s20, s21, s22, s23 = s20 + x2 * y0, s21 + x2 * y1, s22 + x2 * y2, s23 + x2 * y3
                s30, s31, s32, s33 = s30 + x3 * y0, s31 + x3 * y1, s32 + x3 * y2, s33 + x3 * y3
            row0, row1, row2, row3 = product[i], product[i + 1], product[i + 2], product[i + 3]
            row0[j], row0[j + 1], row0[j + 2], row0[j + 3] = s00, s01, s02, s03
            row1[j], row1[j + 1], row1[j + 2], row1[j + 3] = s10, s11, s12, s13
            row2[j], row2[j + 1], row2[j + 2], row2[j + 3] = s20, s21, s22, s23
            row3[j], row3[j + 1], row3[j + 2], row3[j + 3] = s30, s31, s32, s33
    return product


@kernel
def cross_entropy(logits: Singles, decisions: Singles, delta: Singles) -> float:
    """Return the mean binary cross-entropy, and write its derivative with respect to the logits.

    Args:
        logits: `[N, B]`; further rows are ignored.
        decisions: zeros and ones `[B, N]`.
        delta: out, like `logits`.
    """
    batch_size, num_devices = decisions.shape
    scale = np.float32(1 / decisions.size)
    loss = 0.0
    for i in range(num_devices):
        product = 1.0  # product of 1 + e^-|z|, so that one logarithm serves many entries
        for k in range(batch_size):
            z, target = logits[i, k], decisions[k, i]
            e = math.exp(-abs(z))
            relaxed = (np.float32(1) if z > 0 else e) / (1 + e)
            delta[i, k] = (relaxed - target) * scale
            loss += max(z, np.float32(0)) - z * target
            product *= 1.0 + e
            if product > 1e300:
                loss += math.log(product)
                product = 1.0
        loss += math.log(product)
    return loss / decisions.size


@kernel
def adam(
    parameter: Singles,
    gradient: Singles,
    first: Singles,
    second: Singles,
    step: float,
    hyperparameters: tuple[float, float, float, float, float],
) -> None:
    """Take a step of Adam with weight decay in place.

    Args:
        parameter: in and out `[M, L]`.
        gradient: of the loss `[M, L]`.
        first: first moments, in and out `[M, L]`.
        second: second moments, in and out `[M, L]`.
        step: number of the step, from 1.
        hyperparameters: learning rate, both betas, epsilon and weight decay.
    """
    rate, beta1, beta2, epsilon, decay = hyperparameters
    keep1, take1 = np.float32(beta1), np.float32(1 - beta1)
    keep2, take2 = np.float32(beta2), np.float32(1 - beta2)
    eps, wd = np.float32(epsilon), np.float32(decay)
    rate_now = np.float32(rate / (1 - beta1**step))
    root = np.float32(1 / math.sqrt(1 - beta2**step))
    for i in range(parameter.shape[0]):
        for j in range(parameter.shape[1]):
            g = gradient[i, j] + wd * parameter[i, j]
            first[i, j] = keep1 * first[i, j] + take1 * g
            second[i, j] = keep2 * second[i, j] + take2 * g * g
            parameter[i, j] -= rate_now * first[i, j] / (math.sqrt(second[i, j]) * root + eps)


@kernel
def pass_forward(weights: Arrays, biases: Arrays, states: Singles) -> tuple[Singles, Ints]:
    """Return the inputs of every layer for a batch, and the logits.

    Args:
        weights: of each layer `[outputs, inputs]`.
        biases: of each layer `[1, outputs]`.
        states: `[B, inputs]`.

    Returns:
        The inputs of the first layer and the outputs of every layer, stacked `[..., B]`, each with
        rows of zeros up to a multiple of four; and the rows at which they begin, with the end.
    """
    num_layers, batch_size = len(weights), len(states)
    begins = np.zeros(num_layers + 2, np.int64)
    begins[1] = multiple_of_four(states.shape[1])
    for layer in range(num_layers):
        begins[layer + 2] = begins[layer + 1] + multiple_of_four(len(weights[layer]))
    seen = aligned_zeros(begins[-1], batch_size)
    for k in range(batch_size):
        for i in range(states.shape[1]):
            seen[i, k] = states[k, i]
    for layer in range(num_layers):
        outputs = seen[begins[layer + 1] : begins[layer + 2]]
        for o in range(len(weights[layer])):
            outputs[o] = biases[layer][0, o]
        add_product(padded(weights[layer]), seen[begins[layer] : begins[layer + 1]], outputs)
        if layer < num_layers - 1:
            for o in range(len(outputs)):
                for k in range(batch_size):
                    outputs[o, k] = max(outputs[o, k], np.float32(0))
    return seen, begins


@kernel
def pass_back(weight: Singles, delta: Singles, given: Singles) -> Singles:
    """Return the derivative of the loss with respect to a layer's inputs before their ReLU.

    Args:
        weight: `[outputs, inputs]`.
        delta: the derivative with respect to the layer's outputs `[outputs, B]`.
        given: the inputs after the ReLU `[inputs, B]`.
    """
    before = aligned_zeros(given.shape[0], given.shape[1])
    add_product(padded(weight.T), delta, before)
    for i in range(given.shape[0]):
        for k in range(given.shape[1]):
            before[i, k] *= given[i, k] > 0
    return before


@kernel
def train(
    weights: tuple[Arrays, Arrays, Arrays],
    biases: tuple[Arrays, Arrays, Arrays],
    step: float,
    hyperparameters: tuple[float, float, float, float, float],
    states: Singles,
    decisions: Singles,
) -> float:
    """Take one step of Adam on a batch, and return its mean binary cross-entropy before the step.

    Args:
        weights: of each layer `[outputs, inputs]`; their first moments; their second moments.
        biases: of each layer `[1, outputs]`; their first moments; their second moments.
        step: number of the step, from 1.
        hyperparameters: as for `adam`.
        states: `[B, inputs]`.
        decisions: zeros and ones `[B, N]`.
    """
    seen, begins = pass_forward(weights[0], biases[0], states)
    delta = aligned_zeros(begins[-1] - begins[-2], len(states))
    loss = cross_entropy(seen[begins[-2] :], decisions, delta)
    for layer in range(len(weights[0]) - 1, -1, -1):
        given = seen[begins[layer] : begins[layer + 1]]
        gradient = product_with_transpose(delta, given)
        of_bias = np.empty((1, len(weights[0][layer])), np.float32)
        for o in range(len(weights[0][layer])):
            of_bias[0, o] = delta[o].sum()
        if layer > 0:
            delta = pass_back(weights[0][layer], delta, given)
        adam(
            weights[0][layer], gradient, weights[1][layer], weights[2][layer], step, hyperparameters
        )
        adam(biases[0][layer], of_bias, biases[1][layer], biases[2][layer], step, hyperparameters)
    return loss
