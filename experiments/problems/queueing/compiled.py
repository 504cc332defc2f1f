"""Frames of MEC with queues for the compiled loop."""

from collections.abc import Iterator
from types import ModuleType
from typing import ClassVar

import numpy as np

from agent import DROO
from droo_core.arrays import Floats
from env import QueueingCritic, QueueingFrame
from env.queueing.features import OUTLOOK, QUEUEING_FEATURES
from env.queueing.kernels import frames as frame_kernels
from env.queueing.kernels.frames import Frames
from experiments.compiled.playing import CompiledProblem
from experiments.runs.table import Table


class CompiledQueueing(CompiledProblem):
    """Frames of MEC with queues.

    Args:
        critic: of the problem.
        gains: channel gains `[T, N]`.
        arrivals: data that arrive in each frame, Mbit `[T, N]`.
        energy_queue: virtual energy queues at the start `[N]`; data queues are empty.
        own_climb: whether a run refines by the problem's own refinement.
    """

    kernels: ClassVar[ModuleType] = frame_kernels
    written: ClassVar[frozenset[str]] = frozenset(
        ("gain", "arrival", "data_queue", "energy_queue", "rate", "energy")
    )

    def __init__(
        self,
        critic: QueueingCritic,
        gains: Floats,
        arrivals: Floats,
        energy_queue: Floats,
        *,
        own_climb: bool,
    ) -> None:
        self.critic = critic
        self.gains = np.ascontiguousarray(gains, np.float64)
        self.arrivals = np.ascontiguousarray(arrivals, np.float64)
        self.energy_queue, self.own_climb = energy_queue, own_climb

    def supports(self, droo: DROO) -> bool:
        """Whether the features are of the coming frame, and no device is inactive that may be."""
        features = droo.agent.features
        if features is None or not set(features) <= set(QUEUEING_FEATURES):
            return False
        return "active" not in features or bool((self.gains > 0).all())

    def ranges(self, droo: DROO, table: Table) -> Iterator[tuple[int, int, Frames]]:
        """Yield all frames at once."""
        columns, parameters = table.columns, self.critic.parameters
        columns["gain"][:], columns["arrival"][:] = self.gains, self.arrivals
        numbers, features = list(QUEUEING_FEATURES), droo.agent.features or ()
        n = self.critic.num_devices
        yield (
            0,
            len(self.gains),
            Frames(
                np.array([numbers.index(name) for name in features]),
                not set(features).isdisjoint(OUTLOOK),
                np.array([np.zeros(n), np.zeros(n), self.energy_queue]),
                self.gains,
                self.arrivals,
                *self.critic.kernel_arguments,
                float(parameters.energy_budget),
                float(parameters.energy_queue_scale),
                columns["data_queue"],
                columns["energy_queue"],
                columns["rate"],
                columns["energy"],
            ),
        )

    def frame(self, frames: Frames, t: int) -> QueueingFrame:  # noqa: ARG002 (of the base)
        """Return the coming frame as the schemes take it."""
        return self.critic.frame(*frames.coming)
