"""Wireless powered mobile-edge computing as a Gymnasium environment."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from droo_core.arrays import Floats
from droo_core.validation import agreed_num_devices, check_shape
from env.channel import ChannelModel
from env.common.environment import OffloadingEnv
from env.common.local_search import LocalOptimum
from env.wpmec.critic import Allocation, WPMECCritic
from env.wpmec.features import WPMEC_FEATURES, WPMECView
from env.wpmec.parameters import WPMECParameters, default_channel, default_weights
from env.wpmec.picture import wpmec_picture


class WirelessPoweredMEC(OffloadingEnv[WPMECView]):
    """Wireless powered mobile-edge computing (DROO, problem P1).

    ## Description
    In every frame the access point first broadcasts energy, then serves the devices that offload,
    one after another. A device that does not offload computes locally during the whole frame, with
    the energy that it harvested. The agent decides; the environment allocates the frame's time
    optimally for the decision taken.

    ## Action space
    `MultiBinary(N)`: 0, device i computes locally; 1, device i offloads.

    ## Observation space
    `Box(-inf, inf, (F N,))`, from 0 for the gain alone: the state, F features of the N devices in
    the coming frame, one after the other.

    | index | observation | unit |
    |---|---|---|
    | f N + i | feature f of device i | 1 |

    | feature | |
    |---|---|
    | `gain` | channel gain, times 1e6 |
    | `log_gain` | its natural logarithm, at least -14 |
    | `weight` | weight |
    | `active` | 1 if the device has a gain, else 0 |
    | `gain@1`, ... | any of them, one or more frames ago; before the first, that of the first |

    ## Reward
    The weighted sum computation rate of the frame, bit/s.

    ## Start
    The first frame's gains, drawn from the channel model.

    ## End
    Never; `gymnasium.make("WPMEC-v0", max_episode_steps=...)` truncates.

    ## Info
    `channel_gain` `[N]`: the gains of the coming frame. After a step, of the frame just carried
    out: `energy_time`, `offload_time` `[N]` (fractions of the frame) and `rate` `[N]` (bit/s,
    unweighted).

    ## Rendering
    With `render_mode="rgb_array"`, `render` returns a picture of the frame just carried out, an
    array `[480, 640, 3]`: the offloading devices, the gains as colours, and the division of the
    frame's time. After `reset` it shows the first frame, without a decision. There is no "human"
    mode, which would open a window.

    ## Vectorized
    `gymnasium.make_vec("WPMEC-v0", num_envs=B)` makes `VectorWirelessPoweredMEC`: B of these
    environments in one call, with the results of `gymnasium.vector.SyncVectorEnv`.

    ## Arguments
    ```python
    import gymnasium
    import env

    gymnasium.make("WPMEC-v0", num_devices=20, features=("log_gain", "weight"))
    ```
    All arguments are listed below. Environments must not share a model, such as `channel`.

    ## Version history
    * v0: initial version.

    Args:
        num_devices: N; None takes it from `channel` or `weights`, or else 10.
        weights: `[N]`, positive; None takes 1, 1.5, 1, 1.5, ...
        channel: model of the gains; None takes Rayleigh fading at 2.5 m to 5.2 m. It has a state,
            so two environments must not share one.
        parameters: the physical constants; None takes the paper's.
        features: names of the features that make up the state.
        render_mode: "rgb_array", or None for no pictures.

    Raises:
        ValueError: if `num_devices`, `weights` and `channel` do not agree on N, N < 1, or there is
            no such feature or render mode.
    """

    def __init__(
        self,
        num_devices: int | None = None,
        *,
        weights: ArrayLike | None = None,
        channel: ChannelModel | None = None,
        parameters: WPMECParameters | None = None,
        features: Sequence[str] = ("gain",),
        render_mode: str | None = None,
    ) -> None:
        num_devices = agreed_num_devices(
            num_devices,
            channel=None if channel is None else channel.num_devices,
            weights=None if weights is None else np.size(weights),
        )
        channel = default_channel(num_devices) if channel is None else channel
        super().__init__(num_devices, channel, features, WPMEC_FEATURES, render_mode)
        self.critic = WPMECCritic(
            default_weights(num_devices) if weights is None else weights, parameters
        )

    @property
    def weights(self) -> Floats:
        """Weights `[N]` of the devices, positive; new ones apply from the coming frame on.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: if there are not N, or one is not positive and finite.
        """
        return self.critic.weights

    @weights.setter
    def weights(self, weights: ArrayLike) -> None:
        check_shape("weights", np.asarray(weights), (self.num_devices,))
        self.critic = WPMECCritic(weights, self.critic.parameters)
        if self._observer:
            self._observer.replace(WPMECView(self.gain, self.critic.weights))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: of the channel's random numbers; None continues with the current generator.
            options: not used.
        """
        super().reset(seed=seed, options=options)
        self._restart_models()
        self._next_frame()
        if self.render_mode is not None:
            self._picture = wpmec_picture(self.gain)
        return self.state, {"channel_gain": self.gain.copy()}

    def step(self, action: ArrayLike) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Carry out a decision `[N]` and move on to the next frame.

        Raises:
            ValueError: if the decision has another shape or is not binary.
            ArithmeticError: if the equation could not be solved, for gains far outside the
                physical range.
            RuntimeError: before the first `reset`.
        """
        allocation = self.allocate(action)
        if self.render_mode is not None:
            self._picture = wpmec_picture(self.gain, action, allocation)
        self._next_frame()
        info = {
            "channel_gain": self.gain.copy(),
            "energy_time": allocation.energy_time,
            "offload_time": allocation.offload_time,
            "rate": allocation.rate,
        }
        return self.state, allocation.computation_rate, False, False, info

    def score(self, decisions: ArrayLike) -> Floats:
        """Return the reward `[K]`, bit/s, of each decision `[K, N]` in the coming frame.

        Raises:
            ValueError: if a decision has another shape or is not binary.
            ArithmeticError: if the equation could not be solved, for gains far outside the
                physical range.
            RuntimeError: before the first `reset`.
        """
        return self.critic.score(self.gain, decisions)

    def allocate(self, decision: ArrayLike) -> Allocation:
        """Return the best resource allocation of a decision `[N]` in the coming frame.

        Raises:
            ValueError: if the decision has another shape or is not binary.
            ArithmeticError: if the equation could not be solved, for gains far outside the
                physical range.
            RuntimeError: before the first `reset`.
        """
        return self.critic.allocate(self.gain, decision)

    def climb(self, decision: ArrayLike) -> LocalOptimum:
        """Return the local optimum above a decision `[N]` in the coming frame.

        The errors are those of `allocate`; see `WPMECCritic.climb`.
        """
        return self.critic.climb(self.gain, decision)

    def _next_frame(self) -> None:
        gain = self._sample_gain()
        self._observer.add(WPMECView(gain, self.weights))
