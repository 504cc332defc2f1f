"""Kernels of multi-slot MEC with queues: the allocation behind a decision, a fractional knapsack.

For given decisions the frame's problem (LyDROO, Section IV-B) is convex, and one price of time
separates its devices. Per device, with data queue Q, virtual energy queue Y and gain h, write

    a = Q + V w,   y = c Y,   g = h / N0,   eps = W / (v_u ln 2),   t = ln(1 + g p)

for its worth of a bit, its price of energy, its signal-to-noise ratio a watt, its rate a nat and
the nats a second that power p gives. At the price mu of time a bit costs

    c(mu) = min_t ((e^t - 1) y / g + mu) / (eps t),   0 < t <= t_max = ln(1 + g P_max)

whose minimum lies where e^t (t - 1) + 1 = mu g / y, or at t_max. The device offloads all of its
queue while c(mu) < a, in the time Q / (eps t); that is up to the price

    limit = max_t a eps t - (e^t - 1) y / g.

The load, the sum of these times, falls with mu. Either it is 1 somewhere between two limits, or it
jumps across 1 at one, whose device is then served in part; if there is too little to do, mu is 0.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from env.queueing.kernels import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Decision = NDArray[np.int8] | Ints  # [N]

TOLERANCE = 1e-12  # of the load; the value errs by the square of it
LEAST_PRICE = 1e-290  # of time, but for 0
MAX_ITERATIONS = 100  # 3 to 8 are needed

SOLVED, NOT_BINARY, UNSOLVED = range(3)


class Constants(NamedTuple):
    """The physical constants in the kernels' units: Mbit, s, J, W; a frame lasts a second.

    Attributes:
        tradeoff: V.
        energy_price: c, price of a joule over Y.
        bits_per_cycle: Mbit a cycle, 1e-6 / phi.
        max_frequency: cycles/s.
        energy_coefficient: kappa, J s^2.
        rate_per_nat: eps, Mbit/s.
        noise_power: N0, W.
        max_power: W.
    """

    tradeoff: float
    energy_price: float
    bits_per_cycle: float
    max_frequency: float
    energy_coefficient: float
    rate_per_nat: float
    noise_power: float
    max_power: float


class Devices(NamedTuple):
    """What a frame is to each device, whatever is decided, `[N]` each.

    Attributes:
        worth: a, of a Mbit.
        energy_price: y, of a joule.
        data: Q, Mbit.
        snr: g, signal-to-noise ratio a watt.
        max_nats: t_max.
        cap_price: the price of time from which on t is t_max.
        frequency: the best for computing locally, cycles/s.
        local: what that is worth.
    """

    worth: Floats
    energy_price: Floats
    data: Floats
    snr: Floats
    max_nats: Floats
    cap_price: Floats
    frequency: Floats
    local: Floats


@kernel
def marginal(t: float) -> float:
    """Return e^t (t - 1) + 1, to the last digits."""
    if t < 0.05:  # the power series, where the terms cancel
        rest = 1 / 144 + t * (1 / 840 + t * (1 / 5760 + t / 45360))
        return t * t * (0.5 + t * (1 / 3 + t * (1 / 8 + t * (1 / 30 + t * rest))))
    return math.exp(t) * (t - 1.0) + 1.0


@kernel
def nats(u: float) -> float:
    """Solve e^t (t - 1) + 1 = u for t >= 0, to the last digits."""
    p = math.sqrt(2.0 * u)
    if u < 0.3:  # the series of Lambert's W about its branch point
        t = p * (1.0 - p * (1 / 3 - p * (11 / 72 - p * 43 / 540)))
    else:  # an approximation of it that is good within a percent (Winitzki, 2003)
        log = math.log1p((u - 1.0) / math.e)
        t = 1.0 + log * (1.0 - math.log1p(log) / (2.0 + log))
    if t == 0.0:
        return 0.0
    for _ in range(2):  # Halley: three times the digits at each step
        slope = t * math.exp(t)
        step = (marginal(t) - u) / slope
        t -= step / (1.0 - 0.5 * step * (1.0 + t) / t)
    return t


@kernel
def snr_per_watt(gain: float, constants: Constants) -> float:
    """Return the signal-to-noise ratio that a watt gives, or the largest that can be used here."""
    return min(gain / constants.noise_power, 1e280)


@kernel
def describe(frame: Floats, weights: Floats, constants: Constants) -> Devices:
    """Return what a frame is to each device; the arguments are those of `score`."""
    gain, data, energy_queue = frame
    worth, energy_price, snr, max_nats, cap_price, frequency, local = np.empty((7, len(gain)))
    bits, kappa = constants.bits_per_cycle, constants.energy_coefficient
    for i in range(len(gain)):
        worth[i] = data[i] + constants.tradeoff * weights[i]
        energy_price[i] = constants.energy_price * energy_queue[i]
        snr[i] = snr_per_watt(gain[i], constants)
        max_nats[i] = math.log1p(snr[i] * constants.max_power)
        cap_price[i] = marginal(max_nats[i]) * energy_price[i] / snr[i] if snr[i] > 0.0 else 0.0
        f = min(data[i] / bits, constants.max_frequency)
        earned, spent = worth[i] * bits, 3.0 * kappa * energy_price[i]
        if earned < spent * f * f:
            f = math.sqrt(earned / spent)
        frequency[i], local[i] = f, f * (earned - energy_price[i] * kappa * f * f)
    return Devices(worth, energy_price, data, snr, max_nats, cap_price, frequency, local)


class Offers(NamedTuple):
    """Up to which price of time devices offload, `[N]` each.

    Attributes:
        limits: these prices; 0 of a device that never does.
        times: how long each takes at that price, s, which is the least.
    """

    limits: Floats
    times: Floats


@kernel
def offers_of(devices: Devices, worth: Floats, rate_per_nat: float) -> Offers:
    """Return up to which price of time each device offloads, its Mbits having this worth `[N]`."""
    limits, times = np.zeros(len(worth)), np.zeros(len(worth))
    for i in range(len(worth)):
        earned, y, g = worth[i] * rate_per_nat, devices.energy_price[i], devices.snr[i]
        t = devices.max_nats[i]
        if devices.data[i] > 0.0 and t > 0.0 and earned * g > y:
            if y > 0.0:
                t = min(t, math.log(earned * g / y))
            limit = earned * t - y * math.expm1(t) / g
            if limit > 0.0:
                limits[i], times[i] = limit, devices.data[i] / (rate_per_nat * t)
    return Offers(limits, times)


@kernel
def nats_at(devices: Devices, i: int, price: float) -> float:
    """Return the nats a second at which a device would offload at this price of time."""
    most: float = devices.max_nats[i]
    if price >= devices.cap_price[i]:
        return most
    return min(most, nats(price * devices.snr[i] / devices.energy_price[i]))


class Served(NamedTuple):
    """Devices that offload all of their queues, at a price of time.

    Attributes:
        load: how much of the frame they take.
        slope: how much that falls with the price, -d(load)/d(price).
        value: what that is worth.
    """

    load: float
    slope: float
    value: float


@kernel
def serve(devices: Devices, served: Ints, price: float, rate_per_nat: float) -> Served:
    """Return what it comes to that these devices offload all of their queues."""
    load, slope, value = 0.0, 0.0, 0.0
    for i in served:
        t, data = nats_at(devices, i, price), devices.data[i]
        y, g = devices.energy_price[i], devices.snr[i]
        growth = math.expm1(t)  # SNR
        time = data / (rate_per_nat * t)
        load += time
        value += devices.worth[i] * data - y * growth / g * time
        if price < devices.cap_price[i]:
            slope += time * g / (y * t * t * (growth + 1.0))
    return Served(load, slope, value)


@kernel
def newton(price: float, served: Served) -> float:
    """Return the price at which the load is 1 if its logarithm is linear in that of the price."""
    if served.slope == 0.0:
        return 0.0
    return price * math.exp(math.log(served.load) * served.load / (served.slope * price))


@kernel
def balance(
    devices: Devices,
    offloading: Ints,
    low: float,
    high: float,
    at_high: Served,
    rate_per_nat: float,
) -> tuple[float, Served, bool]:
    """Find the price of time, from low to high, at which some devices fill the frame.

    The load is at most 1 at the high price, and not below 1 at the low one, unless that is 0: then
    the price is 0 if the frame cannot be filled. The logarithm of the load is convex in that of the
    price: a step of Newton's from above the root ends below it, and those that follow come up to it
    and never pass it.

    Returns the price, what it comes to there, and whether it was found.
    """
    price = max(low, newton(high, at_high))
    for i in offloading:  # at this price the device alone would fill the frame
        t = devices.data[i] / rate_per_nat
        alone = marginal(t) * devices.energy_price[i] / devices.snr[i]
        if devices.energy_price[i] > 0.0:
            alone = max(alone, LEAST_PRICE)  # it underflows for next to no data
        price = max(price, alone)
    for _ in range(MAX_ITERATIONS):
        served = serve(devices, offloading, price, rate_per_nat)
        if served.load <= 1.0 + TOLERANCE or price >= high:
            return price, served, True
        price = min(newton(price, served), high)
    return price, served, False


class Filled(NamedTuple):
    """How a frame is filled with devices that offload.

    Attributes:
        price: of time.
        num_full: how many devices are served in full, those with the largest limits.
        part: the device that is served in part, -1 if none is.
        load: how much of the frame those served in full take.
        value: of what all offload.
        found: whether the price was found.
    """

    price: float
    num_full: int
    part: int
    load: float
    value: float
    found: bool


@kernel
def filled(price: float, num_full: int, part: int, served: Served, found: bool) -> Filled:
    """Put together how a frame is filled.

    Time that is left is worth its price, since that is what its user gains by it.
    """
    value = served.value + price * (1.0 - served.load)
    return Filled(price, num_full, part, served.load, value, found)


@kernel
def fill(devices: Devices, offers: Offers, offloading: Ints, rate_per_nat: float) -> Filled:
    """Fill the frame with devices that offload.

    Args:
        devices: of the frame.
        offers: up to which price of time each offloads.
        offloading: those that are to offload, from the largest limit down; all limits are positive.
        rate_per_nat: eps.
    """
    limits, times = offers.limits, offers.times
    # Find the last device at whose limit those before it leave some time: number `low`, from 1. It
    # is seldom far from the first that makes the least load exceed the frame: begin with that.
    low, high, least_load = 0, 0, 0.0
    while high < len(offloading) and least_load < 1.0:
        least_load += times[offloading[high]]
        high += 1
    before, tried = Served(0.0, 0.0, 0.0), high
    while low < high:
        served = serve(
            devices, offloading[: tried - 1], limits[offloading[tried - 1]], rate_per_nat
        )
        if served.load < 1.0:
            low, before = tried, served
        else:
            high = tried - 1
        tried = (low + high + 1) // 2
    if low == 0:
        return filled(0.0, 0, -1, before, True)
    last = offloading[low - 1]
    most = limits[last]
    if before.load + times[last] >= 1.0:
        return filled(most, low - 1, last, before, True)
    least = limits[offloading[low]] if low < len(offloading) else 0.0
    at_most = serve(devices, offloading[:low], most, rate_per_nat)
    price, served, found = balance(devices, offloading[:low], least, most, at_most, rate_per_nat)
    return filled(price, low, -1, served, found)


@kernel
def in_order(decision: Decision, order: Ints, limits: Floats, offloading: Ints) -> int:
    """Write who is to offload, from the largest limit down; return how many these are."""
    count = 0
    for i in order:
        if decision[i] == 1 and limits[i] > 0.0:
            offloading[count] = i
            count += 1
    return count


@kernel
def value_of(
    decision: Decision,
    devices: Devices,
    offers: Offers,
    order: Ints,
    offloading: Ints,
    constants: Constants,
) -> tuple[float, bool]:
    """Return what a decision `[N]` is worth, and whether its price of time was found.

    `order` lists the devices from the largest limit down; `offloading` is room for `[N]` numbers.
    """
    value = 0.0
    for i in range(len(decision)):
        if decision[i] == 0:
            value += devices.local[i]
    count = in_order(decision, order, offers.limits, offloading)
    done = fill(devices, offers, offloading[:count], constants.rate_per_nat)
    return value + done.value, done.found


@kernel
def is_binary(decision: Decision) -> bool:
    """Whether a decision holds zeros and ones only."""
    for choice in decision:  # noqa: SIM110 (numba has no generators)
        if choice not in (0, 1):
            return False
    return True


@kernel
def is_valid(frame: Floats) -> bool:
    """Whether all entries are finite and none is negative."""
    for value in frame.flat:  # noqa: SIM110 (numba has no generators)
        if not 0.0 <= value < math.inf:
            return False
    return True


@kernel
def score(
    frame: Floats,
    weights: Floats,
    constants: Constants,
    decisions: Ints | NDArray[np.int8],
    values: Floats,
) -> int:
    """Write the best objective of each decision `[K, N]` into `values` [K].

    Args:
        frame: gains h, data queues Q (Mbit) and energy queues Y of the devices `[3, N]`.
        weights: w `[N]`.
        constants: of the problem.
        decisions: zeros and ones.
        values: out.

    Returns:
        SOLVED, or what is wrong: NOT_BINARY or UNSOLVED.
    """
    devices = describe(frame, weights, constants)
    offers = offers_of(devices, devices.worth, constants.rate_per_nat)
    order = np.argsort(-offers.limits)
    offloading = np.empty(len(order), np.int64)
    outcome = SOLVED
    for k in range(len(decisions)):
        if not is_binary(decisions[k]):
            return NOT_BINARY
        values[k], found = value_of(decisions[k], devices, offers, order, offloading, constants)
        if not found:
            outcome = UNSOLVED
    return outcome


@kernel
def allocate(
    frame: Floats,
    weights: Floats,
    constants: Constants,
    decision: Ints,
    allocation: Floats,
) -> tuple[float, float, int]:
    """Write the best allocation of one decision.

    Args:
        frame: as for `score`.
        weights: likewise.
        constants: of the problem.
        decision: zeros and ones `[N]`.
        allocation: out, `[5, N]`: rate, energy, frequency, offloading time and power.

    Returns:
        The objective, the price of time, and what `score` returns.
    """
    if not is_binary(decision):
        return 0.0, 0.0, NOT_BINARY
    data = frame[1]
    rate, energy, frequency, time, power = allocation
    allocation[:] = 0.0
    devices = describe(frame, weights, constants)
    objective = 0.0
    for i in range(len(data)):
        if decision[i] == 0:
            f = devices.frequency[i]
            frequency[i] = f
            rate[i] = min(f * constants.bits_per_cycle, data[i])
            energy[i] = constants.energy_coefficient * f * f * f
            objective += devices.local[i]

    eps = constants.rate_per_nat
    offers = offers_of(devices, devices.worth, eps)
    offloading = np.empty(len(data), np.int64)
    count = in_order(decision, np.argsort(-offers.limits), offers.limits, offloading)
    done = fill(devices, offers, offloading[:count], eps)
    for i in offloading[: done.num_full]:
        # Rounding, and the tolerance, may have filled more than the frame.
        time[i] = data[i] / (eps * nats_at(devices, i, done.price)) / max(1.0, done.load)
        rate[i] = data[i]
        nats_sent = data[i] / (eps * time[i])
        power[i] = min(math.expm1(nats_sent) / devices.snr[i], constants.max_power)
        energy[i] = power[i] * time[i]
    part = done.part
    if part >= 0:
        t = nats_at(devices, part, done.price)
        time[part] = max(0.0, 1.0 - done.load)
        rate[part] = min(eps * t * time[part], data[part])
        power[part] = min(math.expm1(t) / devices.snr[part], constants.max_power)
        energy[part] = power[part] * time[part]
    return objective + done.value, done.price, SOLVED if done.found else UNSOLVED
