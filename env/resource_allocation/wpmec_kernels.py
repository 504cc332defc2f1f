"""Kernels of wireless powered MEC: the allocation behind a decision.

For a given decision the allocation is convex (DROO, problem P2) and comes down to one scalar
equation in the multiplier v of the time constraint `a + sum tau <= 1`. Write t_j = ln(1 + SNR_j)
of an offloading device, which depends on the device through its weight alone. With

    s_j = mu P h_j^2 / N0,   eps = B / (v_u ln 2),   c_i = w_i (mu P)^(1/3) / phi (h_i / k)^(1/3):

    t + e^-t - 1 = v / (w eps)                           (the best tau_j, given v)
    p = sum_j s_j / (e^t_j - 1) = (1 - a) / a            (all the time is used)
    v = a^(-2/3) / 3 sum_local c_i + eps sum_j w_j s_j e^-t_j          (the best a, given v)

Newton's method solves all of them at once: a step moves v, and the t of each weight class along.
Let v_c be the v that the t of class c belongs to, and V the right-hand side of the last line. V
falls as any t grows, so the root lies between the least and the largest of V and all v_c: that is
a bracket, which every step narrows, and in the end the bound on the error of v.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from env.resource_allocation.jit import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Decision = NDArray[np.int8]  # [N]
Decisions = NDArray[np.int8]  # [K, N]

TOLERANCE = 1e-9  # of v, relative; the value errs by the square of it
ACCEPTED = 1e-9  # as an error; what is further off was not solved
NOT_BINARY, BAD_GAIN = -1.0, -2.0  # in place of an error, which is never negative
MAX_ITERATIONS = 200  # 4 to 8 are needed; bisection alone would take about 60


@kernel
def log_snr(u: float) -> float:
    """Solve t + e^-t - 1 = u for t >= 0, to machine precision."""
    if u < 1e-4:
        # The power series of t in sqrt(2 u): below, 1 + u would swallow u's digits.
        s = math.sqrt(2.0 * u)
        return s * (1 + s * (1 / 6 + s * (1 / 36 + s * (1 / 270 + s * (1 / 4320 - s / 17010)))))
    # Start: the series of Lambert's W about its branch point, exact in both limits of u.
    p = math.sqrt(-2.0 * math.expm1(-u))
    t = u + p * (1 - p * (1 / 3 - p * (11 / 72 - p * 43 / 540)))
    for _ in range(2):  # Halley: three times the digits at each step
        q = -math.expm1(-t)
        residual = t - q - u
        t -= residual / (q - 0.5 * residual * (1 - q) / q)
    return t


@kernel
def decay(t: float) -> tuple[float, float, float]:
    """Return e^-t, 1 - e^-t and t + e^-t - 1, all to the last digits."""
    if t < 1.0:
        q = -math.expm1(-t)
        e = 1.0 - q
    else:
        e = math.exp(-t)
        q = 1.0 - e
    if t < 1e-2:  # the power series, where t - q would cancel
        return e, q, t * t * (0.5 - t * (1 / 6 - t * (1 / 24 - t * (1 / 120 - t / 720))))
    return e, q, t - q


class Derived(NamedTuple):
    """What the t of all classes lead to.

    Attributes:
        p: sum of s / SNR.
        dp: -dp/dv.
        p_behind: p, weighted with by how much v_c exceeds v.
        dp_behind: dp, likewise.
        offload: eps sum of w s e^-t, the last sum of V.
        earned: by offloading, over a.
        least: v_c.
        largest: v_c.
    """

    p: float
    dp: float
    p_behind: float
    dp_behind: float
    offload: float
    earned: float
    least: float
    largest: float


@kernel
def derive(v: float, snr: Floats, weights: Floats, eps: float, classes: Floats) -> Derived:
    """Sum over the classes; `classes` is that of `solve`, its other rows are filled in."""
    log_snrs, complements, prices = classes
    p, dp, p_behind, dp_behind, offload, earned = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    least, largest = math.inf, 0.0
    for c in range(len(snr)):
        if snr[c] != 0.0:
            scale = weights[c] * eps
            e, q, u = decay(log_snrs[c])
            complements[c], prices[c] = q, u * scale
            inverse = 1.0 / q
            share = snr[c] * e * inverse
            slope = share * inverse * inverse / scale
            p += share
            dp += slope
            p_behind += share * (prices[c] - v)
            dp_behind += slope * (prices[c] - v)
            offload += scale * snr[c] * e
            earned += scale * share * log_snrs[c]
            least, largest = min(least, prices[c]), max(largest, prices[c])
    return Derived(p, dp, p_behind, dp_behind, offload, earned, least, largest)


@kernel
def follow(v: float, snr: Floats, weights: Floats, eps: float, classes: Floats) -> None:
    """Move the t of all classes to a new v."""
    log_snrs, complements, prices = classes
    for c in range(len(snr)):
        if snr[c] != 0.0:
            if abs(prices[c] - v) < 0.5 * v:  # Halley's step
                q, f = complements[c], (prices[c] - v) / (weights[c] * eps)
                log_snrs[c] -= f * q / (q * q - 0.5 * f * (1.0 - q))
            else:
                log_snrs[c] = log_snr(v / (weights[c] * eps))


@kernel
def begin(
    local: float, snr: Floats, weights: Floats, eps: float, start: float, log_snrs: Floats
) -> float:
    """Return the v to start from, and write t where not known.

    v is 0 if nothing is offloaded, and NaN if it underflows.
    """
    v, offloading = start, False
    if start == 0.0:  # half of the frame offloaded, or v of an all-local frame if that is larger
        v = local / 3.0
        for c in range(len(snr)):
            t = math.log1p(snr[c])
            v = max(v, weights[c] * eps * t * t / (2.0 + t))  # about t + e^-t - 1
    for c in range(len(snr)):
        if snr[c] == 0.0:
            log_snrs[c] = 0.0
        else:
            offloading = True
            if start == 0.0 or log_snrs[c] == 0.0:
                log_snrs[c] = log_snr(v / (weights[c] * eps))
    if not offloading:
        return 0.0
    return v if v > 0.0 else math.nan


@kernel
def solve(
    local: float, snr: Floats, weights: Floats, eps: float, start: float, classes: Floats
) -> tuple[float, float, float, float]:
    """Solve the equations for one decision, given as sums over its devices.

    Args:
        local: sum of c_i over the local devices.
        snr: sum of s_j over the offloading devices of each weight class `[C]`.
        weights: the weight of each class `[C]`.
        eps: B / (v_u ln 2).
        start: v of a similar decision, or 0 if none is known.
        classes: three numbers of each class `[3, C]`. The first is t: in, of the similar decision,
            or 0; out, of this one, or 0 where the class offloads nothing.

    Returns:
        The value, the energy time a, the bound on the relative error of the multiplier, and the
        multiplier v, 0 if nothing is offloaded. The value belongs to a feasible allocation whatever
        that error is.
    """
    v = begin(local, snr, weights, eps, start, classes[0])
    if v == 0.0:
        return local, 1.0, 0.0, 0.0
    low, high = 0.0, math.inf
    value, a, error = 0.0, 1.0, math.inf
    for iteration in range(MAX_ITERATIONS):
        sums = derive(v, snr, weights, eps, classes)
        a = 1.0 / (1.0 + sums.p)
        root = np.cbrt(a)
        value = local * root + a * sums.earned
        energy = local / 3.0 * root * (1.0 + sums.p)  # local / 3 a^(-2/3)
        total = energy + sums.offload  # V
        least, largest = min(sums.least, total), max(sums.largest, total)
        error = max(largest - v, v - least) / v
        if error <= TOLERANCE:
            break

        low, high = max(low, least), min(high, largest)
        slope = 2.0 / 3.0 * energy * a  # d(energy)/dv = -slope dp, and d(offload)/dv = -p
        total += slope * sums.dp_behind + sums.p_behind  # V at v
        falls = slope * sums.dp + sums.p  # V, by v
        if abs(total - v) < 0.1 * v:
            moved = v + (total - v) / (1.0 + falls)
        else:  # from afar in logarithms, which are more nearly linear
            moved = v * math.exp(math.log(total / v) / (1.0 + v * falls / total))
        wide = iteration % 3 == 2 and high > 2.0 * low
        if wide or moved == 0.0 or not low <= moved <= high:
            # Newton left the bracket, or jumps about in it; its low end is 0 where e^-t underflows.
            moved = math.sqrt(max(low, 1e-6 * high) * high)
        v = moved
        follow(v, snr, weights, eps, classes)

    if math.isnan(error) or math.isnan(value):
        error = math.inf  # which no maximum over errors hides
    return value, a, error, v


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
def are_gains(gain: Floats) -> bool:
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
    if not are_gains(gain):
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
    if not are_gains(gain):
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
