"""Kernels of the equivariant policy: the logits of one state, and one training step of a batch.

They work on the memory of torch's tensors, and agree with torch up to rounding.

The policy is one network for all devices: its activations are matrices with a column for every
device and row of the batch, the first device's columns first `[..., N * B]`. Its layers and kernels
are those of an MLP, but to the last layer but one the context is added, from the mean over devices.
"""

import numpy as np

from agent.kernels import kernel
from agent.kernels.mlp import (
    Arrays,
    adam,
    add_product,
    aligned_zeros,
    cross_entropy,
    multiple_of_four,
    padded,
    pass_back,
    product_with_transpose,
)
from agent.networks.layout import SILENT
from droo_core.arrays import Singles


@kernel
def shares_of(states: Singles, num_features: int, mask: int, rows: int) -> Singles:
    """Return each device's share in the mean `[rows, B]`: one over the number of active ones.

    The shares of inactive devices, and of rows beyond the last device, are zero.
    """
    num_devices = states.shape[1] // num_features
    shares = np.zeros((rows, len(states)), np.float32)
    for k in range(len(states)):
        count = 0
        for d in range(num_devices):
            active = mask < 0 or states[k, mask * num_devices + d] > 0
            shares[d, k] = active
            count += active
        for d in range(num_devices):
            shares[d, k] /= max(count, 1)
    return shares


@kernel
def read(states: Singles, num_features: int, mask: int, shares: Singles) -> Singles:
    """Return the inputs of the first layer, a row a feature, rows padded to a multiple of four."""
    num_devices = states.shape[1] // num_features
    features = aligned_zeros(multiple_of_four(num_features - (mask >= 0)), shares.size)
    by_device = features.reshape(len(features), *shares.shape)
    for f in range(num_features):
        row = f - (0 <= mask < f)  # the mask is no input
        for d in range(num_devices if f != mask else 0):
            for k in range(len(states)):
                if shares[d, k] > 0:
                    by_device[row, d, k] = states[k, f * num_devices + d]
    return features


@kernel
def dense(weight: Singles, bias: Singles, given: Singles) -> Singles:
    """Return the outputs of a layer `[outputs, columns]`, rows padded to a multiple of four."""
    outputs = aligned_zeros(multiple_of_four(len(weight)), given.shape[1])
    for o in range(len(weight)):
        for k in range(given.shape[1]):
            outputs[o, k] = bias[0, o]
    whole = len(weight) % 4 == 0 and weight.shape[1] % 4 == 0
    add_product(weight if whole else padded(weight), given, outputs)
    return outputs


@kernel
def forward(
    weights: Arrays, biases: Arrays, state: Singles, num_features: int, mask: int
) -> Singles:
    """Return the logits `[P, N]` of a state.

    Args:
        weights: of each layer `[outputs, inputs]`, the context's last.
        biases: of each layer `[1, outputs]`; the context has none.
        state: `[inputs]`.
        num_features: the number of features, each of all N devices.
        mask: index of the feature that marks active devices; -1 for none.
    """
    num_devices = len(state) // num_features
    states = state.reshape(1, len(state))
    shares = shares_of(states, num_features, mask, -(-num_devices // 16) * 16)  # whole vectors
    seen = read(states, num_features, mask, shares)
    for layer in range(len(biases)):
        given, seen = seen, dense(weights[layer], biases[layer], seen)
        if layer == len(biases) - 2:
            add_context_of_one(weights[-1], given, shares.reshape(-1), seen)
        if layer < len(biases) - 1:
            rectify(seen)
    logits = np.empty((len(weights[len(biases) - 1]), num_devices), np.float32)
    for p in range(logits.shape[0]):
        silent = 0 if len(logits) > 1 and p == 0 else SILENT
        for d in range(num_devices):
            logits[p, d] = seen[p, d] if shares[d, 0] > 0 else silent
    return logits


@kernel
def add_context_of_one(weight: Singles, given: Singles, shares: Singles, sums: Singles) -> None:
    """Add the context of one state to the sums of a layer `[outputs, columns]`.

    Args:
        weight: `[outputs, H]`.
        given: the encodings `[H, columns]`.
        shares: of the devices in the mean `[columns]`.
        sums: in and out.
    """
    mean = np.empty(weight.shape[1], np.float32)
    for i in range(len(mean)):
        total = np.float32(0)
        for d in range(len(shares)):
            total += given[i, d] * shares[d]
        mean[i] = total
    for o in range(len(weight)):
        total = np.float32(0)
        for i in range(len(mean)):
            total += weight[o, i] * mean[i]
        for d in range(len(shares)):
            sums[o, d] += total


@kernel
def rectify(values: Singles) -> None:
    """Apply the ReLU in place; NaN stays NaN."""
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            value = values[i, k]
            values[i, k] = np.float32(0) if value < 0 else value


@kernel
def weighted_sum(values: Singles, shares: Singles) -> Singles:
    """Return the sums `[H, B]` over the devices of values `[H, N * B]` times shares `[N, B]`."""
    num_devices, batch_size = shares.shape
    by_device = values.reshape(len(values), num_devices, batch_size)
    sums = aligned_zeros(len(values), batch_size)
    for i in range(len(values)):
        for d in range(num_devices):
            for k in range(batch_size):
                sums[i, k] += by_device[i, d, k] * shares[d, k]
    return sums


@kernel
def add_context(weight: Singles, mean: Singles, sums: Singles) -> None:
    """Add the context to the sums of a layer.

    Args:
        weight: `[outputs, H]`.
        mean: over the devices `[H, B]`.
        sums: in and out `[outputs, N * B]`.
    """
    context = dense(weight, np.zeros((1, len(weight)), np.float32), mean)
    by_device = sums.reshape(len(sums), sums.shape[1] // mean.shape[1], mean.shape[1])
    for i in range(len(sums)):
        for d in range(by_device.shape[1]):
            for k in range(mean.shape[1]):
                by_device[i, d, k] += context[i, k]


@kernel
def pass_forward(
    weights: Arrays, biases: Arrays, features: Singles, shares: Singles
) -> tuple[list[Singles], Singles]:
    """Return the inputs of each of the weights for a batch `[inputs, N * B]`, and the logits.

    Args:
        weights: as for `forward`.
        biases: as for `forward`.
        features: the inputs of the first layer `[inputs, N * B]`.
        shares: of the devices in the mean `[N, B]`.
    """
    given, sums, mean = [features], features, shares
    for layer in range(len(biases)):
        sums = dense(weights[layer], biases[layer], given[layer])
        if layer == len(biases) - 2:
            mean = weighted_sum(given[layer], shares)
            add_context(weights[-1], mean, sums)
        if layer < len(biases) - 1:
            rectify(sums)
            given.append(sums)
    given.append(mean)
    return given, sums


@kernel
def loss_of(logits: Singles, decisions: Singles, shares: Singles) -> tuple[float, Singles]:
    """Return the mean binary cross-entropy, and its derivative with respect to the logits.

    Args:
        logits: `[4, N * B]`, only the first row is read; set to SILENT for inactive devices.
        decisions: zeros and ones `[B, N]`.
        shares: of the devices in the mean `[N, B]`.
    """
    delta = aligned_zeros(len(logits), shares.size)
    z, by_z = logits[0].reshape(shares.shape), delta[0].reshape(shares.shape)
    for d in range(shares.shape[0]):
        for k in range(shares.shape[1]):
            if shares[d, k] == 0:
                z[d, k] = SILENT
    loss = cross_entropy(z, decisions, by_z)
    for d in range(shares.shape[0]):
        for k in range(shares.shape[1]):
            if shares[d, k] == 0:
                by_z[d, k] = 0
    return loss, delta


@kernel
def pass_all_back(
    weights: Arrays, given: list[Singles], delta: Singles, shares: Singles
) -> list[Singles]:
    """Return the derivatives of the loss with respect to each layer's sums `[outputs, N * B]`.

    Args:
        weights: as for `forward`.
        given: inputs of each of the weights, as from `pass_forward`.
        delta: the derivative with respect to the logits `[4, N * B]`.
        shares: of the devices in the mean `[N, B]`.
    """
    deltas, of_context = [delta], delta
    for layer in range(len(weights) - 2, 0, -1):
        before = pass_back(weights[layer], deltas[-1], given[layer])
        if layer == len(weights) - 3:
            of_context = weighted_sum(deltas[-1], np.ones_like(shares))
            # Where the mean is 0 all its terms are 0, so the ReLU's zeros are the same.
            of_mean = pass_back(weights[-1], of_context, given[-1])
            pass_back_mean(of_mean, given[layer], shares, before)
        deltas.append(before)
    deltas.reverse()
    deltas.append(of_context)
    return deltas


@kernel
def pass_back_mean(of_mean: Singles, given: Singles, shares: Singles, before: Singles) -> None:
    """Add the derivative, through the mean, with respect to the encodings before their ReLU.

    Args:
        of_mean: the derivative with respect to the mean `[H, B]`.
        given: the encodings `[H, N * B]`.
        shares: of the devices in the mean `[N, B]`.
        before: in and out, like `given`.
    """
    by_device = before.reshape(len(before), *shares.shape)
    given_by_device = given.reshape(len(given), *shares.shape)
    for i in range(len(before)):
        for d in range(shares.shape[0]):
            for k in range(shares.shape[1]):
                of_device = of_mean[i, k] * shares[d, k]
                by_device[i, d, k] += of_device * (given_by_device[i, d, k] > 0)


@kernel
def train(
    weights: tuple[Arrays, Arrays, Arrays],
    biases: tuple[Arrays, Arrays, Arrays],
    step: float,
    hyperparameters: tuple[float, float, float, float, float],
    states: Singles,
    decisions: Singles,
    num_features: int,
    mask: int,
) -> float:
    """Take one step of Adam on a batch, and return its mean binary cross-entropy before the step.

    Args:
        weights: as for `forward`; their first moments; their second moments.
        biases: as for `forward`; their first moments; their second moments.
        step: number of the step, from 1.
        hyperparameters: as for `mlp_kernels.adam`.
        states: `[B, inputs]`.
        decisions: zeros and ones `[B, N]`.
        num_features: as for `forward`.
        mask: as for `forward`.
    """
    shares = shares_of(states, num_features, mask, decisions.shape[1])
    features = read(states, num_features, mask, shares)
    given, logits = pass_forward(weights[0], biases[0], features, shares)
    loss, delta = loss_of(logits, decisions, shares)
    deltas = pass_all_back(weights[0], given, delta, shares)
    for i in range(len(weights[0])):
        gradient = product_with_transpose(deltas[i], given[i])
        adam(weights[0][i], gradient, weights[1][i], weights[2][i], step, hyperparameters)
    for i in range(len(biases[0])):
        of_bias = np.empty((1, biases[0][i].shape[1]), np.float32)
        for o in range(of_bias.shape[1]):
            of_bias[0, o] = deltas[i][o].sum()
        adam(biases[0][i], of_bias, biases[1][i], biases[2][i], step, hyperparameters)
    return loss
