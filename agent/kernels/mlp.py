"""Kernels of the MLP policy: the logits of one state, and one training step of a batch.

They work on the memory of torch's tensors, and agree with torch up to rounding. In networks of this
size torch's bookkeeping takes twice as long as the arithmetic. `parameters` holds the weights
`[outputs, inputs]` and the biases `[outputs]` of each layer, one after the other.
"""

import numpy as np

from agent.kernels import kernel
from agent.kernels.layers import (
    ZERO,
    adam_step,
    cross_entropy,
    dense,
    dense_back,
    fill,
    rectify,
    rectify_back,
    scalar_product,
    whole,
    workspace,
    write_gradient,
)
from droo_core.arrays import Floats, Ints, Singles


@kernel
def forward(parameters: Singles, shape: Ints, state: Singles, logits: Singles) -> None:
    """Write the logits of a state, ReLU between the layers.

    Args:
        parameters: of the policy `[P]`.
        shape: widths of the layers, from the inputs to the logits.
        state: `[inputs]`.
        logits: out `[N]`.
    """
    widest = shape.max()
    work = np.empty(2 * widest, np.float32)
    for i in range(len(state)):
        work[i] = state[i]
    at, given, out = 0, 0, widest
    for layer in range(len(shape) - 1):
        inputs, outputs = shape[layer], shape[layer + 1]
        last = layer == len(shape) - 2
        seen = work[given : given + inputs]
        for o in range(outputs):
            begin = at + o * inputs
            total = scalar_product(parameters[begin : begin + inputs], seen)
            total += parameters[at + inputs * outputs + o]
            if last:
                logits[o] = total
            else:
                work[out + o] = ZERO if total < 0 else total
        at += (inputs + 1) * outputs
        given, out = out, given


@kernel
def train(
    parameters: Singles,
    shape: Ints,
    first: Singles,
    second: Singles,
    step: float,
    hyperparameters: Floats,
    rows: Singles,
) -> float:
    """Take one step of Adam on a batch, and return its mean binary cross-entropy before the step.

    Args:
        parameters: of the policy, in and out `[P]`.
        shape: widths of the layers, from the inputs to the logits.
        first: first moments, in and out `[P]`.
        second: second moments, in and out `[P]`.
        step: number of the step, from 1.
        hyperparameters: as for `layers.adam`.
        rows: states with their decisions, zeros and ones `[B, inputs + N]`.
    """
    batch_size, inputs, num_devices = len(rows), shape[0], shape[-1]
    columns, layers = whole(batch_size), len(shape) - 1
    size = columns * shape.sum()
    widest = columns * shape.max()
    work = workspace(size + columns * num_devices + 2 * widest)
    logits_at, signs_at = size - columns * num_devices, size
    delta_at, before_at = (
        signs_at + columns * num_devices,
        signs_at + columns * num_devices + widest,
    )

    for i in range(inputs):
        for k in range(batch_size):
            work[i * columns + k] = rows[k, i]
        fill(work[i * columns + batch_size : (i + 1) * columns], ZERO)
    for i in range(num_devices):
        begin = signs_at + i * columns
        for k in range(batch_size):
            work[begin + k] = 2 * rows[k, inputs + i] - 1
        fill(work[begin + batch_size : begin + columns], ZERO)

    weight_at, given_at = 0, 0
    for layer in range(layers):
        n, m = shape[layer], shape[layer + 1]
        out_at = given_at + n * columns
        dense(parameters, weight_at, weight_at + n * m, work, given_at, n, out_at, m, columns)
        if layer < layers - 1:
            rectify(work[out_at : out_at + m * columns])
        weight_at += (n + 1) * m
        given_at = out_at

    loss = cross_entropy(
        work[logits_at:signs_at],
        work[signs_at:delta_at],
        work[delta_at : delta_at + num_devices * columns],
        num_devices * batch_size,
    )
    gradient = np.empty_like(parameters)
    for layer in range(layers - 1, -1, -1):
        n, m = shape[layer], shape[layer + 1]
        weight_at -= (n + 1) * m
        given_at -= n * columns
        write_gradient(
            gradient, weight_at, weight_at + n * m, work, delta_at, m, given_at, n, columns
        )
        if layer > 0:
            dense_back(parameters, weight_at, work, delta_at, m, before_at, n, columns)
            rectify_back(
                work[before_at : before_at + n * columns], work[given_at : given_at + n * columns]
            )
            delta_at, before_at = before_at, delta_at
    adam_step(parameters, gradient, first, second, step, hyperparameters)
    return loss
