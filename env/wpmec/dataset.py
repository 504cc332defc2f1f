"""Labelled frames of wireless powered MEC, in the layout of the files published with DROO."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from droo_core.arrays import Floats
from env.common.labelled import LabelledFrames, read_labelled, variable, write_labelled
from env.problem import CertifiedOptimum


@dataclass(frozen=True, eq=False)
class Dataset(LabelledFrames):
    """Labelled frames.

    Attributes:
        gain: channel gains `[T, N]`.
        decision: offloading decisions `[T, N]`, zeros and ones.
        energy_time: a `[T]`, fractions of the frame.
        offload_time: tau `[T, N]`, fractions of the frame.
        computation_rate: weighted sum computation rates `[T]`, bit/s.
        gap: certified relative gaps of the decisions to the optimum `[T]`; None if unknown.
        weights: of the devices `[N]`, positive; None if unknown, as in the published files.

    Raises:
        TypeError: if a field holds anything but real numbers.
        ValueError: if a shape differs, a decision is not binary, or a number is negative, NaN or
            infinite.
    """

    energy_time: Floats = field(metadata=variable("output_a", "T", high=1))
    offload_time: Floats = field(metadata=variable("output_tau", "T", "N", high=1))
    computation_rate: Floats = field(metadata=variable("output_obj", "T"))
    gap: Floats | None = field(default=None, metadata=variable("output_gap", "T", optional=True))
    weights: Floats | None = field(
        default=None, metadata=variable("weights", "N", positive=True, optional=True)
    )

    @property
    def reward(self) -> Floats:
        """Labelled scores of the decisions `[T]`: `computation_rate`."""
        return self.computation_rate

    @classmethod
    def of(cls, critic: Any, gains: Floats, optima: Sequence[CertifiedOptimum]) -> Self:
        """Return the labelled frames of gains `[T, N]` with these decisions."""
        allocations = [
            critic.allocate(gain, optimum.decision)
            for gain, optimum in zip(gains, optima, strict=True)
        ]
        return cls(
            gain=gains,
            decision=np.array([optimum.decision for optimum in optima]),
            energy_time=np.array([allocation.energy_time for allocation in allocations]),
            offload_time=np.array([allocation.offload_time for allocation in allocations]),
            computation_rate=np.array([allocation.computation_rate for allocation in allocations]),
            gap=np.array([optimum.gap for optimum in optima]),
            weights=critic.weights,
        )

    def allocated(self, critic: Any) -> tuple[Floats, Floats]:
        """Evaluate the labelled decisions with the labelled times.

        Returns:
            Weighted sum computation rates `[T]`, bit/s, and by how much the times exceed the frame
            `[T]`, as a fraction of it.
        """
        snr_factor, local_factor, eps = critic.parameters.constants
        a, tau = self.energy_time[:, None], self.offload_time
        local = local_factor * np.cbrt(self.gain * a)
        snr = snr_factor * a * self.gain**2 / np.where(tau > 0, tau, 1.0)
        rate: Floats = np.where(self.decision == 1, eps * tau * np.log1p(snr), local)
        return rate @ critic.weights, self.energy_time + tau.sum(axis=1) - 1


def read_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Read labelled frames from a .mat or .npz file in the published layout.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or lacks a variable, or the variables disagree.
    """
    return read_labelled(path, Dataset)


def write_dataset(path: str | os.PathLike[str], dataset: Dataset) -> None:
    """Write labelled frames to a .mat or .npz file in the published layout, whole or not at all.

    Raises:
        ValueError: if the name ends in neither .mat nor .npz.
        OSError: if the file cannot be written there.
    """
    write_labelled(path, dataset)
