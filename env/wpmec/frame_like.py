"""Frames of wireless powered MEC: environments that wait for a decision, and `WPMECFrame`."""

from typing import Protocol, cast

from droo_core.arrays import Floats
from env.problem import Frame
from env.wpmec.critic import WPMECCritic


class WPMECFrameLike(Frame, Protocol):
    """A frame of wireless powered MEC: a `WirelessPoweredMEC` or a `WPMECFrame`."""

    @property
    def critic(self) -> WPMECCritic:
        """The critic, with weights and physical constants."""

    @property
    def gain(self) -> Floats:
        """Channel gains `[N]`."""


def wpmec_frame(frame: Frame) -> WPMECFrameLike:
    """Return the frame itself if it is of wireless powered MEC.

    Raises:
        TypeError: if it is of another problem.
    """
    if not isinstance(getattr(frame, "critic", None), WPMECCritic):
        raise TypeError(
            "frame must be a WirelessPoweredMEC (of gymnasium.make: its .unwrapped) or a "
            f"WPMECFrame, got {type(frame).__name__}"
        )
    return cast(WPMECFrameLike, frame)
