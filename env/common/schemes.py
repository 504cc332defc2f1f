"""What a scheme is: a function of a frame that returns an offloading decision."""

from collections.abc import Callable
from typing import Protocol

from env.problem import Floats, Frame, Ints
from env.wpmec.critic import WPMECCritic


class WPMECFrameLike(Frame, Protocol):
    """What the schemes made for wireless powered MEC need: `WirelessPoweredMEC`, `WPMECFrame`."""

    @property
    def critic(self) -> WPMECCritic:
        """The weights and physical constants."""

    @property
    def gain(self) -> Floats:
        """Channel gains `[N]`."""


Scheme = Callable[[WPMECFrameLike], Ints]  # one that takes any `Frame` is a `Scheme` as well


def critic_and_gain(frame: WPMECFrameLike) -> tuple[WPMECCritic, Floats]:
    """Return the critic and the gains `[N]` of a frame.

    Raises:
        TypeError: if it is not of wireless powered MEC.
        ValueError: if the shape of the gains differs, or one is negative, NaN or infinite.
    """
    critic = getattr(frame, "critic", None)
    if not isinstance(critic, WPMECCritic):
        raise TypeError(
            "frame must be a WirelessPoweredMEC (of gymnasium.make: its .unwrapped) or a "
            f"WPMECFrame, got {type(frame).__name__}"
        )
    return critic, critic.check_gain(frame.gain)
