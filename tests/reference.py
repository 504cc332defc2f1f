"""Independent references: slow, plain, and written from the problem, not from the solver."""

import math

import numpy as np
from mpmath import mp, mpf
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, lambertw

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The constants of the DROO paper.
MU_P, PHI, K_COEFFICIENT, NOISE, BANDWIDTH, OVERHEAD = 0.7 * 3.0, 100.0, 1e-26, 1e-10, 2e6, 1.1


def computation_rate(
    gain: Floats, weights: Floats, decision: Ints, energy_time: float, offload_time: Floats
) -> float:
    """The objective of problem P2 as it is written, for a given allocation."""
    local = (MU_P / K_COEFFICIENT) ** (1 / 3) / PHI * np.cbrt(gain * energy_time)
    used = np.where(offload_time > 1e-280, offload_time, 1.0)  # less overflows, and earns nothing
    snr = MU_P * energy_time * gain**2 / (used * NOISE)
    offloading = BANDWIDTH * offload_time / (OVERHEAD * math.log(2)) * np.log1p(snr)
    return float(np.sum(weights * np.where(decision == 1, offloading, local)))


def best_offload_time(gain: Floats, weights: Floats, energy_time: float) -> Floats:
    """Share the time 1 - a among offloading devices by bisection on the price of time."""
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

    highest = math.log(600 * weights.max() * eps)  # beyond, every time underflows
    tau = times(float(brentq(excess, -90.0, highest, xtol=1e-13, maxiter=1000)))
    return np.asarray(tau / tau.sum() * (1 - energy_time))


def best_rate(gain: Floats, weights: Floats, decision: Ints) -> float:
    """The value of problem P2 by a scalar search over the energy time."""
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
    """The value of problem P2 by its optimality conditions in 40 digits: nested bisections."""
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
