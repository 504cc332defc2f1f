"""The physical constants, default weights and default channel of wireless powered MEC."""

import math
from dataclasses import asdict, dataclass

import numpy as np

from droo_core.arrays import Floats
from droo_core.validation import in_range, positive_int
from env.channel import BlockFading, linear_placement, path_loss_gain, rayleigh


@dataclass(frozen=True)
class WPMECParameters:
    """The physical constants of wireless powered MEC, as in the DROO paper.

    Raises:
        TypeError: if one is not a real number.
        ValueError: if one is not positive and finite.
    """

    harvesting_efficiency: float = 0.7
    """mu: energy harvested over energy received."""
    transmit_power: float = 3.0
    """P: radio-frequency power of the access point, W."""
    cycles_per_bit: float = 100.0
    """phi: processor cycles to compute one bit."""
    energy_coefficient: float = 1e-26
    """k: energy of a processor cycle over the square of its frequency, J s^2."""
    noise_power: float = 1e-10
    """N0: noise power at the access point, W."""
    bandwidth: float = 2e6
    """B: Hz."""
    communication_overhead: float = 1.1
    """v_u: bits sent for one bit of data."""

    def __post_init__(self) -> None:
        """Check the values."""
        for name, value in asdict(self).items():
            in_range(name, value, 0, math.inf, (), open_low=True)

    @property
    def constants(self) -> tuple[float, float, float]:
        """The kernels' constants: mu P / N0, (mu P / k)^(1/3) / phi and B / (v_u ln 2)."""
        power = self.harvesting_efficiency * self.transmit_power
        return (
            power / self.noise_power,
            float(np.cbrt(power / self.energy_coefficient)) / self.cycles_per_bit,
            self.bandwidth / (self.communication_overhead * math.log(2)),
        )


def default_weights(num_devices: int) -> Floats:
    """Return the DROO paper's weights `[N]`: 1, 1.5, 1, 1.5, ..."""
    return np.where(np.arange(positive_int("num_devices", num_devices)) % 2 == 0, 1.0, 1.5)


def default_channel(num_devices: int) -> BlockFading:
    """Return the DROO paper's channel: 2.5 m to 5.2 m, Rayleigh fading, independent frames."""
    return rayleigh(path_loss_gain(linear_placement(num_devices)))
