"""The baseline for speed: a frame of DROO, written plainly with the published code's algorithms.

The critic bisects [0, 999999999] down to a width of 0.005 and calls Lambert's W for every device;
the policy runs in eager torch; Adam is rebuilt at every training step. Only benchmarks use it.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.special import lambertw
from torch import nn

from droo_core.arrays import Floats, Ints

EPS = 2e6 / (1.1 * math.log(2))
SNR_FACTOR = 2.1 / 1e-10
LOCAL_FACTOR = (2.1 / 1e-26) ** (1 / 3) / 100


def critic(gain: Floats, weights: Floats, decision: Ints) -> float:
    """Return the weighted sum computation rate of one decision `[N]`, in bit/s."""
    local = sum(
        w * LOCAL_FACTOR * h ** (1 / 3)
        for w, h, x in zip(weights, gain, decision, strict=True)
        if not x
    )
    offloading = [(w, h) for w, h, x in zip(weights, gain, decision, strict=True) if x]

    def inverse_snr(v: float, w: float) -> float:
        return float(1 / (-1 - 1 / lambertw(-1 / math.exp(1 + v / (w * EPS))).real))

    def energy_time(v: float) -> float:
        return 1 / (1 + SNR_FACTOR * float(sum(h**2 * inverse_snr(v, w) for w, h in offloading)))

    low, high = 0.0, 999999999.0
    while high - low > 0.005:
        v = (low + high) / 2
        marginal = local / 3 * energy_time(v) ** (-2 / 3) + EPS * SNR_FACTOR * sum(
            w * h**2 / (1 + 1 / inverse_snr(v, w)) for w, h in offloading
        )
        low, high = (v, high) if marginal > v else (low, v)

    a = energy_time(v)
    rate = local * a ** (1 / 3)
    for w, h in offloading:
        tau = SNR_FACTOR * h**2 * a * inverse_snr(v, w)
        rate += w * EPS * tau * math.log(1 + SNR_FACTOR * h**2 * a / tau)
    return float(rate)


def coordinate_descent(gain: Floats, weights: Floats) -> Ints:
    """Return the decision `[N]` reached from all local by the best single flip, while it helps."""
    best = np.zeros(len(gain), dtype=np.int64)
    rate = critic(gain, weights, best)
    while True:
        flipped = [np.where(np.arange(len(gain)) == j, 1 - best, best) for j in range(len(gain))]
        rates = [critic(gain, weights, decision) for decision in flipped]
        if max(rates) <= rate:
            return best
        best, rate = flipped[int(np.argmax(rates))], max(rates)


class Agent:
    """The published policy and its training, with order-preserving quantization and adaptive K."""

    def __init__(
        self, num_devices: int, inputs: int, hidden: tuple[int, int], training_interval: int
    ) -> None:
        self.n = self.k = num_devices
        self.inputs, self.training_interval = inputs, training_interval
        self.model = nn.Sequential(
            nn.Linear(inputs, hidden[0]),
            nn.ReLU(),
            nn.Linear(hidden[0], hidden[1]),
            nn.ReLU(),
            nn.Linear(hidden[1], num_devices),
            nn.Sigmoid(),
        )
        self.memory = np.zeros((1024, inputs + num_devices))
        self.frame = 0
        self.winners: list[int] = []
        self.rng = np.random.default_rng(0)

    def decide(self, state: Floats, score: Callable[[Ints], float], *, noisy: bool) -> Ints:
        """Play one frame: return the best candidate, store it, and train if a step is due."""
        if self.frame and self.frame % 32 == 0:
            self.k = min(max(self.winners[-32:]) % self.k + 2, self.n)
        relaxed = self.model(torch.Tensor(state[None])).detach().numpy()[0]
        candidates = self.order_preserving(relaxed)
        if noisy:
            noise = self.rng.standard_normal(self.n)
            candidates += self.order_preserving(1 / (1 + np.exp(-relaxed - noise)))
        best = int(np.argmax([score(x) for x in candidates]))
        self.winners.append(best)
        self.memory[self.frame % 1024] = np.hstack([state, candidates[best]])
        self.frame += 1
        if self.frame % self.training_interval == 0:
            self.learn()
        return candidates[best]

    def order_preserving(self, relaxed: Floats) -> list[Ints]:
        """Return the K order-preserving candidates."""
        found = [(relaxed > 0.5).astype(np.int64)]
        for i in np.argsort(np.abs(relaxed - 0.5))[: self.k - 1]:
            above = relaxed > relaxed[i] if relaxed[i] > 0.5 else relaxed >= relaxed[i]
            found.append(above.astype(np.int64))
        return found

    def learn(self) -> None:
        """Make one training step."""
        rows = self.memory[self.rng.integers(min(self.frame, 1024), size=128)]
        optimizer = torch.optim.Adam(
            self.model.parameters(), 0.01, (0.09, 0.999), weight_decay=1e-4
        )
        optimizer.zero_grad()
        relaxed = self.model(torch.Tensor(rows[:, : self.inputs]))
        loss = nn.BCELoss()(relaxed, torch.Tensor(rows[:, self.inputs :]))
        loss.backward()
        optimizer.step()


class DROO(Agent):
    """The baseline's agent for wireless powered MEC."""

    def __init__(self, num_devices: int) -> None:
        super().__init__(num_devices, num_devices, (120, 80), 10)

    def step(self, gain: Floats, weights: Floats) -> None:
        """Play one frame."""
        self.decide(gain * 1e6, lambda x: critic(gain, weights, x), noisy=False)
