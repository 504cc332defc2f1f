"""The acceptance rule of single-change ascent: one for agent, schemes and compiled kernels."""

import math

from numba.extending import register_jitable

LEAST_GAIN = 1e-12
"""The least relative gain of an accepted change: above rounding, so that no two decisions of equal
reward replace each other for ever."""


@register_jitable
def improves(reward: float, current: float) -> bool:
    """Tell whether a reward exceeds the current one by more than rounding; kernels may call it.

    Any feasible reward improves on an infeasible one, minus infinity.
    """
    if current == -math.inf:
        return reward > current
    return reward - current > LEAST_GAIN * abs(current)
