"""Kernels of multi-slot MEC with queues: the price of time, as in a fractional knapsack.

The load, the sum of the times of the devices that offload, falls with the price mu; symbols are
those of `devices`. Either the load is 1 somewhere between two limits, or it jumps across 1 at a
limit, whose device is then served in part. If the devices cannot fill the frame, mu is 0.
"""

import math
from typing import NamedTuple

from droo_core.arrays import Floats, Ints
from droo_core.jit import inner_kernel
from env.queueing.kernels.devices import (
    CAP_PRICE,
    DATA,
    ENERGY_PRICE,
    LIMIT,
    SNR,
    TIME,
    WORTH,
    marginal,
    nats_at,
)

TOLERANCE = 1e-12  # of the load; the error of the value is of the order of its square
LEAST_PRICE = 1e-290  # of time, other than 0
MAX_ITERATIONS = 100  # 3 to 8 are needed


class Served(NamedTuple):
    """Devices that offload all of their queues at a price of time.

    Attributes:
        load: sum of their offloading times, s.
        slope: -d(load)/d(price).
        value: of offloading, without the price of time.
    """

    load: float
    slope: float
    value: float


@inner_kernel
def serve(devices: Floats, served: Ints, count: int, price: float, rate_per_nat: float) -> Served:
    """Return load, slope and value of the first devices of `served`, offloading all they have."""
    load, slope, value = 0.0, 0.0, 0.0
    for k in range(count):
        i = served[k]
        t, data = nats_at(devices, i, price), devices[DATA, i]
        y, g = devices[ENERGY_PRICE, i], devices[SNR, i]
        growth = math.expm1(t)  # SNR
        time = data / (rate_per_nat * t)
        load += time
        value += devices[WORTH, i] * data - y * growth / g * time
        if price < devices[CAP_PRICE, i]:
            slope += time * g / (y * t * t * (growth + 1.0))
    return Served(load, slope, value)


@inner_kernel
def newton(price: float, served: Served) -> float:
    """Return the price at which the load is 1, its logarithm extrapolated in that of the price."""
    if served.slope == 0.0:
        return 0.0
    return price * math.exp(math.log(served.load) * served.load / (served.slope * price))


@inner_kernel
def balance(
    devices: Floats,
    offloading: Ints,
    count: int,
    low: float,
    high: float,
    at_high: Served,
    rate_per_nat: float,
) -> tuple[float, Served, bool]:
    """Find the price of time, from low to high, at which the first `count` devices fill the frame.

    The load is at most 1 at the high price, and at least 1 at the low one unless that is 0; then
    the price is 0 if the devices cannot fill the frame. The logarithm of the load is convex in that
    of the price: a Newton step from above the root ends below it, and later steps approach it from
    below.

    Returns the price, the devices served at it, and whether it was found.
    """
    price = max(low, newton(high, at_high))
    for k in range(count):  # at this price the device alone would fill the frame
        i = offloading[k]
        t = devices[DATA, i] / rate_per_nat
        alone = marginal(t) * devices[ENERGY_PRICE, i] / devices[SNR, i]
        if devices[ENERGY_PRICE, i] > 0.0:
            alone = max(alone, LEAST_PRICE)  # underflows for tiny queues
        price = max(price, alone)
    for _ in range(MAX_ITERATIONS):
        served = serve(devices, offloading, count, price, rate_per_nat)
        if served.load <= 1.0 + TOLERANCE or price >= high:
            return price, served, True
        price = min(newton(price, served), high)
    return price, served, False


class Filled(NamedTuple):
    """A frame filled with offloading devices.

    Attributes:
        price: of time.
        num_full: number of devices served in full, those with the largest limits.
        part: device served in part, -1 if there is none.
        load: time of the devices served in full, s.
        value: of all offloading.
        found: whether the price was found.
    """

    price: float
    num_full: int
    part: int
    load: float
    value: float
    found: bool


@inner_kernel
def filled(price: float, num_full: int, part: int, served: Served, found: bool) -> Filled:
    """Return the filled frame; the remaining time is worth its price to the device in part."""
    value = served.value + price * (1.0 - served.load)
    return Filled(price, num_full, part, served.load, value, found)


@inner_kernel
def fill(devices: Floats, offloading: Ints, count: int, rate_per_nat: float) -> Filled:
    """Fill the frame with devices that offload.

    Args:
        devices: of the frame `[ROWS or more, N]`.
        offloading: devices that are to offload, in the order of their limits, largest first; all
            limits are positive.
        count: number of these devices, the first of `offloading`.
        rate_per_nat: eps.
    """
    # Bisection for the last device at whose limit its predecessors leave some time: number `low`,
    # from 1. Start at the first whose shortest times add up to the frame: it is usually close.
    low, high, least_load = 0, 0, 0.0
    while high < count and least_load < 1.0:
        least_load += devices[TIME, offloading[high]]
        high += 1
    before, tried = Served(0.0, 0.0, 0.0), high
    while low < high:
        limit = devices[LIMIT, offloading[tried - 1]]
        served = serve(devices, offloading, tried - 1, limit, rate_per_nat)
        if served.load < 1.0:
            low, before = tried, served
        else:
            high = tried - 1
        tried = (low + high + 1) // 2
    if low == 0:
        return filled(0.0, 0, -1, before, True)
    last = offloading[low - 1]
    most = devices[LIMIT, last]
    if before.load + devices[TIME, last] >= 1.0:
        return filled(most, low - 1, last, before, True)
    least = devices[LIMIT, offloading[low]] if low < count else 0.0
    at_most = serve(devices, offloading, low, most, rate_per_nat)
    price, served, found = balance(devices, offloading, low, least, most, at_most, rate_per_nat)
    return filled(price, low, -1, served, found)
