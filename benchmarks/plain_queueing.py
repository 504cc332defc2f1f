"""The baseline for speed: a frame of LyDROO, written plainly with the published code's algorithms.

The critic bisects the price of time to a width of 1, with Lambert's W for every device, and then
solves a linear program for the rates. Only benchmarks use it.
"""

import math

import numpy as np
from scipy.optimize import linprog
from scipy.special import lambertw

from benchmarks.plain import Agent
from droo_core.arrays import Floats, Ints

EPS = 2 / (1.1 * math.log(2))  # Mbit per nat
NOISE = 2e6 * 10**-20.4
MAX_POWER, MAX_FREQUENCY, CYCLES, KAPPA, V = 0.1, 300.0, 100.0, 1e-8, 20.0  # Mcycles


def critic(
    gain: Floats, data: Floats, energy_queue: Floats, weights: Floats, decision: Ints
) -> tuple[float, Floats, Floats]:
    """Return the objective of one decision `[N]`, the rates and the energies `[N]`."""
    n = len(gain)
    worth, price = data + V * weights, 10 * energy_queue
    rate, energy = np.zeros(n), np.zeros(n)
    for i in np.flatnonzero(decision == 0):
        frequency = min(CYCLES * data[i], MAX_FREQUENCY)
        if price[i] > 0:
            frequency = min(frequency, math.sqrt(worth[i] / (3 * CYCLES * KAPPA * price[i])))
        rate[i], energy[i] = frequency / CYCLES, KAPPA * frequency**3
    offloading = np.flatnonzero(decision == 1)
    if len(offloading):
        nats = powers = prices = np.zeros(0)
        low, high = 0.0, 1e4
        while high - low > 1:
            mu = (low + high) / 2
            nats = np.array([nats_at(mu, gain[i] / NOISE, price[i]) for i in offloading])
            powers = np.expm1(nats) * NOISE / gain[offloading]
            prices = price[offloading] * powers
            pays = worth[offloading] > (mu + prices) / (EPS * nats)
            crowded = (data[offloading] * pays / (EPS * nats)).sum() > 1
            low, high = (mu, high) if crowded else (low, mu)
        found = linprog(
            prices / (EPS * nats) - worth[offloading],
            A_ub=[1 / (EPS * nats)],
            b_ub=[1.0],
            bounds=[(0.0, most) for most in data[offloading]],
        )
        rate[offloading] = np.asarray(found.x)
        energy[offloading] = powers * rate[offloading] / (EPS * nats)
    return float(worth @ rate - price @ energy), rate, energy


def nats_at(mu: float, snr: float, price: float) -> float:
    """Return the spectral efficiency (nat/s/Hz) at which a device sends at a price of time."""
    most = math.log1p(snr * MAX_POWER)
    if price == 0:
        return most
    return min(most, 1 + float(lambertw((mu * snr / price - 1) / math.e).real))


class LyDROO(Agent):
    """The baseline's agent for MEC with queues, and the queues."""

    def __init__(self, num_devices: int) -> None:
        super().__init__(num_devices, 3 * num_devices, (256, 128), 20)
        self.data, self.energy_queue = np.zeros(num_devices), np.zeros(num_devices)

    def step(self, gain: Floats, arrival: Floats, weights: Floats) -> None:
        """Play one frame."""
        frame = (gain, self.data, self.energy_queue, weights)
        state = np.hstack([gain * 1e10, self.data / 1e4, self.energy_queue / 1e4])
        decision = self.decide(state, lambda x: critic(*frame, x)[0], noisy=True)
        _, rate, energy = critic(*frame, decision)
        self.data = np.maximum(self.data + arrival - rate, 0)
        self.energy_queue = np.maximum(self.energy_queue + 1000 * (energy - 0.08), 0)
