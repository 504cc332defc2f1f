"""What a problem must give: to a scheme, to an agent, to a loop that plays it frame by frame.

None of these is a base class: any object with such members is one. `env.check_problem` tells what
is wrong with one.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Frame(Protocol):
    """One time frame of a problem, and all that a scheme such as `coordinate_descent` needs."""

    @property
    def num_devices(self) -> int:
        """N, the number of devices."""

    def score(self, decisions: Ints, /) -> Floats:
        """Return the rewards `[K]` of decisions `[K, N]`, larger is better.

        Minus infinity marks a decision that is infeasible. This is asked several times a frame, for
        any K, and must change nothing: a decision has the same reward whenever, and beside whatever
        other decisions, it is asked for.
        """


class Problem(Frame, Protocol):
    """What an agent needs, which is shown the state and asks for scores."""

    @property
    def state(self) -> NDArray[np.floating[Any]]:
        """What the agent is shown of the frame, `[inputs]`: numbers of about 1, always as many.

        Policies that look at device by device want features, each of all N devices, one after the
        other.
        """


class PlayableProblem(Problem, Protocol):
    """A problem that moves on by itself, as a Gymnasium environment does."""

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Go to a first frame; return its state and anything else worth telling.

        The same seed brings the same frames. It is called without one after an episode has ended,
        and then goes on with the random numbers at hand.
        """

    def step(self, decision: Ints, /) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Carry out a decision `[N]` and go on to the next frame.

        Returns:
            The next state; the reward, which is what `score` promised; whether the episode is over,
            and whether it was cut short; anything else worth telling.
        """
