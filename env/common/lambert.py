"""Kernel that solves a transcendental equation of rate allocation, Lambert's W in disguise."""

import math

from droo_core.jit import kernel_of

kernel = kernel_of(__file__)


@kernel
def log_snr(u: float) -> float:
    """Solve t + e^-t - 1 = u for t >= 0, to machine precision."""
    if u < 1e-4:
        # The power series of t in sqrt(2 u): the equation loses digits for small u.
        s = math.sqrt(2.0 * u)
        return s * (1 + s * (1 / 6 + s * (1 / 36 + s * (1 / 270 + s * (1 / 4320 - s / 17010)))))
    # Start: the series of Lambert's W about its branch point, exact in both limits of u.
    p = math.sqrt(-2.0 * math.expm1(-u))
    t = u + p * (1 - p * (1 / 3 - p * (11 / 72 - p * 43 / 540)))
    for _ in range(2):  # Halley's steps triple the number of digits
        q = -math.expm1(-t)
        residual = t - q - u
        t -= residual / (q - 0.5 * residual * (1 - q) / q)
    return t
