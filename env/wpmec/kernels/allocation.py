"""Kernels of wireless powered MEC: scores and allocations of decisions.

The score of a decision is the value of its best allocation, which `solver` computes from sums over
the devices; symbols are those of `solver`.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints
from env.wpmec.kernels import kernel
from env.wpmec.kernels.solver import solve

Decision = NDArray[np.int8]  # [N]
Decisions = NDArray[np.int8]  # [K, N]

ACCEPTED = 1e-9  # largest error of a solution
NOT_BINARY, BAD_GAIN = -1.0, -2.0  # returned instead of an error, which is never negative


@kernel
def add(total: Floats, term: float) -> None:
    """Add a term to a compensated sum `[2]`: the sum and its rounding error (Neumaier, 1974).

    Subtracting a term restores the sum, even if the term is by far the largest.
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
    """A decision, the sums over its devices that determine its value, and its solution.

    Attributes:
        decision: zeros and ones `[N]`.
        offloading: number of offloading devices of each class `[C]`.
        snr: compensated sum of s_j over the offloading devices of each weight class `[C, 2]`.
        local: compensated sum of c_i over the local devices `[2]`.
        price: v `[1]`, 0 if not known.
        classes: `[4, C]`: the three rows of the argument `classes` of `solve`, and the sum of s_j.
    """

    decision: Decision
    offloading: Ints
    snr: Floats
    local: Floats
    price: Floats
    classes: Floats


@kernel
def gains_are_valid(gain: Floats) -> bool:
    """Return whether all gains `[N]` are finite and none is negative."""
    for g in gain:  # noqa: SIM110 (numba has no generators)
        if not 0.0 <= g < math.inf:
            return False
    return True


@kernel
def all_local(local: Floats, num_classes: int) -> Sums:
    """Return the all-local decision; `local` holds c_i of each device `[N]`."""
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
    """Return the number of devices in which a decision `[N]` differs."""
    devices = 0
    for i in range(len(decision)):
        devices += decision[i] != sums.decision[i]
    return devices


@kernel
def change(
    sums: Sums, decision: Ints | Decision, snr: Floats, local: Floats, class_of: Ints
) -> bool:
    """Update `sums` to another decision `[N]`, device by device, where the two differ.

    `snr` and `local` are the results of `terms`. Returns False if the decision is not binary.
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
    """Solve the equations for a decision; return value, a and error as `solve` does."""
    snr, devices = sums.classes[3], len(sums.decision)
    for c in range(len(snr)):
        devices -= sums.offloading[c]
        # Exactly 0 without offloading devices: a rounding residue must not count as a device.
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

    Each decision is scored as an update of the nearer one of two earlier decisions. The candidates
    of the order-preserving quantizer form two chains in which successive candidates differ in one
    device: so the cost of a candidate, except for the search for that device, does not grow with N.

    Args:
        gain: channel gains `[N]`.
        class_of: weight class of each device `[N]`.
        class_weights: weight of each class `[C]`.
        constants: mu P / N0, (mu P / k)^(1/3) / phi and B / (v_u ln 2).
        decisions: zeros and ones `[K, N]`.
        values: out, `[K]`.

    Returns:
        The largest bound on the relative error of a multiplier, or NOT_BINARY, or BAD_GAIN.
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
    """Write the best allocation of one decision `[N]` into `offload_time` and `rate` `[N]`.

    The rates are unweighted, bit/s; the other arguments are those of `score`. Returns the value, a,
    and the error as `score` does.
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
