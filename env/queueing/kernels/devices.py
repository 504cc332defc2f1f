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

from droo_core.arrays import Floats
from droo_core.jit import inner_kernel


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


(
    WORTH,
    ENERGY_PRICE,
    DATA,
    SNR,
    MAX_NATS,
    CAP_PRICE,
    FREQUENCY,
    LOCAL,
    LIMIT,
    TIME,
) = range(10)
"""Rows of the argument `devices` of the kernels, `[10 or more, N]`, the quantities of each device:

- WORTH: a, value of a Mbit.
- ENERGY_PRICE: y, price of a joule.
- DATA: Q, Mbit.
- SNR: g, signal-to-noise ratio per watt.
- MAX_NATS: t_max.
- CAP_PRICE: price of time from which on t is t_max.
- FREQUENCY: optimal frequency for computing locally, cycles/s.
- LOCAL: value of computing locally.
- LIMIT: largest price of time at which the device offloads, 0 if it never does.
- TIME: offloading time at that price, s, its shortest.
"""
ROWS = 10


@inner_kernel
def marginal(t: float) -> float:
    """Return e^t (t - 1) + 1, to the last digits."""
    if t < 0.05:  # the power series, where the terms cancel
        rest = 1 / 144 + t * (1 / 840 + t * (1 / 5760 + t / 45360))
        return t * t * (0.5 + t * (1 / 3 + t * (1 / 8 + t * (1 / 30 + t * rest))))
    return math.exp(t) * (t - 1.0) + 1.0


@inner_kernel
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


@inner_kernel
def snr_per_watt(gain: float, constants: Constants) -> float:
    """Return the signal-to-noise ratio per watt, capped to avoid overflow."""
    return min(gain / constants.noise_power, 1e280)


@inner_kernel
def describe(frame: Floats, weights: Floats, constants: Constants, devices: Floats) -> None:
    """Write the rows of `devices` up to LOCAL; the other arguments are those of `score`."""
    bits, kappa = constants.bits_per_cycle, constants.energy_coefficient
    for i in range(len(weights)):
        data = frame[1, i]
        worth = data + constants.tradeoff * weights[i]
        energy_price = constants.energy_price * frame[2, i]
        snr = snr_per_watt(frame[0, i], constants)
        max_nats = math.log1p(snr * constants.max_power)
        f = min(data / bits, constants.max_frequency)
        earned, spent = worth * bits, 3.0 * kappa * energy_price
        if earned < spent * f * f:
            f = math.sqrt(earned / spent)
        devices[WORTH, i], devices[ENERGY_PRICE, i], devices[DATA, i] = worth, energy_price, data
        devices[SNR, i], devices[MAX_NATS, i] = snr, max_nats
        devices[CAP_PRICE, i] = marginal(max_nats) * energy_price / snr if snr > 0.0 else 0.0
        devices[FREQUENCY, i] = f
        devices[LOCAL, i] = f * (earned - energy_price * kappa * f * f)


@inner_kernel
def write_offers(devices: Floats, rate_per_nat: float) -> None:
    """Write the rows LIMIT and TIME of `devices`, the offers of devices with this WORTH."""
    for i in range(devices.shape[1]):
        y, g, data = devices[ENERGY_PRICE, i], devices[SNR, i], devices[DATA, i]
        earned, t = devices[WORTH, i] * rate_per_nat, devices[MAX_NATS, i]
        devices[LIMIT, i] = devices[TIME, i] = 0.0
        if data > 0.0 and t > 0.0 and earned * g > y:
            if y > 0.0:
                t = min(t, math.log(earned * g / y))
            limit = earned * t - y * math.expm1(t) / g
            if limit > 0.0:
                devices[LIMIT, i], devices[TIME, i] = limit, data / (rate_per_nat * t)


@inner_kernel
def nats_at(devices: Floats, i: int, price: float) -> float:
    """Return the nats a second at which a device offloads at a price of time."""
    most: float = devices[MAX_NATS, i]
    if price >= devices[CAP_PRICE, i]:
        return most
    return min(most, nats(price * devices[SNR, i] / devices[ENERGY_PRICE, i]))
