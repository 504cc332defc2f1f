"""Multi-slot mobile-edge computing with data and energy queues as a Gymnasium environment."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from droo_core.validation import agreed_num_devices, in_range, positive_int
from env.arrivals import ArrivalModel, ExponentialArrivals
from env.channel import BlockFading, ChannelModel, linear_placement, path_loss_gain, rician
from env.common.environment import OffloadingEnv
from env.common.features import NO_FRAME, OUTLOOK, QUEUEING_FEATURES, QueueingView
from env.common.rendering import Picture
from env.queueing.critic import (
    LocalOptimum,
    QueueingAllocation,
    QueueingCritic,
    QueueingFrame,
    QueueingParameters,
)
from env.queueing.myopic import MyopicCritic, MyopicFrame

Floats = NDArray[np.float64]

MEAN_ARRIVAL = 3.0  # Mbit a frame
GAIN_RANGE = (-130.0, -90.0)  # dB, that pictures tell apart

# Of what infos tell, by name.
TOLD = ("channel_gain", "data_queue", "energy_queue")  # of the coming frame
DONE = ("rate", "energy", "frequency", "offload_time", "power")  # of that carried out


class Queues(NamedTuple):
    """What a frame finds from those before it, `[N]` each; of B environments `[B, N]`.

    Attributes:
        data_queue: Mbit.
        energy_queue: virtual energy queues.
        energy_left: of the budgets of all frames up to this one, J.
    """

    data_queue: Floats
    energy_queue: Floats
    energy_left: Floats

    def after(
        self, rate: Floats, energy: Floats, arrival: Floats, parameters: QueueingParameters
    ) -> "Queues":
        """Return what the next frame finds; rates and arrivals in Mbit, energies in J, as these."""
        budget = parameters.energy_budget
        scaled = parameters.energy_queue_scale * (energy - budget)
        return Queues(
            np.maximum(self.data_queue - rate + arrival, 0.0),  # rounding may leave less than 0
            np.maximum(self.energy_queue + scaled, 0.0),
            np.maximum(self.energy_left - energy, 0.0) + budget,
        )


def default_queueing_weights(num_devices: int) -> Floats:
    """Return the LyDROO code's weights `[N]`: 1.5, 1, 1.5, 1, ..."""
    return np.where(np.arange(positive_int("num_devices", num_devices)) % 2 == 0, 1.5, 1.0)


def default_queueing_channel(num_devices: int) -> BlockFading:
    """Return the LyDROO paper's channel: 120 m to 255 m, Rician fading, independent frames."""
    distance = linear_placement(num_devices, 120.0, 255.0)
    return rician(path_loss_gain(distance, exponent=3.0), line_of_sight=0.3)


def first_queues(
    options: Mapping[str, Any], num_devices: int, parameters: QueueingParameters
) -> Queues:
    """Return the queues `[N]` that an episode starts with, empty but for what the options say.

    Raises:
        TypeError: if a queue holds no real numbers.
        ValueError: if its shape differs, an entry is negative, NaN or infinite, or there is another
            option.
    """
    queues = {name: np.zeros(num_devices) for name in ("data_queue", "energy_queue")}
    for name, values in options.items():
        if name not in queues:
            raise ValueError(f"options must be of {', '.join(queues)}, got {name!r}")
        queues[name] = in_range(name, values, 0, math.inf, (num_devices,)).copy()
    return Queues(**queues, energy_left=np.full(num_devices, parameters.energy_budget, float))


def queueing_picture(
    gain: Floats,
    data_queue: Floats,
    energy_queue: Floats,
    decision: ArrayLike | None = None,
    done: QueueingAllocation | None = None,
) -> Picture:
    """Return the picture of a frame `[N]`, and how a decision `[N]` was carried out in it."""
    queues = {"Data queue, Mbit": data_queue, "Energy queue": energy_queue}
    if decision is None or done is None:
        return Picture("Before the first decision", gain, GAIN_RANGE, queues=queues)
    offload, computed, used = np.array(decision, np.int64), done.rate.sum(), done.energy.sum()
    title = f"{offload.sum()} of {len(gain)} offload (blue): {computed:.1f} Mbit, {used:.2f} J"
    return Picture(title, gain, GAIN_RANGE, offload, 0.0, done.offload_time.copy(), queues)


class QueueingMEC(OffloadingEnv[QueueingView]):
    """Multi-slot mobile-edge computing with data queues and energy budgets (LyDROO, problem P4).

    ## Description
    Each device has a queue of data to compute, into which new data arrive in every frame of 1 s,
    and a budget of energy that it may use on average. A virtual energy queue tells how far it is
    over that. In every frame a device computes locally or offloads. The environment allocates
    processor frequencies, transmit powers and the frame's time in the best way for the decision
    taken: that which weighs what is computed against energy by the two queues (Lyapunov drift plus
    penalty), so that in the long run data queues stay short and the budgets are kept. The decision
    is the agent's.

    ## Action space
    `MultiBinary(N)`: 0, device i computes locally; 1, device i offloads.

    ## Observation space
    `Box(-inf, inf, (F N,))`, from 0 unless `log_gain` is among the features: the state, F features
    of the N devices in the coming frame, one after the other.

    | index | observation | unit |
    |---|---|---|
    | f N + i | feature f of device i | 1 |

    | feature | |
    |---|---|
    | `gain` | channel gain, times 1e10 |
    | `data_queue` | data queue in Mbit, over 1e4 |
    | `energy_queue` | virtual energy queue, over 1e4 |
    | `log_gain` | natural logarithm of `gain`, at least -14 |
    | `log_data_queue` | ln(1 + data queue in Mbit) |
    | `log_energy_queue` | ln(1 + virtual energy queue) |
    | `weight` | weight |
    | `active` | 1 if the device has a gain, else 0 |
    | `log_price` | ln(1 + the price of time up to which it gains by offloading) |
    | `airtime` | time in s that it would take at that price, at most 4 |
    | `ahead` | sum of the airtimes of those with a higher price, at most 4 |
    | `gain@1`, ... | any of them, one or more frames ago; before the first, that of the first |

    The first three, which are the default, are the published state.

    ## Reward
    The frame's objective: the sum of (Q + V w) r - c Y e over the devices, Mbit^2. With
    `allocation` "myopic" the weighted sum of the rates r, Mbit.

    ## Start
    The first frame's gains, drawn from the channel model, and empty queues, or those that `reset`
    has among its options.

    ## Queues
    After a frame Q becomes max(Q - r + A, 0), with the arrivals A, and Y becomes
    max(Y + nu (e - e_max), 0).

    ## End
    Never; `gymnasium.make("QueueingMEC-v0", max_episode_steps=...)` truncates.

    ## Info
    `channel_gain`, `data_queue` (Mbit) and `energy_queue`, `[N]` each: of the coming frame. After a
    step, of the frame just carried out, `[N]` each: `rate` (Mbit), `energy` (J), `frequency`
    (cycles/s), `offload_time` (s), `power` (W) and `arrival` (Mbit).

    ## Rendering
    With `render_mode="rgb_array"`, `render` returns a picture of the frame just carried out, an
    array `[480, 640, 3]`: who offloads, the gains as colours, how the frame's time is divided, and
    the queues. After `reset` it is the first frame, without a decision. No window is opened: there
    is no "human" mode.

    ## Vectorized
    `gymnasium.make_vec("QueueingMEC-v0", num_envs=B)` makes `VectorQueueingMEC`: B of these
    environments in one call, step for step what `gymnasium.vector.SyncVectorEnv` returns.

    ## Arguments
    ```python
    import gymnasium
    import env

    gymnasium.make("QueueingMEC-v0", num_devices=20, features=("log_gain", "log_data_queue"))
    ```
    All arguments are below. One that is a model, such as `channel`, must not be shared.

    ## Version history
    * v0: initial version.

    Args:
        num_devices: N; None takes it from `channel`, `arrivals` or `weights`, or else 10.
        weights: `[N]`, positive; None takes 1.5, 1, 1.5, 1, ...
        channel: where the gains come from; None takes Rician fading at 120 m to 255 m.
        arrivals: where the new data come from; None takes exponential ones, 3 Mbit on average. Two
            environments must share neither channel nor arrivals, which keep their state.
        parameters: the constants; None takes the paper's.
        features: what the state tells of each device.
        allocation: "lyapunov"; or "myopic", to compute as much as can be in each frame by itself,
            within the energy that is left of the budgets of all frames so far.
        render_mode: "rgb_array", or None for no pictures.

    Raises:
        TypeError: if `num_devices` is not an integer.
        ValueError: if `num_devices`, `weights`, `channel` and `arrivals` do not agree on N, N < 1,
            or there is no such feature, allocation or render mode.
    """

    def __init__(
        self,
        num_devices: int | None = None,
        *,
        weights: ArrayLike | None = None,
        channel: ChannelModel | None = None,
        arrivals: ArrivalModel | None = None,
        parameters: QueueingParameters | None = None,
        features: Sequence[str] = ("gain", "data_queue", "energy_queue"),
        allocation: Literal["lyapunov", "myopic"] = "lyapunov",
        render_mode: str | None = None,
    ) -> None:
        n = agreed_num_devices(
            num_devices,
            channel=None if channel is None else channel.num_devices,
            arrivals=None if arrivals is None else arrivals.num_devices,
            weights=None if weights is None else np.size(weights),
        )
        if allocation not in ("lyapunov", "myopic"):
            raise ValueError(f"allocation must be lyapunov or myopic, got {allocation!r}")
        channel = default_queueing_channel(n) if channel is None else channel
        super().__init__(n, channel, features, QUEUEING_FEATURES, render_mode)
        self.arrivals = (
            ExponentialArrivals(np.full(n, MEAN_ARRIVAL)) if arrivals is None else arrivals
        )
        weights = default_queueing_weights(n) if weights is None else weights
        self.critic: QueueingCritic | MyopicCritic = (
            MyopicCritic(weights, parameters)
            if allocation == "myopic"
            else QueueingCritic(weights, parameters)
        )
        self.looks_ahead = not self._observer.names.isdisjoint(OUTLOOK)
        if self.looks_ahead and allocation == "myopic":
            raise ValueError(f"features must not be of {', '.join(OUTLOOK)} where it is myopic")
        self._no_outlook = np.zeros((3, n))  # where no feature asks for one
        self._coming: QueueingFrame | MyopicFrame | None = None
        self._queues: Queues  # of the coming frame

    @property
    def weights(self) -> Floats:
        """Weights `[N]` of the devices."""
        return self.critic.weights

    @property
    def parameters(self) -> QueueingParameters:
        """The constants."""
        return self.critic.parameters

    @property
    def data_queue(self) -> Floats:
        """Data queues Q `[N]` at the start of the coming frame, Mbit, read-only.

        Raises:
            RuntimeError: before the first `reset`.
        """
        return self._observer.frame.data_queue

    @property
    def energy_queue(self) -> Floats:
        """Virtual energy queues Y `[N]` at the start of the coming frame, read-only.

        Raises:
            RuntimeError: before the first `reset`.
        """
        return self._observer.frame.energy_queue

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Start anew; `seed` makes channel and arrivals repeatable.

        Args:
            seed: of the random numbers.
            options: `data_queue` (Mbit) and `energy_queue`, `[N]` each: the queues to start with.

        Raises:
            TypeError: if a queue holds no real numbers.
            ValueError: if its shape differs, an entry is negative, NaN or infinite, or there is
                another option. Nothing has changed then.
        """
        queues = first_queues(options or {}, self.num_devices, self.parameters)
        super().reset(seed=seed, options=options)
        self.channel.reset()
        self.arrivals.reset()
        self._observer.clear()
        self._next_frame(queues)
        if self.render_mode is not None:
            self._picture = queueing_picture(*self._observer.frame[:3])
        return self.state, self._info()

    def step(self, action: ArrayLike) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Carry out a decision `[N]` and move on to the next frame.

        Raises:
            ValueError: if the decision has another shape or is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
            RuntimeError: before the first `reset`.
        """
        done = self.allocate(action)
        if self.render_mode is not None:
            self._picture = queueing_picture(*self._observer.frame[:3], action, done)
        arrival = self.arrivals.sample(self.np_random, 1)[0]
        self._next_frame(self._queues.after(done.rate, done.energy, arrival, self.parameters))
        info = self._info() | {name: getattr(done, name) for name in DONE} | {"arrival": arrival}
        return self.state, done.objective, False, False, info

    def score(self, decisions: ArrayLike) -> Floats:
        """Return the reward `[K]` that each decision `[K, N]` would earn in the coming frame.

        Raises:
            ValueError: if a decision has another shape or is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
            RuntimeError: before the first `reset`.
        """
        return self._frame.score(decisions)

    def allocate(self, decision: ArrayLike) -> QueueingAllocation:
        """Return how a decision `[N]` would best be carried out in the coming frame.

        Raises:
            ValueError: if the decision has another shape or is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
            RuntimeError: before the first `reset`.
        """
        return self._frame.allocate(decision)

    def climb(self, decision: ArrayLike) -> LocalOptimum:
        """Return what local search makes of a decision `[N]`: see `QueueingFrame.climb`.

        Raises:
            TypeError: if the allocation is myopic.
            ValueError: if the decision has another shape or is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
            RuntimeError: before the first `reset`.
        """
        frame = self._frame
        if not isinstance(frame, QueueingFrame):
            raise TypeError("climb wants the allocation lyapunov, got myopic")
        return frame.climb(decision)

    @property
    def _frame(self) -> QueueingFrame | MyopicFrame:
        """The coming frame.

        Raises:
            RuntimeError: before the first `reset`.
        """
        if self._coming is None:
            raise RuntimeError(NO_FRAME)
        return self._coming

    def _next_frame(self, queues: Queues) -> None:
        gain = self.channel.sample(self.np_random, 1)[0].copy()  # it may be the channel's own
        data_queue, energy_queue, energy_left = queues
        for array in (gain, data_queue, energy_queue):
            array.flags.writeable = False  # they are handed out; a frame does not change
        outlook = self._no_outlook
        if isinstance(self.critic, MyopicCritic):
            self._coming = self.critic.frame(gain, data_queue, energy_left)
        else:
            self._coming = self.critic.frame(gain, data_queue, energy_queue)
            if self.looks_ahead:
                outlook = self._coming.outlook()
        self._observer.add(QueueingView(gain, data_queue, energy_queue, self.weights, *outlook))
        self._queues = queues

    def _info(self) -> dict[str, Any]:
        frame = self._observer.frame[: len(TOLD)]
        return {name: array.copy() for name, array in zip(TOLD, frame, strict=True)}
