"""Kernels of wireless powered MEC: the best decision, with a proof, by bound and branch.

Symbols are those of `wpmec_kernels`, which solves the allocation behind one decision.
"""

import heapq
import math

import numpy as np
from numpy.typing import NDArray

from env.resource_allocation.jit import kernel
from env.resource_allocation.wpmec_kernels import Floats, Ints, log_snr, solve

Decision = NDArray[np.int8]  # [N]: 0, 1 or UNDECIDED
Decisions = NDArray[np.int8]  # [M, N]
Devices = tuple[Floats, Floats, Ints, Floats, float]

UNDECIDED = -1
LOW, HIGH, PRICE, BOUND = range(4)  # the columns of a node
NARROW, NARROW_INSIDE = 0.2, 2  # relative width, breakpoints inside: such intervals stay whole
ROOT_STEPS, NODE_STEPS, RELAXATION_STEPS = 30, 8, 60  # prices to try at most


@kernel
def dual(
    price: float,
    low: float,
    high: float,
    fixed: Decision,
    devices: Devices,
    offload: Floats,
    breakpoints: Floats,
) -> tuple[float, float, float, int]:
    """Bound the rate of every decision and allocation whose energy time lies in [low, high].

    A price v on the time constraint leaves each device to itself, which for any v is a bound:

        D(v) = max_a  v (1 - a) + sum_i max(c_i a^(1/3), a g_i),     g_i = w_i eps s_i e^-t_i

    Device i offloads from its breakpoint a_i = (c_i / g_i)^(3/2) on. Between two breakpoints the
    sum is concave in a, and its maximum has a closed form.

    Args:
        price: v.
        low: the smallest energy time.
        high: the largest.
        fixed: `[N]`, 0 or 1 where the decision is given, else `UNDECIDED`.
        devices: s `[N]`, c `[N]`, the weight class of each device `[N]`, the weight of each class
            `[C]` and eps.
        offload: out, g `[N]`.
        breakpoints: out, `[N]`.

    Returns:
        D(v), its slope in v, the best energy time, and how many undecided devices have their
        breakpoint inside the interval.
    """
    snr, local, class_of, class_weights, eps = devices
    per_snr = np.empty((2, len(class_weights)))  # g_i / s_i, and tau_i / (a s_i)
    for c in range(len(class_weights)):
        t = log_snr(price / (class_weights[c] * eps))
        per_snr[0, c] = class_weights[c] * eps * math.exp(-t)
        per_snr[1, c] = 1.0 / math.expm1(t)

    local_sum, offload_sum, time = 0.0, 0.0, 0.0
    inside = np.empty(len(snr), np.int64)  # sorted by breakpoint
    num_inside = 0
    for i in range(len(snr)):
        c = class_of[i]
        offload[i] = snr[i] * per_snr[0, c]
        ratio = local[i] / offload[i]
        breakpoints[i] = ratio * math.sqrt(ratio)
        if fixed[i] == 0 or (fixed[i] == UNDECIDED and breakpoints[i] >= high):
            local_sum += local[i]
        elif fixed[i] == 1 or breakpoints[i] <= low:
            offload_sum += offload[i]
            time += snr[i] * per_snr[1, c]
        else:
            local_sum += local[i]
            place = num_inside
            while place > 0 and breakpoints[inside[place - 1]] > breakpoints[i]:
                inside[place] = inside[place - 1]
                place -= 1
            inside[place] = i
            num_inside += 1

    best, best_a, slope = -math.inf, low, 0.0
    start = low
    for k in range(num_inside + 1):
        end = breakpoints[inside[k]] if k < num_inside else high
        a = end
        if offload_sum < price:
            ratio = local_sum / (3.0 * (price - offload_sum))
            a = min(max(ratio * math.sqrt(ratio), start), end)
        value = price + (offload_sum - price) * a + local_sum * np.cbrt(a)
        if value > best:
            best, best_a, slope = value, a, 1.0 - a - a * time
        if k < num_inside:
            i = inside[k]
            local_sum = max(local_sum - local[i], 0.0)
            offload_sum += offload[i]
            time += snr[i] * per_snr[1, class_of[i]]
        start = end
    return best, slope, best_a, num_inside


@kernel
def lowest_dual(
    price: float,
    low: float,
    high: float,
    fixed: Decision,
    devices: Devices,
    offload: Floats,
    breakpoints: Floats,
    enough: float,
    max_steps: int,
) -> tuple[float, float]:
    """Lower the bound over the price, in which it is convex, from a first one.

    After the first `price`, up to `max_steps` more are tried, until a bound is no more than
    `enough`. The other arguments are those of `dual`. Returns the lowest bound, and its price.
    """
    x, step = math.log(price), 0.1
    left, right = -math.inf, math.inf  # where the slope is known to be negative and positive
    left_slope = right_slope = 0.0
    best, slope, _, _ = dual(price, low, high, fixed, devices, offload, breakpoints)
    best_price = price
    for _ in range(max_steps):
        if best <= enough or slope == 0.0 or right - left < 1e-12:
            break
        if slope < 0.0:
            left, left_slope = x, slope * price
        else:
            right, right_slope = x, slope * price
        if left == -math.inf or right == math.inf:
            x += math.copysign(step, -slope)
            step *= 3.0
        else:  # regula falsi, kept off the ends, as the slope may jump
            part = left_slope / (left_slope - right_slope)
            x = left + min(max(part, 0.15), 0.85) * (right - left)
        price = math.exp(x)
        value, slope, _, _ = dual(price, low, high, fixed, devices, offload, breakpoints)
        if value < best:
            best, best_price = value, price
    return best, best_price


@kernel
def exchange_rule(gain: Floats, devices: Devices, value_bound: float, links: Ints) -> None:
    """Write for each device which others may be taken to do what it does, at an optimum.

    Let device i offload at SNR y while device j, of the same weight and with a gain r >= 1 times
    as large, computes locally. If they change places and the offloading time stays, the rate of
    the offloading one grows by the factor ln(1 + y r^2) / ln(1 + y), that of the local one falls by
    r^(1/3) - 1 times what i would earn locally; and that is no more than what i earns by
    offloading, or i would not offload. So nothing is lost by the exchange if

        ln(1 + y r^2) >= r^(1/3) ln(1 + y).

    The left side over the right falls as y grows. y grows with the multiplier v, and at an optimum
    v is the value less two thirds of the local rates, so no more than any bound on the value: with
    the y of that bound, the condition is a proof. It is tried on neighbours in the order of gains,
    from which pairs further apart follow.

    Args:
        gain: channel gains `[N]`.
        devices: as in `dual`.
        value_bound: an upper bound on the value of every decision.
        links: out, `[2, N]`: the device that computes locally if this one does, and the device that
            offloads if this one does; -1 where the condition fails or there is none.
    """
    _, _, class_of, class_weights, eps = devices
    links[:] = -1
    previous = np.full(len(class_weights), -1)
    for i in np.argsort(-gain):
        c = class_of[i]
        j, previous[c] = previous[c], i
        if j >= 0 and gain[i] > 0.0:
            t = log_snr(value_bound / (class_weights[c] * eps))  # ln(1 + y)
            r = gain[j] / gain[i]
            if math.log1p(-math.expm1(-t) * (r * r - 1.0)) >= (np.cbrt(r) - 1.0) * t:
                links[0, j] = i
                links[1, i] = j


@kernel
def fix(device: int, choice: int, links: Ints, fixed: Decision) -> None:
    """Fix a device's choice in `fixed` `[N]`, and that of the devices linked to it."""
    while device >= 0:
        fixed[device] = choice
        device = links[choice, device]


@kernel
def fix_proven(
    slack: float,
    low: float,
    high: float,
    local: Floats,
    offload: Floats,
    breakpoints: Floats,
    links: Ints,
    fixed: Decision,
) -> None:
    """Fix each device whose other choice would lower the bound by `slack` or more.

    `slack` is by how much the bound exceeds what is of interest; the other arguments are those of
    `dual` and what it wrote.
    """
    for i in range(len(fixed)):
        if fixed[i] == UNDECIDED:
            # What the device earns more by computing locally is concave in the energy time, zero at
            # the breakpoint and falling from there on: over the interval it is least at an end.
            at_low = local[i] * np.cbrt(low) - offload[i] * low
            at_high = local[i] * np.cbrt(high) - offload[i] * high
            if breakpoints[i] >= high and min(at_low, at_high) >= slack:
                fix(i, 0, links, fixed)
            elif breakpoints[i] <= low and -at_low >= slack:
                fix(i, 1, links, fixed)


@kernel
def improve(trial: Decision, devices: Devices, decision: Decision, best: float) -> float:
    """Copy `trial` `[N]` into `decision` if its value is above `best`; return the better value."""
    snr, local, class_of, class_weights, eps = devices
    class_snr, log_snrs = np.zeros(len(class_weights)), np.empty(len(class_weights))
    local_sum = 0.0
    for i in range(len(trial)):
        if trial[i] == 1:
            class_snr[class_of[i]] += snr[i]
        else:
            local_sum += local[i]
    value, _, _ = solve(local_sum, class_snr, class_weights, eps, log_snrs)
    if value > best:
        decision[:] = trial
    return max(value, best)


@kernel
def next_device(fixed: Decision, breakpoints: Floats, energy_time: float) -> int:
    """Return the undecided device whose breakpoint is next to the energy time; -1 if none is."""
    found, nearest = -1, math.inf
    for i in range(len(fixed)):
        distance = abs(breakpoints[i] - energy_time)
        if fixed[i] == UNDECIDED and (found < 0 or distance < nearest):
            found, nearest = i, distance
    return found


@kernel
def branch_and_bound(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    gap: float,
    max_nodes: int,
    decision: Decision,
    fixed: Decisions,
    nodes: Floats,
) -> tuple[float, Decisions, Floats]:
    """Search the open nodes for the best decision, the one with the largest bound first.

    A node is an interval of energy times and a partial decision; its bound is that of `dual`. What
    the devices choose at its price is tried as the best decision. Devices are fixed where that can
    be proven; a node with devices left is split, in the middle of its interval if that is wide and
    holds several breakpoints, else at the device whose breakpoint is next to the best energy time.

    Args:
        gain: channel gains `[N]`.
        class_of: the weight class of each device `[N]`.
        class_weights: the weight of each class `[C]`.
        constants: as in `score`.
        gap: bounds of no more than `(1 + gap)` times the best value are not pursued.
        max_nodes: how many nodes to split at most.
        decision: in and out, the best decision `[N]` so far.
        fixed: the open nodes' partial decisions `[M, N]`, 0, 1 or `UNDECIDED`.
        nodes: the open nodes' lowest and highest energy time, price and bound `[M, 4]`; a search
            begins with the one node 0, 1, 0, inf.

    Returns:
        The best value, and the nodes still open, as `fixed` and `nodes`.
    """
    snr_factor, local_factor, eps = constants
    local = local_factor * class_weights[class_of] * np.cbrt(gain)
    devices = (snr_factor * gain * gain, local, class_of, class_weights, eps)
    offload, breakpoints = np.empty(len(gain)), np.empty(len(gain))
    links = np.empty((2, len(gain)), np.int64)
    trial = decision.copy()

    best = improve(decision, devices, trial, 0.0)
    if best == 0.0:  # no gains
        return best, fixed[:0], nodes[:0]
    if nodes[0, BOUND] == math.inf:
        fixed[0, gain == 0.0] = 0
        nodes[0, BOUND], nodes[0, PRICE] = lowest_dual(
            best, 0.0, 1.0, fixed[0], devices, offload, breakpoints, best, ROOT_STEPS
        )
    heap = [(-nodes[k, BOUND], k) for k in range(len(nodes))]
    heapq.heapify(heap)
    exchange_rule(gain, devices, -heap[0][0], links)

    used = len(nodes)
    for _ in range(max_nodes):
        if len(heap) == 0 or -heap[0][0] <= best * (1.0 + gap):
            break
        k = heapq.heappop(heap)[1]
        low, high, price, bound = nodes[k]
        _, _, a, num_inside = dual(price, low, high, fixed[k], devices, offload, breakpoints)
        for i in range(len(gain)):
            undecided = fixed[k, i] == UNDECIDED
            trial[i] = breakpoints[i] < a if undecided else fixed[k, i]
        best = improve(trial, devices, decision, best)
        enough = best * (1.0 + gap)
        fix_proven(bound - enough, low, high, local, offload, breakpoints, links, fixed[k])

        device = next_device(fixed[k], breakpoints, a)
        if device < 0:  # a single decision is left, and solving it leaves no gap
            best = improve(fixed[k], devices, decision, best)
            continue
        if used + 2 > len(nodes):
            nodes = np.concatenate((nodes, np.empty((used + 2, 4))))
            fixed = np.concatenate((fixed, np.empty((used + 2, len(gain)), np.int8)))
        for half in range(2):
            fixed[used], nodes[used] = fixed[k], nodes[k]
            if num_inside > NARROW_INSIDE and high - low > NARROW * high:
                nodes[used, HIGH - half] = 0.5 * (low + high)
            else:
                fix(device, half, links, fixed[used])
            child_bound, nodes[used, PRICE] = lowest_dual(
                price,
                nodes[used, LOW],
                nodes[used, HIGH],
                fixed[used],
                devices,
                offload,
                breakpoints,
                enough,
                NODE_STEPS,
            )
            nodes[used, BOUND] = min(bound, child_bound)
            if nodes[used, BOUND] > enough:
                heapq.heappush(heap, (-nodes[used, BOUND], used))
                used += 1

    still_open = np.array([k for bound, k in heap if -bound > best * (1.0 + gap)], np.int64)
    return best, fixed[still_open], nodes[still_open]


@kernel
def relaxation(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    energy_time: float,
    price: float,
) -> tuple[float, float]:
    """Solve the frame for a given energy time when devices may offload in part.

    Args:
        gain: channel gains `[N]`.
        class_of: the weight class of each device `[N]`.
        class_weights: the weight of each class `[C]`.
        constants: as in `score`.
        energy_time: a.
        price: a first guess of the price of time.

    Returns:
        The weighted sum computation rate and the price of time.
    """
    snr_factor, local_factor, eps = constants
    local = local_factor * class_weights[class_of] * np.cbrt(gain)
    devices = (snr_factor * gain * gain, local, class_of, class_weights, eps)
    offload, breakpoints = np.empty(len(gain)), np.empty(len(gain))
    fixed = np.where(gain > 0.0, UNDECIDED, 0).astype(np.int8)
    a = energy_time
    return lowest_dual(
        price, a, a, fixed, devices, offload, breakpoints, -math.inf, RELAXATION_STEPS
    )
