"""Recorded frames, in and out: the published .mat layout, and the same in .npz."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.io import loadmat, savemat

from env.validation import binary, in_range, not_binary, shaped

GAIN = "input_h"


@dataclass(frozen=True)
class Dataset:
    """Labelled frames.

    Attributes:
        gain: channel gains `[T, N]`.
        decision: offloading decisions `[T, N]`, zeros and ones.
        energy_time: a `[T]`, fractions of the frame.
        offload_time: tau `[T, N]`, fractions of the frame.
        computation_rate: weighted sum computation rates `[T]`, bit/s.

    Raises:
        ValueError: if a shape differs, a decision is not binary, or a number is negative, NaN or
            infinite.
    """

    gain: NDArray[np.float64]
    decision: NDArray[np.int64]
    energy_time: NDArray[np.float64]
    offload_time: NDArray[np.float64]
    computation_rate: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check the fields against one another, and convert them."""
        gain = _frames("gain", self.gain)
        frames, devices = gain.shape
        decision = binary("decision", self.decision, frames, devices)
        if not np.isin(decision, (0, 1)).all():
            raise not_binary("decision", decision)
        times = in_range("energy_time", self.energy_time, 0, 1)
        offload_time = in_range("offload_time", self.offload_time, 0, 1)
        rate = in_range("computation_rate", self.computation_rate, 0, np.inf)
        for name, value in {
            "gain": gain,
            "decision": decision,
            "energy_time": shaped("energy_time", times, frames),
            "offload_time": shaped("offload_time", offload_time, frames, devices),
            "computation_rate": shaped("computation_rate", rate, frames),
        }.items():
            object.__setattr__(self, name, value)  # the way past frozen


PUBLISHED_NAMES = [GAIN, "output_mode", "output_a", "output_tau", "output_obj"]


def read_gains(path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """Read the channel gains `[T, N]` of a .mat or .npz file: its variable `input_h`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, holds no `input_h`, or that is not a matrix of non-negative,
            finite numbers.
    """
    return _frames(f"{GAIN} of {path}", _read(Path(path), [GAIN])[GAIN])


def read_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Read labelled frames from a .mat or .npz file in the published layout.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, lacks a variable, or the variables do not agree.
    """
    variables = _read(Path(path), PUBLISHED_NAMES)
    return Dataset(
        gain=variables["input_h"],
        decision=variables["output_mode"],
        energy_time=variables["output_a"].reshape(-1),
        offload_time=variables["output_tau"],
        computation_rate=variables["output_obj"].reshape(-1),
    )


def write_dataset(path: str | os.PathLike[str], dataset: Dataset) -> None:
    """Write labelled frames, whole or not at all, as .mat or .npz in the published layout.

    Raises:
        ValueError: if the name ends in neither .mat nor .npz.
    """
    path = Path(path)
    _check_suffix(path)
    variables: dict[str, Any] = {
        "input_h": dataset.gain,
        "output_mode": dataset.decision.astype(np.uint8),
        "output_a": dataset.energy_time[:, None],
        "output_tau": dataset.offload_time,
        "output_obj": dataset.computation_rate[:, None],
    }
    partial = path.with_name(f".{os.getpid()}.partial.{path.name}")  # numpy insists on the suffix
    try:
        if path.suffix == ".mat":
            savemat(partial, variables, do_compression=True)
        else:
            np.savez_compressed(partial, **variables)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _frames(name: str, gains: ArrayLike) -> NDArray[np.float64]:
    return shaped(name, in_range(name, gains, 0, np.inf), "T", "N")


def _check_suffix(path: Path) -> None:
    if path.suffix not in (".mat", ".npz"):
        raise ValueError(f"{path} must end in .mat or .npz")


def _read(path: Path, names: list[str]) -> dict[str, NDArray[Any]]:
    _check_suffix(path)
    with path.open("rb") as file:
        try:
            if path.suffix == ".mat":
                found = loadmat(file, variable_names=names)  # type: ignore[arg-type]  # takes files
            else:
                with np.load(file, allow_pickle=False) as archive:
                    found = {name: archive[name] for name in names if name in archive}
        except Exception as error:  # on a damaged file the readers raise nearly anything
            raise ValueError(f"{path} cannot be read, it may be damaged: {error}") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"{path} must hold {', '.join(names)}; it lacks {', '.join(missing)}")
    for name in names:
        if found[name].dtype.kind not in "fiub":
            raise ValueError(f"{name} of {path} must hold real numbers, got {found[name].dtype}")
    return {name: found[name] for name in names}
