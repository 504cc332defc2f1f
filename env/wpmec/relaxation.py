"""Linear relaxation: devices may offload in part, and the result is rounded."""

import numpy as np
import scipy

from droo_core.arrays import Floats, Ints
from env.common.lambert import log_snr
from env.problem import Frame
from env.wpmec.critic import WPMECCritic
from env.wpmec.frame_like import wpmec_frame
from env.wpmec.kernels.bound import relaxation

GRID = np.linspace(0.02, 0.98, 13)  # energy times from which the search starts
TIE = 1e-6  # relative difference up to which local and offloading rates count as equal


def linear_relaxation(frame: Frame) -> Ints:
    """Return the rounded solution `[N]` of the problem with decisions in [0, 1].

    This is the LR that the DROO paper compares with (numerical results): relax x_i to [0, 1],
    solve, and let device i offload if, in the solution, it computes no less by offloading than it
    would locally. The paper solves with a general convex solver and leaves open how the product of
    x_i and the energy time a becomes convex. Here a device with x_i between 0 and 1 offloads with
    this share of its energy and computes locally for the rest,

        w_i [(1 - x_i) r_L,i(a) + B tau_i / v_u log2(1 + x_i mu P a h_i^2 / (tau_i N0))],

    which is concave for given a and is solved by the price of time; a is found by a scalar search.

    Args:
        frame: a `WirelessPoweredMEC` or `WPMECFrame`.

    Raises:
        TypeError: if `frame` is of another problem.
    """
    checked = wpmec_frame(frame)
    critic = checked.critic
    gain = critic.check_gain(checked.gain)
    if not gain.any():
        return np.zeros(critic.num_devices, dtype=np.int64)
    first_price = float(critic.score(gain, np.zeros((1, critic.num_devices)))[0])

    def solve(energy_time: float) -> tuple[float, float]:
        return relaxation(gain, *critic.kernel_arguments, energy_time, first_price)

    step = GRID[1] - GRID[0]
    near = max(GRID, key=lambda a: solve(a)[0])
    bounds = (max(near - step, 0.0), min(near + step, 1.0))
    search = scipy.optimize.minimize_scalar(
        lambda a: -solve(a)[0], bounds=bounds, options={"xatol": 1e-6}
    )
    a = float(search.x)
    return _rounded(critic, gain, a, solve(a)[1])


def _rounded(critic: WPMECCritic, gain: Floats, a: float, price: float) -> Ints:
    """Return the decision `[N]`: which devices compute no less by offloading than locally."""
    class_of, class_weights, (snr_factor, local_factor, eps) = critic.kernel_arguments
    log_snrs = np.array([log_snr(price / (weight * eps)) for weight in class_weights])[class_of]
    per_snr = np.exp(-log_snrs) / -np.expm1(-log_snrs)  # 1 / SNR, without overflow
    offload_time = a * snr_factor * gain**2 * per_snr  # of a device that offloads fully
    offloading = critic.weights * eps * offload_time * log_snrs
    local = critic.weights * local_factor * np.cbrt(gain * a)
    surplus = offloading - price * offload_time - local
    fully = surplus > TIE * local
    partly = (abs(surplus) <= TIE * local) & (gain > 0)  # they share the time that is left
    time_left = max(1 - a - offload_time[fully].sum(), 0.0)
    share = min(time_left / max(offload_time[partly].sum(), 1e-300), 1.0)
    decision: Ints = (fully | (partly & (share * offloading >= local))).astype(np.int64)
    return decision
