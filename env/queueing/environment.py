"""Multi-slot mobile-edge computing with data and energy queues as a Gymnasium environment."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from droo_core.arrays import Floats
from droo_core.validation import agreed_num_devices
from env.arrivals import ArrivalModel, ExponentialArrivals
from env.channel import ChannelModel
from env.common.draws import Models
from env.common.environment import OffloadingEnv
from env.common.features import NO_FRAME
from env.common.local_search import LocalOptimum
from env.queueing.bases import QueueingAllocation
from env.queueing.critic import QueueingCritic, QueueingFrame
from env.queueing.features import OUTLOOK, QUEUEING_FEATURES, QueueingView
from env.queueing.myopic import MyopicCritic, MyopicFrame
from env.queueing.parameters import (
    MEAN_ARRIVAL,
    QueueingParameters,
    default_queueing_channel,
    default_queueing_weights,
)
from env.queueing.picture import queueing_picture
from env.queueing.queues import Queues, first_queues

# Names of quantities in infos.
COMING = ("channel_gain", "data_queue", "energy_queue")  # of the coming frame
DONE = ("rate", "energy", "frequency", "offload_time", "power")  # of the frame carried out


class QueueingMEC(OffloadingEnv[QueueingView]):
    """Multi-slot mobile-edge computing with data queues and energy budgets (LyDROO, problem P4).

    ## Description
    Each device has a queue of data to compute, into which new data arrive in every frame of 1 s,
    and a budget of energy that it may use on average. A virtual energy queue measures how far it
    has exceeded the budget. In every frame a device computes locally or offloads. The agent
    decides; the environment allocates processor frequencies, transmit powers and the frame's time
    optimally for the decision taken: it weighs computed data against energy by the two queues
    (Lyapunov drift plus penalty), so that in the long run data queues stay short and budgets are
    kept.

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
    | `ahead` | sum of the airtimes of the devices with a higher price, at most 4 |
    | `gain@1`, ... | any of them, one or more frames ago; before the first, that of the first |

    The first three, which are the default, are the published state.

    ## Reward
    The frame's objective: the sum of (Q + V w) r - c Y e over the devices, Mbit^2. With
    `allocation` "myopic" the weighted sum of the rates r, Mbit.

    ## Start
    The first frame's gains, drawn from the channel model, and empty queues, unless the options of
    `reset` hold others.

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
    array `[480, 640, 3]`: the offloading devices, the gains as colours, the division of the frame's
    time, and the queues. After `reset` it shows the first frame, without a decision. There is no
    "human" mode, which would open a window.

    ## Vectorized
    `gymnasium.make_vec("QueueingMEC-v0", num_envs=B)` makes `VectorQueueingMEC`: B of these
    environments in one call, with the results of `gymnasium.vector.SyncVectorEnv`.

    ## Arguments
    ```python
    import gymnasium
    import env

    gymnasium.make("QueueingMEC-v0", num_devices=20, features=("log_gain", "log_data_queue"))
    ```
    All arguments are listed below. Environments must not share a model, such as `channel`.

    ## Version history
    * v0: initial version.

    Args:
        num_devices: N; None takes it from `channel`, `arrivals` or `weights`, or else 10.
        weights: `[N]`, positive; None takes 1.5, 1, 1.5, 1, ...
        channel: model of the gains; None takes Rician fading at 120 m to 255 m.
        arrivals: model of the new data; None takes exponential arrivals, 3 Mbit on average. Both
            models have a state, so two environments must share neither.
        parameters: the constants; None takes the paper's.
        features: names of the features that make up the state.
        allocation: "lyapunov"; or "myopic", to compute as much as possible in each frame by itself,
            within the unused part of the energy budgets of all frames so far.
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
            raise ValueError(
                f"features must not be of {', '.join(OUTLOOK)} if the allocation is myopic"
            )
        self._no_outlook = np.zeros((3, n))  # placeholder if no feature needs the outlook
        self._coming: QueueingFrame | MyopicFrame | None = None
        self._queues: Queues  # of the coming frame

    @property
    def models(self) -> Models:
        """The models that a step samples, in this order; the channel is the last."""
        return (self.arrivals, self.channel)

    @property
    def weights(self) -> Floats:
        """Weights `[N]` of the devices, read-only."""
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
        """Start an episode.

        Args:
            seed: of the random numbers of channel and arrivals; None continues with the current
                generator.
            options: `data_queue` (Mbit) and `energy_queue`, `[N]` each: the initial queues.

        Raises:
            TypeError: if a queue holds anything but real numbers.
            ValueError: if its shape differs, an entry is negative, NaN or infinite, or there is
                another option; nothing has changed then.
        """
        queues = first_queues(options or {}, self.num_devices, self.parameters)
        super().reset(seed=seed, options=options)
        self._restart_models()
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
        """Return the reward `[K]` of each decision `[K, N]` in the coming frame.

        Raises:
            ValueError: if a decision has another shape or is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
            RuntimeError: before the first `reset`.
        """
        return self._frame.score(decisions)

    def allocate(self, decision: ArrayLike) -> QueueingAllocation:
        """Return the best resource allocation of a decision `[N]` in the coming frame.

        Raises:
            ValueError: if the decision has another shape or is not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
            RuntimeError: before the first `reset`.
        """
        return self._frame.allocate(decision)

    def climb(self, decision: ArrayLike) -> LocalOptimum:
        """Return the local optimum above a decision `[N]` in the coming frame.

        The errors are those of `allocate`; see `QueueingFrame.climb`.
        """
        return self._frame.climb(decision)

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
        gain = self._sample_gain()
        data_queue, energy_queue, energy_left = queues
        for array in (data_queue, energy_queue):
            array.flags.writeable = False  # callers receive them
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
        frame = self._observer.frame[: len(COMING)]
        return {name: array.copy() for name, array in zip(COMING, frame, strict=True)}
