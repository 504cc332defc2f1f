"""Kernels of wireless powered MEC: what decisions are worth, and how to carry one out.

A decision is worth what its best allocation earns, and that follows from sums over its devices; the
symbols are those of `wpmec_solver_kernels`, which finds it.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from env.wpmec.kernels import kernel
from env.wpmec.kernels.solver import Floats, solve

Ints = NDArray[np.int64]
Decision = NDArray[np.int8]  # [N]
Decisions = NDArray[np.int8]  # [K, N]

ACCEPTED = 1e-9  # as an error; what is further off was not solved
NOT_BINARY, BAD_GAIN = -1.0, -2.0  # in place of an error, which is never negative


@kernel
def add(total: Floats, term: float) -> None:
    """Add a term to a sum `[2]`, whose second entry keeps what rounding takes from the first.

    So a term can be taken out again, though it be by far the largest (Neumaier, 1974).
    """
    rounded = total[0] + term
    if abs(total[0]) >= abs(term):
        total[1] += total[0] - rounded + term
    else:
        total[1] += term - rounded + total[0]
    total[0] = rounded


@kernel
def terms(
    gain: Floats, class_of: Ints, class_weights: Floats, constants: tuple[float, float, float]
) -> tuple[Floats, Floats]:
    """Return s_i and c_i of each device, `[N]` each."""
    snr_factor, local_factor, _ = constants
    return snr_factor * gain * gain, local_factor * class_weights[class_of] * np.cbrt(gain)


class Sums(NamedTuple):
    """A decision by the sums over its devices, from which its value follows, and its solution.

    Attributes:
        decision: zeros and ones `[N]`.
        offloading: how many devices of each class offload `[C]`.
        snr: sum of s_j over the offloading devices of each weight class `[C, 2]`, as `add` has it.
        local: sum of c_i over the local devices `[2]`.
        price: v `[1]`, 0 where not known.
        classes: of each class t, what `solve` needs room for, and the sum of s_j `[4, C]`.
    """

    decision: Decision
    offloading: Ints
    snr: Floats
    local: Floats
    price: Floats
    classes: Floats


@kernel
def gains_are_valid(gain: Floats) -> bool:
    """Whether all are finite and none is negative."""
    for g in gain:  # noqa: SIM110 (numba has no generators)
        if not 0.0 <= g < math.inf:
            return False
    return True


@kernel
def all_local(local: Floats, num_classes: int) -> Sums:
    """Return the decision to compute everything locally; `local` holds c_i of each device `[N]`."""
    sums = Sums(
        np.zeros(len(local), np.int8),
        np.zeros(num_classes, np.int64),
        np.zeros((num_classes, 2)),
        np.zeros(2),
        np.zeros(1),
        np.zeros((4, num_classes)),
    )
    for term in local:
        add(sums.local, term)
    return sums


@kernel
def distance(sums: Sums, decision: Ints | Decision) -> int:
    """Return in how many devices a decision `[N]` differs."""
    devices = 0
    for i in range(len(decision)):
        devices += decision[i] != sums.decision[i]
    return devices


@kernel
def change(
    sums: Sums, decision: Ints | Decision, snr: Floats, local: Floats, class_of: Ints
) -> bool:
    """Make `sums` those of another decision `[N]`: device by device, where the two differ.

    `snr` and `local` are `terms`. Returns False if the decision is not binary.
    """
    for i in range(len(decision)):
        if decision[i] != sums.decision[i]:
            if decision[i] != 0 and decision[i] != 1:
                return False
            sums.decision[i] = decision[i]
            sign = 1 if decision[i] == 1 else -1
            add(sums.snr[class_of[i]], sign * snr[i])
            add(sums.local, -sign * local[i])
            sums.offloading[class_of[i]] += sign
    return True


@kernel
def solve_sums(sums: Sums, weights: Floats, eps: float) -> tuple[float, float, float]:
    """Solve the equations for a decision; the value, a and the error are as `solve` has them."""
    snr, devices = sums.classes[3], len(sums.decision)
    for c in range(len(snr)):
        devices -= sums.offloading[c]
        # Exactly 0 where nobody is left: the rest of rounding must not count as a device.
        snr[c] = sums.snr[c, 0] + sums.snr[c, 1] if sums.offloading[c] > 0 else 0.0
    local = sums.local[0] + sums.local[1] if devices > 0 else 0.0
    value, a, error, sums.price[0] = solve(
        local, snr, weights, eps, sums.price[0], sums.classes[:3]
    )
    return value, a, error


@kernel
def score(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    decisions: Ints | Decisions,
    values: Floats,
) -> float:
    """Write the best weighted sum computation rate of each decision `[K, N]` into `values` [K].

    A decision is scored as a change to one of two that came before, whichever is nearer. The
    candidates of the order-preserving quantizer are two chains, each of which differs from the one
    before in one device: so a candidate costs as much for a thousand devices as for ten, but for
    the search for that device.

    Args:
        gain: channel gains `[N]`.
        class_of: the weight class of each device `[N]`.
        class_weights: the weight of each class `[C]`.
        constants: mu P / N0, (mu P / k)^(1/3) / phi and B / (v_u ln 2).
        decisions: zeros and ones `[K, N]`.
        values: out, `[K]`.

    Returns:
        The worst bound on the relative error of a multiplier, or NOT_BINARY for the decisions, or
        BAD_GAIN.
    """
    if not gains_are_valid(gain):
        return BAD_GAIN
    snr, local = terms(gain, class_of, class_weights, constants)
    one, other = all_local(local, len(class_weights)), all_local(local, len(class_weights))
    worst = 0.0
    for k in range(len(decisions)):
        nearer = one
        if distance(other, decisions[k]) < distance(one, decisions[k]):
            nearer = other
        if not change(nearer, decisions[k], snr, local, class_of):
            return NOT_BINARY
        values[k], _, error = solve_sums(nearer, class_weights, constants[2])
        worst = max(worst, error)
    return worst


@kernel
def allocate(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    decision: Ints,
    offload_time: Floats,
    rate: Floats,
) -> tuple[float, float, float]:
    """Write the best allocation of one decision into `offload_time` and `rate` `[N]`, unweighted.

    The other arguments are those of `score`. Returns the value, a, and the bound on the relative
    error of the multiplier, or what `score` returns instead.
    """
    if not gains_are_valid(gain):
        return 0.0, 0.0, BAD_GAIN
    snr, local = terms(gain, class_of, class_weights, constants)
    sums = all_local(local, len(class_weights))
    if not change(sums, decision, snr, local, class_of):
        return 0.0, 0.0, NOT_BINARY
    _, local_factor, eps = constants
    value, a, error = solve_sums(sums, class_weights, eps)
    for i in range(len(gain)):
        t = sums.classes[0, class_of[i]]
        if decision[i] == 0:
            offload_time[i] = 0.0
            rate[i] = local_factor * np.cbrt(gain[i] * a)
        elif t > 0.0:
            offload_time[i] = a * snr[i] / math.expm1(t)
            rate[i] = eps * offload_time[i] * t
        else:
            offload_time[i] = rate[i] = 0.0
    return value, a, error
