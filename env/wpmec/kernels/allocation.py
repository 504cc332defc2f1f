"""Kernels of wireless powered MEC: scores and allocations of decisions.

The score of a decision is the value of its best allocation, which `solver` computes from sums over
the devices; symbols are those of `solver`.
"""

import math

from droo_core.arrays import Floats, Ints
from droo_core.jit import inner_kernel
from droo_core.numeric import cube_root, integer_zeros, zeros
from env.wpmec.kernels import kernel
from env.wpmec.kernels.solver import (
    COLUMNS,
    COUNT,
    LOG_SNR,
    LOST,
    ROUNDED,
    SCALE,
    TOTAL,
    solve,
)

ACCEPTED = 1e-9  # largest error of a solution
NOT_BINARY, BAD_GAIN = -1.0, -2.0  # returned instead of an error, which is never negative

SNR, LOCAL = range(2)  # the first rows of the argument `devices` of the kernels: s_i and c_i


@inner_kernel
def add(sums: Floats, row: int, term: float) -> None:
    """Add a term to the compensated sum of a row (Neumaier, 1974).

    Subtracting a term restores the sum, even if the term is by far the largest.
    """
    total = sums[row, ROUNDED]
    rounded = total + term
    if abs(total) >= abs(term):
        sums[row, LOST] += total - rounded + term
    else:
        sums[row, LOST] += term - rounded + total
    sums[row, ROUNDED] = rounded


@inner_kernel
def gains_are_valid(gain: Floats) -> bool:
    """Return whether all gains `[N]` are finite and none is negative."""
    for g in gain:  # noqa: SIM110 (numba has no generators)
        if not 0.0 <= g < math.inf:
            return False
    return True


@inner_kernel
def write_terms(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    devices: Floats,
) -> None:
    """Write s_i and c_i of each device into the first rows of `devices` `[2 or more, N]`."""
    snr_factor, local_factor, _ = constants
    for i in range(len(gain)):
        devices[SNR, i] = snr_factor * gain[i] * gain[i]
        devices[LOCAL, i] = local_factor * class_weights[class_of[i]] * cube_root(gain[i])


@inner_kernel
def all_local(devices: Floats, class_weights: Floats, eps: float) -> Floats:
    """Return the sums of the all-local decision, as described in `solver`."""
    num_devices, last = devices.shape[1], len(class_weights)
    sums = zeros(last + 1, COLUMNS)
    for c in range(last):
        sums[c, SCALE] = class_weights[c] * eps
    sums[last, COUNT] = num_devices
    for i in range(num_devices):
        add(sums, last, devices[LOCAL, i])
    return sums


@inner_kernel
def distance(some: Ints, other: Ints) -> int:
    """Return the number of devices in which two decisions `[N]` differ."""
    devices = 0
    for i in range(len(some)):
        devices += some[i] != other[i]
    return devices


@inner_kernel
def change(current: Ints, decision: Ints, devices: Floats, class_of: Ints, sums: Floats) -> bool:
    """Update a current decision and its sums to another decision `[N]` where the two differ.

    Returns False if the other decision is not binary.
    """
    last = len(sums) - 1
    for i in range(len(decision)):
        choice = decision[i]
        if choice != current[i]:
            if choice not in (0, 1):
                return False
            current[i] = choice
            sign = 1 if choice == 1 else -1
            add(sums, class_of[i], sign * devices[SNR, i])
            add(sums, last, -sign * devices[LOCAL, i])
            sums[class_of[i], COUNT] += sign
            sums[last, COUNT] -= sign
    return True


@inner_kernel
def solve_sums(sums: Floats) -> tuple[float, float, float]:
    """Solve the equations for a decision; return value, a and error as `solve` does."""
    for row in range(len(sums)):
        # Exactly 0 without devices: a rounding residue must not count as a device.
        some = sums[row, COUNT] > 0.0
        sums[row, TOTAL] = sums[row, ROUNDED] + sums[row, LOST] if some else 0.0
    return solve(sums)


@kernel
def score(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    decisions: Ints,
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
    devices, current = zeros(2, len(gain)), integer_zeros(2, len(gain))
    write_terms(gain, class_of, class_weights, constants, devices)
    one, other = current[0], current[1]
    of_one = all_local(devices, class_weights, constants[2])
    of_other = of_one.copy()
    worst = 0.0
    for k in range(len(decisions)):
        decision, nearer, sums = decisions[k], one, of_one
        if distance(other, decision) < distance(one, decision):
            nearer, sums = other, of_other
        if not change(nearer, decision, devices, class_of, sums):
            return NOT_BINARY
        values[k], _, error = solve_sums(sums)
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
    devices, current = zeros(2, len(gain)), integer_zeros(1, len(gain))
    write_terms(gain, class_of, class_weights, constants, devices)
    _, local_factor, eps = constants
    sums = all_local(devices, class_weights, eps)
    if not change(current[0], decision, devices, class_of, sums):
        return 0.0, 0.0, NOT_BINARY
    value, a, error = solve_sums(sums)
    for i in range(len(gain)):
        t = sums[class_of[i], LOG_SNR]
        if decision[i] == 0:
            offload_time[i] = 0.0
            rate[i] = local_factor * cube_root(gain[i] * a)
        elif t > 0.0:
            offload_time[i] = a * devices[SNR, i] / math.expm1(t)
            rate[i] = eps * offload_time[i] * t
        else:
            offload_time[i] = rate[i] = 0.0
    return value, a, error
