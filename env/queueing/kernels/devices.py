"""Kernels of multi-slot MEC with queues: the devices of a frame at a price of time.

For given decisions the frame's problem (LyDROO, Section IV-B) is convex, and one price of time
separates its devices. Per device, with data queue Q, virtual energy queue Y and gain h, write

    a = Q + V w,   y = c Y,   g = h / N0,   eps = W / (v_u ln 2),   t = ln(1 + g p)

for the worth of a bit, the price of energy, the signal-to-noise ratio per watt, the rate per nat
and the nats a second at power p. At the price mu of time a bit costs

    c(mu) = min_t ((e^t - 1) y / g + mu) / (eps t),   0 < t <= t_max = ln(1 + g P_max)

whose minimum lies where e^t (t - 1) + 1 = mu g / y, or at t_max. The device offloads all of its
queue while c(mu) < a, in the time Q / (eps t); that is up to the price

    limit = max_t a eps t - (e^t - 1) y / g.
"""

import math
from typing import NamedTuple

import numpy as np

from droo_core.arrays import Floats
from env.queueing.kernels import kernel


class Constants(NamedTuple):
    """The physical constants in the kernels' units: Mbit, s, J, W; a frame lasts a second.

    Attributes:
        tradeoff: V.
        energy_price: c, price of a joule, over Y.
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
    """Per-device quantities of a frame that do not depend on the decision, `[N]` each.

    Attributes:
        worth: a, value of a Mbit.
        energy_price: y, price of a joule.
        data: Q, Mbit.
        snr: g, signal-to-noise ratio per watt.
        max_nats: t_max.
        cap_price: price of time from which on t is t_max.
        frequency: optimal frequency for computing locally, cycles/s.
        local: value of computing locally.
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
    if u < 0.3:  # series of Lambert's W about its branch point
        t = p * (1.0 - p * (1 / 3 - p * (11 / 72 - p * 43 / 540)))
    else:  # approximation of Lambert's W within a percent (Winitzki, 2003)
        log = math.log1p((u - 1.0) / math.e)
        t = 1.0 + log * (1.0 - math.log1p(log) / (2.0 + log))
    if t == 0.0:
        return 0.0
    for _ in range(2):  # Halley's steps triple the number of digits
        slope = t * math.exp(t)
        step = (marginal(t) - u) / slope
        t -= step / (1.0 - 0.5 * step * (1.0 + t) / t)
    return t


@kernel
def snr_per_watt(gain: float, constants: Constants) -> float:
    """Return the signal-to-noise ratio per watt, capped to avoid overflow."""
    return min(gain / constants.noise_power, 1e280)


@kernel
def describe(frame: Floats, weights: Floats, constants: Constants) -> Devices:
    """Return the per-device quantities of a frame; arguments as in `allocation.score`."""
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
    """The prices of time up to which devices offload, `[N]` each.

    Attributes:
        limits: largest price at which each device offloads, 0 if it never does.
        times: offloading time of each device at that price, s, its shortest.
    """

    limits: Floats
    times: Floats


@kernel
def offers_of(devices: Devices, worth: Floats, rate_per_nat: float) -> Offers:
    """Return the offers of the devices if their Mbits have this worth `[N]`."""
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
    """Return the nats a second at which a device offloads at a price of time."""
    most: float = devices.max_nats[i]
    if price >= devices.cap_price[i]:
        return most
    return min(most, nats(price * devices.snr[i] / devices.energy_price[i]))
