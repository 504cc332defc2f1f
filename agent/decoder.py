"""The decoder: from a state and its logits to a relaxed decision and to candidates."""

import math

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from agent.networks import Layout
from agent.quantization import Candidates, check_mode, likeliest, quantize, without
from agent.validation import check_layout, vector


class Decoder:
    """Checks states, and decodes a policy's logits.

    Args:
        inputs: the size of a state.
        layout: devices, features and places.
        rng: source of the quantizers' noise.

    Attributes:
        layout: the argument.
        rng: the argument.
    """

    def __init__(self, inputs: int, layout: Layout, rng: np.random.Generator) -> None:
        self.layout, self.rng = layout, rng
        self._inputs = inputs

    def state(self, h: ArrayLike) -> NDArray[np.float32]:
        """Return a state `[inputs]` in single precision.

        Raises:
            TypeError: if `h` holds no numbers.
            ValueError: if `h` has another shape or is not finite.
        """
        features = self.layout.features
        if features and np.shape(h) != (self._inputs,):
            check_layout("h", np.size(h), features, self.layout.num_devices)
        return vector("h", h, self._inputs)

    def relaxed(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return relaxed decisions `[N]` of logits `[N]`, or `[N, P]` of `[N, P]`.

        Raises:
            ArithmeticError: if a logit is not finite.
        """
        return self._probabilities(_finite(logits))

    def candidates(
        self, state: NDArray[np.float32], logits: NDArray[np.floating], k: int, mode: str
    ) -> Candidates:
        """Return candidates with their ranks; devices that are not active compute locally.

        Args:
            state: `[inputs]`.
            logits: of the state, `[N]` or `[N, P]`.
            k: the most candidates to propose (for OPN: twice that).
            mode: the quantizer.

        Raises:
            ArithmeticError: if a logit is not finite.
            ValueError: if `k < 1`, or `mode` is unknown or not for so many places.
            TypeError: if `k` is not an integer.
        """
        precise, active = _finite(logits), self.layout.active(state)
        if self.layout.num_places == 2:
            candidates = quantize(precise, k, mode, self.rng)
        else:
            check_mode(mode, self.layout.num_places)
            decisions = likeliest(self._probabilities(precise), k)
            candidates = Candidates(decisions, np.arange(len(decisions)))
        if active is None or active.all():
            return candidates
        return without(candidates, ~active)

    def _probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        relaxed: NDArray[np.float64]
        if self.layout.num_places == 2:
            relaxed = scipy.special.expit(logits)
        else:
            relaxed = scipy.special.softmax(logits, axis=1)
        return relaxed


def _finite(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    if not math.isfinite(logits.sum()):
        raise ArithmeticError("the policy diverged in training: try a smaller learning_rate")
    return logits.astype(np.float64)
