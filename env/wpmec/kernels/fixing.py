"""Kernels of wireless powered MEC: devices whose choice is proven right, in branch and bound.

Symbols are those of `solver`, bounds those of `bound`.
"""

import math

from droo_core.arrays import Floats, Ints
from droo_core.jit import inner_kernel
from droo_core.numeric import argsort_descending, cube_root
from env.common.lambert import log_snr
from env.wpmec.kernels.allocation import LOCAL
from env.wpmec.kernels.bound import BREAKPOINT, CLASS, OFFLOAD, UNDECIDED, Decision
from env.wpmec.kernels.solver import SCALE

ORDER, LINKS = 2, 3
"""Rows of `numbers` `[5, N]` beside those of `bound`: a buffer; and in row LINKS + x, for each
device the device that chooses x if this one does, or -1."""


@inner_kernel
def exchange_rule(
    gain: Floats, value_bound: float, numbers: Ints, classes: Floats, previous: Ints
) -> None:
    """Write for each device the devices that may be assumed to decide alike at an optimum.

    Let device i offload at SNR y while device j, of the same weight and with a gain r >= 1 times
    as large, computes locally. If they exchange decisions and the offloading time stays, the rate
    of the offloading device grows by the factor ln(1 + y r^2) / ln(1 + y), and that of the local
    device falls by r^(1/3) - 1 times the local rate of i, which is at most the rate of i by
    offloading, or i would not offload. So the exchange loses nothing if

        ln(1 + y r^2) >= r^(1/3) ln(1 + y).

    The left side over the right falls as y grows. y grows with the multiplier v, and at an optimum
    v is the value less two thirds of the local rates, so at most any bound on the value: with the y
    of that bound, the condition is a proof. It is tested on neighbours in the order of gains, which
    implies it for pairs further apart.

    Writes the links into `numbers`: the device that computes locally if this one does, and the
    device that offloads if this one does; -1 if the condition fails or there is none.

    Args:
        gain: channel gains `[N]`.
        value_bound: an upper bound on the value of every decision.
        numbers: of the devices `[5, N]`.
        classes: of the devices `[C, COLUMNS]`.
        previous: buffer `[C]`.
    """
    order = numbers[ORDER]
    argsort_descending(gain, order)
    for c in range(len(classes)):
        previous[c] = -1
    for k in range(len(gain)):
        i = order[k]
        c = numbers[CLASS, i]
        j = previous[c]
        previous[c] = i
        numbers[LINKS, i] = numbers[LINKS + 1, i] = -1
        if j >= 0 and gain[i] > 0.0:
            t = log_snr(value_bound / classes[c, SCALE])  # ln(1 + y)
            r = gain[j] / gain[i]
            if math.log1p(-math.expm1(-t) * (r * r - 1.0)) >= (cube_root(r) - 1.0) * t:
                numbers[LINKS, j] = i
                numbers[LINKS + 1, i] = j


@inner_kernel
def fix(device: int, choice: int, numbers: Ints, fixed: Decision) -> None:
    """Fix the choice of a device and of the devices linked to it in `fixed` `[N]`."""
    while device >= 0:
        fixed[device] = choice
        device = numbers[LINKS + choice, device]


@inner_kernel
def fix_proven(
    slack: float, low: float, high: float, devices: Floats, numbers: Ints, fixed: Decision
) -> None:
    """Fix each device whose other choice would lower the bound by `slack` or more.

    `slack` is the distance of the bound to the value below which nodes are discarded; `low`, `high`
    and `devices` are the arguments of the last call of `dual`.
    """
    root_of_low, root_of_high = cube_root(low), cube_root(high)
    for i in range(len(fixed)):
        if fixed[i] == UNDECIDED:
            # The advantage of computing locally is concave in the energy time, zero at the
            # breakpoint and decreasing from there on: its minimum over the interval is at an end.
            local, offload, onset = devices[LOCAL, i], devices[OFFLOAD, i], devices[BREAKPOINT, i]
            at_low = local * root_of_low - offload * low
            at_high = local * root_of_high - offload * high
            if onset >= high and min(at_low, at_high) >= slack:
                fix(i, 0, numbers, fixed)
            elif onset <= low and -at_low >= slack:
                fix(i, 1, numbers, fixed)
