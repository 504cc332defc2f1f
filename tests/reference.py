"""Independent references: slow and simple, derived from the problems, not from the solvers."""

import math
from collections.abc import Callable

import numpy as np
from mpmath import mp, mpf
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, lambertw

from droo_core.arrays import Floats, Ints
from env import QueueingParameters

# The constants of the DROO paper.
MU_P, PHI, K_COEFFICIENT, NOISE, BANDWIDTH, OVERHEAD = 0.7 * 3.0, 100.0, 1e-26, 1e-10, 2e6, 1.1


def computation_rate(
    gain: Floats, weights: Floats, decision: Ints, energy_time: float, offload_time: Floats
) -> float:
    """Return the objective of problem P2 of the DROO paper for a given allocation, in bit/s."""
    local = (MU_P / K_COEFFICIENT) ** (1 / 3) / PHI * np.cbrt(gain * energy_time)
    used = np.where(
        offload_time > 1e-280, offload_time, 1.0
    )  # smaller values overflow, and contribute nothing
    snr = MU_P * energy_time * gain**2 / (used * NOISE)
    offloading = BANDWIDTH * offload_time / (OVERHEAD * math.log(2)) * np.log1p(snr)
    return float(np.sum(weights * np.where(decision == 1, offloading, local)))


def best_offload_time(gain: Floats, weights: Floats, energy_time: float) -> Floats:
    """Divide the time 1 - a among offloading devices by bisection on the price of time."""
    eps = BANDWIDTH / (OVERHEAD * math.log(2))
    energy = energy_time * MU_P * gain**2 / NOISE

    def times(log_price: float) -> Floats:
        u = np.exp(log_price) / (weights * eps)
        small = np.sqrt(2 * u)
        t = np.where(u < 1e-6, small * (1 + small / 6), 1 + u + lambertw(-np.exp(-1 - u)).real)
        with np.errstate(over="ignore"):
            return np.asarray(energy / np.expm1(t))

    def excess(log_price: float) -> float:
        return math.log(times(log_price).sum() / (1 - energy_time))

    highest = math.log(600 * weights.max() * eps)  # at higher prices every time underflows
    tau = times(float(brentq(excess, -90.0, highest, xtol=1e-13, maxiter=1000)))
    return np.asarray(tau / tau.sum() * (1 - energy_time))


def best_rate(gain: Floats, weights: Floats, decision: Ints) -> float:
    """Return the optimum of problem P2 by a scalar search over the energy time, in bit/s."""
    off = decision == 1
    nothing = np.zeros_like(gain)
    if not off.any():
        return computation_rate(gain, weights, decision, 1.0, nothing)

    def loss(logit: float) -> float:
        energy_time = float(expit(logit))
        offload_time = nothing.copy()
        offload_time[off] = best_offload_time(gain[off], weights[off], energy_time)
        return -computation_rate(gain, weights, decision, energy_time, offload_time)

    coarse = min(np.linspace(-12, 32, 45), key=loss)
    search = minimize_scalar(
        loss, bounds=(coarse - 1, coarse + 1), method="bounded", options={"xatol": 1e-9}
    )
    return -float(search.fun)


def best_rate_exactly(gain: Floats, weights: Floats, decision: Ints) -> float:
    """Return the optimum of problem P2 to 40 digits, from its optimality conditions, in bit/s."""
    with mp.workdps(40):
        h, w = [mpf(float(x)) for x in gain], [mpf(float(x)) for x in weights]
        mu_p, noise, cube = mpf(21) / 10, mpf(10) ** -10, mpf(1) / 3
        eps = mpf(2000000) / (mpf(11) / 10 * mp.log(2))
        local = sum(
            w[i] * (mu_p * h[i] * mpf(10) ** 26) ** cube / 100
            for i in range(len(h))
            if not decision[i]
        )
        off = [i for i in range(len(h)) if decision[i]]
        s = {i: mu_p * h[i] ** 2 / noise for i in off}

        def snr(price: mpf, weight: mpf) -> mpf:
            u = price / (weight * eps)
            return mp.expm1(1 + u + mp.lambertw(-mp.exp(-1 - u)).real)

        def excess(price: mpf) -> mpf:
            a = 1 / (1 + sum(s[i] / snr(price, w[i]) for i in off))
            marginal = local / 3 * a ** (-2 * cube)
            return marginal + sum(w[i] * eps * s[i] / (1 + snr(price, w[i])) for i in off) - price

        low, high = mpf(1), mpf(10) ** 9
        for _ in range(120):
            middle = mp.sqrt(low * high)
            low, high = (middle, high) if excess(middle) > 0 else (low, middle)
        a = 1 / (1 + sum(s[i] / snr(low, w[i]) for i in off))
        value = local * a**cube
        for i in off:
            y = snr(low, w[i])
            value += a * w[i] * eps * s[i] / y * mp.log1p(y)
        return float(value)


# Multi-slot MEC with queues, from sections II to IV of the LyDROO paper. Data are in Mbit.


def dual_minimum(
    profit: Callable[[float], float], load: Callable[[float], float], high: float, length: float
) -> float:
    """Return min over mu of mu T + profit(mu); the load decreases with mu, to 0 at high prices."""
    low = high * 1e-60
    if high > 0 and load(low) > length:
        for _ in range(110):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if load(middle) > length else (low, middle)
    else:
        high = low
    return high * length + profit(high)


def queueing_objective(
    frame: tuple[Floats, Floats, Floats],
    weights: Floats,
    decision: Ints,
    parameters: QueueingParameters,
    length: float = 1.0,
) -> float:
    """Return the optimum of problem P4 of LyDROO by bisection on the price of time, in Mbit^2.

    Each device maximises its profit over its spectral efficiency in nats, and over its frequency.
    """
    c = parameters
    worth = [float(x) for x in frame[1] + c.tradeoff * weights]
    joule = [float(x) for x in c.energy_price * frame[2]]
    data = [float(x) for x in frame[1]]
    snr = [float(x) for x in frame[0] / (c.noise_density * c.bandwidth)]
    eps = c.bandwidth / 1e6 / c.communication_overhead / math.log(2)
    # A nat needs an energy of at least 1 / snr; if that costs more than it earns, nothing is sent.
    off = [
        i
        for i in range(len(data))
        if decision[i] and data[i] > 0 and worth[i] * eps * snr[i] > joule[i]
    ]

    def local(i: int) -> float:
        most = min(c.max_frequency, data[i] * 1e6 * c.cycles_per_bit / length)
        bit = worth[i] / c.cycles_per_bit / 1e6

        def slope(f: float) -> float:
            return bit - 3 * joule[i] * c.energy_coefficient * f**2

        f = most if slope(most) >= 0 else brentq(slope, 0, most, xtol=1e-300, rtol=1e-15)
        return length * float(bit * f - joule[i] * c.energy_coefficient * f**3)

    def nats(i: int, price: float) -> float:
        most = math.log1p(snr[i] * c.max_power)

        def slope(t: float) -> float:  # derivative of the cost of a nat, times t^2
            rise = t * math.exp(t) - math.expm1(t) if t > 1e-4 else t**2 / 2 + t**3 / 3 + t**4 / 8
            return joule[i] / snr[i] * rise - price

        if slope(most) <= 0:
            return most
        return float(brentq(slope, 0.0, most, xtol=1e-300, rtol=1e-14, maxiter=1000))

    def offers(price: float) -> list[tuple[float, float]]:
        """Return the time and profit of each device that offloads."""
        found = []
        for i in off:
            t = nats(i, price)
            time = data[i] / (eps * t)
            profit = time * (worth[i] * eps * t - joule[i] * math.expm1(t) / snr[i] - price)
            found.append((time, profit) if profit > 0 else (0.0, 0.0))
        return found

    offloading = dual_minimum(
        lambda price: sum(profit for _, profit in offers(price)),
        lambda price: sum(time for time, _ in offers(price)),
        max((worth[i] * eps * math.log1p(snr[i] * c.max_power) for i in off), default=0.0),
        length,
    )
    return offloading + sum(local(i) for i in range(len(data)) if not decision[i])


def myopic_rate(
    frame: tuple[Floats, Floats, Floats],
    weights: Floats,
    decision: Ints,
    parameters: QueueingParameters,
    length: float = 1.0,
) -> float:
    """Return the optimal weighted sum rate within energy budgets, by bisection on a price."""
    c = parameters
    gain, data, budget = ([float(x) for x in row] for row in frame)
    weight = [float(x) for x in weights]
    snr = [h / (c.noise_density * c.bandwidth) for h in gain]
    eps = c.bandwidth / 1e6 / c.communication_overhead / math.log(2)
    off = [
        i for i in range(len(data)) if decision[i] and data[i] > 0 and snr[i] > 0 and budget[i] > 0
    ]

    def local(i: int) -> float:
        f = min(c.max_frequency, math.cbrt(budget[i] / length / c.energy_coefficient))
        return min(length * f / c.cycles_per_bit / 1e6, data[i])

    def sent(i: int, time: float) -> float:
        power = min(c.max_power, budget[i] / time)
        return min(data[i], eps * time * math.log1p(snr[i] * power))

    def best_time(i: int, price: float) -> float:
        full = budget[i] / c.max_power  # the longest time for which the budget allows full power
        most = eps * math.log1p(snr[i] * c.max_power)
        if weight[i] * most <= price:
            return 0.0
        if most * full >= data[i]:
            return data[i] / most

        def slope(log_time: float) -> float:
            z = snr[i] * budget[i] / math.exp(log_time)
            rest = (
                math.log1p(z) - z / (1 + z) if z > 1e-3 else z**2 * (0.5 - z * (2 / 3 - 0.75 * z))
            )
            return float(weight[i] * eps * rest - price)

        def missing(log_time: float) -> float:
            time = math.exp(log_time)
            return data[i] - eps * time * math.log1p(snr[i] * budget[i] / time)

        low = math.log(full)
        if slope(low) <= 0:
            return full
        high = low + 300
        time = float(brentq(slope, low, high, xtol=1e-14, rtol=1e-15)) if slope(high) < 0 else high
        if missing(time) < 0:  # less time is enough
            time = float(brentq(missing, low, time, xtol=1e-14, rtol=1e-15))
        return math.exp(time)

    def profit(price: float) -> float:
        times = [(i, best_time(i, price)) for i in off]
        return sum(weight[i] * sent(i, t) - price * t for i, t in times if t > 0)

    offloading = dual_minimum(
        profit,
        lambda price: sum(best_time(i, price) for i in off),
        max((weight[i] * eps * math.log1p(snr[i] * c.max_power) for i in off), default=0.0),
        length,
    )
    return offloading + sum(weight[i] * local(i) for i in range(len(data)) if not decision[i])
