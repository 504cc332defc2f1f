"""Kernels of the equivariant policy: the logits of one state, and one training step of a batch.

They work on the memory of torch's tensors, and agree with torch up to rounding.

The policy is one network for all devices: its activations are matrices with a column for every
device and row of the batch, the first device's columns first. Its layers are those of an MLP, but
to the sums of the last layer but one the context is added, from the mean over the devices.
`parameters` holds the weights and the biases of each layer, one after the other, and before those
of the last layer the weights of the context.

`shape` is the number of features, each of all N devices; the index of the feature that marks active
devices, -1 for none; and the widths of the layers, from a device's inputs to its logits.
"""

import numpy as np

from agent.kernels import inner_kernel, kernel
from agent.kernels.layers import (
    ZERO,
    adam_step,
    cross_entropy,
    dense,
    dense_back,
    fill,
    rectify,
    rectify_back,
    whole,
    workspace,
    write_gradient,
)
from agent.networks.layout import SILENT
from droo_core.arrays import Floats, Ints, Singles


@inner_kernel
def write_shares(states: Singles, shape: Ints, num_devices: int, work: Singles, at: int) -> None:
    """Write each device's share in the mean `[N, B]`: one over the number of active ones.

    The shares of inactive devices are zero.
    """
    mask, batch_size = shape[1], len(states)
    for k in range(batch_size):
        count = 0
        for d in range(num_devices):
            active = mask < 0 or states[k, mask * num_devices + d] > 0
            work[at + d * batch_size + k] = active
            count += active
        share = np.float32(1.0 / max(count, 1))
        for d in range(num_devices):
            work[at + d * batch_size + k] *= share


@inner_kernel
def read(
    states: Singles, shape: Ints, num_devices: int, columns: int, work: Singles, shares_at: int
) -> None:
    """Write the inputs of the first layer at 0, a row a feature; zero for inactive devices."""
    num_features, mask, batch_size = shape[0], shape[1], len(states)
    row = 0
    for f in range(num_features):
        if f == mask:  # no input
            continue
        for d in range(num_devices):
            for k in range(batch_size):
                j = d * batch_size + k
                seen = states[k, f * num_devices + d]
                work[row * columns + j] = seen if work[shares_at + j] > 0 else ZERO
        fill(work[row * columns + num_devices * batch_size : (row + 1) * columns], ZERO)
        row += 1


@inner_kernel
def add(values: Singles, sums: Singles) -> None:
    """Add values to sums."""
    for k in range(len(values)):
        sums[k] += values[k]


@inner_kernel
def add_times(values: Singles, factors: Singles, sums: Singles) -> None:
    """Add the products of values and factors to sums."""
    for k in range(len(values)):
        sums[k] += values[k] * factors[k]


@inner_kernel
def write_sums(
    work: Singles,
    values_at: int,
    factors_at: int,
    sums_at: int,
    width: int,
    num_devices: int,
    batch_size: int,
    columns: int,
) -> None:
    """Write the sums over the devices of values times factors `[width, whole(B)]`.

    The factors are `[N, B]`; if `factors_at` is negative they are 1.
    """
    of_sums = whole(batch_size)
    for i in range(width):
        to = sums_at + i * of_sums
        sums = work[to : to + of_sums]
        fill(sums, ZERO)
        for d in range(num_devices):
            device = d * batch_size
            begin, factor = values_at + i * columns + device, factors_at + device
            values = work[begin : begin + batch_size]
            if factors_at >= 0:
                add_times(values, work[factor : factor + batch_size], sums)
            else:
                add(values, sums)


@inner_kernel
def spread(
    work: Singles,
    common_at: int,
    factors_at: int,
    sums_at: int,
    width: int,
    num_devices: int,
    batch_size: int,
    columns: int,
) -> None:
    """Add to each device's sums what all devices have in common, times factors.

    The common values are `[width, whole(B)]`, the factors as for `write_sums`.
    """
    of_common = whole(batch_size)
    for i in range(width):
        begin = common_at + i * of_common
        common = work[begin : begin + batch_size]
        for d in range(num_devices):
            device = d * batch_size
            to, factor = sums_at + i * columns + device, factors_at + device
            sums = work[to : to + batch_size]
            if factors_at >= 0:
                add_times(common, work[factor : factor + batch_size], sums)
            else:
                add(common, sums)


@inner_kernel
def pass_forward(
    parameters: Singles,
    shape: Ints,
    work: Singles,
    shares_at: int,
    mean_at: int,
    num_devices: int,
    batch_size: int,
    columns: int,
) -> int:
    """Write the outputs of all layers after the inputs, which are at 0; return where the last are.

    At `mean_at` come the mean of the encodings and the context, `[H, whole(B)]` each.
    """
    layers, of_mean = len(shape) - 3, whole(batch_size)
    weight_at, given_at = 0, 0
    for layer in range(layers):
        n, m = shape[layer + 2], shape[layer + 3]
        out_at = given_at + n * columns
        dense(parameters, weight_at, weight_at + n * m, work, given_at, n, out_at, m, columns)
        weight_at += (n + 1) * m
        if layer == layers - 2:
            context_at = mean_at + n * of_mean
            write_sums(work, given_at, shares_at, mean_at, n, num_devices, batch_size, columns)
            dense(parameters, weight_at, -1, work, mean_at, n, context_at, m, of_mean)
            spread(work, context_at, -1, out_at, m, num_devices, batch_size, columns)
            weight_at += n * m
        if layer < layers - 1:
            rectify(work[out_at : out_at + m * columns])
        given_at = out_at
    return given_at


@kernel
def forward(parameters: Singles, shape: Ints, state: Singles, logits: Singles) -> None:
    """Write the logits of a state.

    Args:
        parameters: of the policy `[P]`.
        shape: of the policy.
        state: `[inputs]`.
        logits: out, those of the first device first `[N * outputs]`.
    """
    num_devices, width, outputs = len(state) // shape[0], shape[-2], shape[-1]
    columns = whole(num_devices)
    shares_at = columns * shape[2:].sum()
    mean_at = shares_at + columns
    work = workspace(mean_at + 2 * width * whole(1))
    states = state.reshape(1, len(state))
    write_shares(states, shape, num_devices, work, shares_at)
    read(states, shape, num_devices, columns, work, shares_at)
    at = pass_forward(parameters, shape, work, shares_at, mean_at, num_devices, 1, columns)
    for d in range(num_devices):
        for p in range(outputs):
            silent = ZERO if outputs > 1 and p == 0 else np.float32(SILENT)
            seen = work[at + p * columns + d]
            logits[d * outputs + p] = seen if work[shares_at + d] > 0 else silent


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
        shape: of the policy; it has one logit a device.
        first: first moments, in and out `[P]`.
        second: second moments, in and out `[P]`.
        step: number of the step, from 1.
        hyperparameters: as for `layers.adam`.
        rows: states with their decisions, zeros and ones `[B, inputs + N]`.
    """
    batch_size, num_devices = len(rows), rows.shape[1] // (shape[0] + 1)
    size, width = num_devices * batch_size, shape[-2]
    columns, of_mean, layers = whole(size), whole(batch_size), len(shape) - 3
    widest = columns * shape[2:].max()
    shares_at = columns * shape[2:].sum()
    signs_at = shares_at + columns
    mean_at = signs_at + columns
    back_at = mean_at + 2 * width * of_mean  # the context's place serves its derivatives
    delta_at = back_at + width * of_mean
    before_at = delta_at + widest
    work = workspace(before_at + widest)
    write_shares(rows, shape, num_devices, work, shares_at)
    fill(work[shares_at + size : signs_at], ZERO)
    read(rows, shape, num_devices, columns, work, shares_at)
    given_at = pass_forward(
        parameters, shape, work, shares_at, mean_at, num_devices, batch_size, columns
    )
    label_at, logits_at = shape[0] * num_devices, given_at
    for d in range(num_devices):
        for k in range(batch_size):
            j = d * batch_size + k
            work[signs_at + j] = 2 * rows[k, label_at + d] - 1
            if work[shares_at + j] == 0:
                work[logits_at + j] = SILENT
    fill(work[signs_at + size : mean_at], ZERO)
    loss = cross_entropy(
        work[logits_at : logits_at + columns],
        work[signs_at:mean_at],
        work[delta_at : delta_at + columns],
        size,
    )
    for j in range(size):
        if work[shares_at + j] == 0:
            work[delta_at + j] = ZERO

    gradient = np.empty_like(parameters)
    weight_at, context_at = len(parameters), mean_at + width * of_mean
    for layer in range(layers - 1, -1, -1):
        n, m = shape[layer + 2], shape[layer + 3]
        weight_at -= (n + 1) * m
        given_at -= n * columns
        if layer == layers - 2:
            weight_at -= n * m
            of_context = weight_at + (n + 1) * m
            write_sums(work, delta_at, -1, context_at, m, num_devices, batch_size, columns)
            write_gradient(gradient, of_context, -1, work, context_at, m, mean_at, n, of_mean)
            dense_back(parameters, of_context, work, context_at, m, back_at, n, of_mean)
        write_gradient(
            gradient, weight_at, weight_at + n * m, work, delta_at, m, given_at, n, columns
        )
        if layer > 0:
            dense_back(parameters, weight_at, work, delta_at, m, before_at, n, columns)
            if layer == layers - 2:
                spread(work, back_at, shares_at, before_at, n, num_devices, batch_size, columns)
            rectify_back(
                work[before_at : before_at + n * columns], work[given_at : given_at + n * columns]
            )
            delta_at, before_at = before_at, delta_at
    adam_step(parameters, gradient, first, second, step, hyperparameters)
    return loss
