"""Kernels of multi-slot MEC with queues: the price of time, as in a fractional knapsack.

The load, the sum of the times of the devices that offload, falls with the price mu; symbols are
those of `devices`. Either the load is 1 somewhere between two limits, or it jumps across 1 at a
limit, whose device is then served in part. If the devices cannot fill the frame, mu is 0.
"""

import math
from typing import NamedTuple

from env.queueing.kernels import kernel
from env.queueing.kernels.devices import Devices, Ints, Offers, marginal, nats_at

TOLERANCE = 1e-12  # of the load; the error of the value is of the order of its square
LEAST_PRICE = 1e-290  # of time, other than 0
MAX_ITERATIONS = 100  # 3 to 8 are needed


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
