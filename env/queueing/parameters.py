"""The physical constants, default weights and default channel of multi-slot MEC with queues."""

import math
from dataclasses import asdict, dataclass

import numpy as np

from droo_core.arrays import Floats
from droo_core.validation import in_range, positive_int
from env.channel import BlockFading, linear_placement, path_loss_gain, rician
from env.queueing.kernels.devices import Constants

MEAN_ARRIVAL = 3.0  # Mbit a frame


@dataclass(frozen=True)
class QueueingParameters:
    """The constants of multi-slot MEC with queues, as in the LyDROO paper; a frame lasts 1 s.

    Raises:
        TypeError: if one is not a real number.
        ValueError: if one is not positive and finite; the trade-off may be 0.
    """

    tradeoff: float = 20.0
    """V: weight of the computation rate against the queues, Mbit."""
    cycles_per_bit: float = 100.0
    """phi: processor cycles to compute one bit."""
    max_frequency: float = 3e8
    """f_max: of a device's processor, cycles/s."""
    energy_coefficient: float = 1e-26
    """kappa: energy of a processor cycle over the square of its frequency, J s^2."""
    bandwidth: float = 2e6
    """W: Hz."""
    communication_overhead: float = 1.1
    """v_u: bits sent for one bit of data."""
    noise_density: float = 10**-20.4
    """Noise power at the access point for each hertz, W/Hz: -174 dBm/Hz."""
    max_power: float = 0.1
    """P_max: transmit power of a device, W."""
    energy_budget: float = 0.08
    """e_max: energy that a device may use in a frame on average, J."""
    energy_queue_scale: float = 1000.0
    """nu: growth of an energy queue for each joule over the budget, 1/J."""
    energy_price: float = 10.0
    """c: price of a joule in the objective, over the energy queue."""

    def __post_init__(self) -> None:
        """Check the values."""
        for name, value in asdict(self).items():
            in_range(name, value, 0, math.inf, (), open_low=name != "tradeoff")

    @property
    def constants(self) -> Constants:
        """The kernels' constants."""
        return Constants(
            tradeoff=float(self.tradeoff),
            energy_price=float(self.energy_price),
            bits_per_cycle=1e-6 / self.cycles_per_bit,
            max_frequency=float(self.max_frequency),
            energy_coefficient=float(self.energy_coefficient),
            rate_per_nat=self.bandwidth * 1e-6 / (self.communication_overhead * math.log(2)),
            noise_power=self.bandwidth * self.noise_density,
            max_power=float(self.max_power),
        )


def default_queueing_weights(num_devices: int) -> Floats:
    """Return the LyDROO code's weights `[N]`: 1.5, 1, 1.5, 1, ..."""
    return np.where(np.arange(positive_int("num_devices", num_devices)) % 2 == 0, 1.5, 1.0)


def default_queueing_channel(num_devices: int) -> BlockFading:
    """Return the LyDROO paper's channel: 120 m to 255 m, Rician fading, independent frames."""
    distance = linear_placement(num_devices, 120.0, 255.0)
    return rician(path_loss_gain(distance, exponent=3.0), line_of_sight=0.3)
