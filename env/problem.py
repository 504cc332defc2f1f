"""The contract of a problem with a scheme, an agent and a loop that plays it frame by frame.

These are protocols, not base classes: any object with the members listed is one.
`env.check_problem` reports what is wrong with an object.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints


class Frame(Protocol):
    """One time frame of a problem: all that a generic scheme such as `coordinate_descent` needs."""

    @property
    def num_devices(self) -> int:
        """N, the number of devices."""

    def score(self, decisions: Ints, /) -> Floats:
        """Return the rewards `[K]` of decisions `[K, N]`; larger is better.

        Minus infinity marks an infeasible decision. `score` is called several times a frame, for
        any K, and must change nothing: the reward of a decision depends neither on the number of
        calls nor on the other decisions in the call.
        """


Scheme: TypeAlias = Callable[[Frame], Ints]
"""A function from a frame to an offloading decision `[N]`."""


class Climbable(Frame, Protocol):
    """A frame with its own single-change ascent, usually compiled."""

    def climb(self, decision: Ints, /) -> tuple[Ints, float, int]:
        """Return what `env.common.local_search.climb` returns, from a decision `[N]` on.

        Returns:
            A decision `[N]` that no change of one device improves, its reward, and the number of
            decisions scored.
        """


class CertifiedOptimum(Protocol):
    """A decision with a proof of how good it is."""

    @property
    def decision(self) -> Ints:
        """Zeros and ones `[N]`."""

    @property
    def reward(self) -> float:
        """Score of the decision."""

    @property
    def upper_bound(self) -> float:
        """Upper bound on the score of every decision."""

    @property
    def gap(self) -> float:
        """`upper_bound / reward - 1`."""


class Problem(Frame, Protocol):
    """A frame with a state: all that an agent needs."""

    @property
    def state(self) -> NDArray[np.floating[Any]]:
        """The agent's input for the frame, `[inputs]`: numbers of about 1, of constant size.

        Policies that treat devices alike expect features, each of all N devices, one feature after
        the other.
        """


class PlayableProblem(Problem, Protocol):
    """A problem that moves on from frame to frame, as a Gymnasium environment does."""

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Go to a first frame; return its state and any further information.

        The same seed brings the same frames. Called without a seed after an episode has ended,
        `reset` continues with the current random generator.
        """

    def step(self, decision: Ints, /) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Carry out a decision `[N]` and go on to the next frame.

        Returns:
            The next state; the reward, as `score` returned it; whether the episode has terminated;
            whether it was truncated; and any further information.
        """
