"""Recorded channel gains and arrivals in .mat and .npz files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats
from droo_core.validation import in_range
from env.common.files import read_variables

GAIN, ARRIVAL, WEIGHTS = "input_h", "data_arrival", "weights"  # names of the variables


def read_gains(path: str | os.PathLike[str]) -> tuple[Floats, Floats | None]:
    """Read channel gains `[T, N]` and optional weights `[N]` from a .mat or .npz file.

    The variables are `input_h` and `weights`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or lacks `input_h`, this is not a matrix of non-negative,
            finite numbers, or the weights are not N positive ones.
    """
    found = read_variables(Path(path), [GAIN], [WEIGHTS])
    gains = in_range(f"{GAIN} of {path}", found[GAIN], 0, np.inf, ("T", "N"))
    return gains, _weights(path, found, gains.shape[1])


def read_recording(path: str | os.PathLike[str]) -> tuple[Floats, Floats, Floats | None]:
    """Read channel gains `[T, N]`, arrivals `[T, N]` in Mbit, and optional weights `[N]`.

    The variables of the .mat or .npz file are `input_h`, `data_arrival` and `weights`, the first
    two as in LyDROO's result files.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or lacks one of the first two, these are not matrices of
            one shape of non-negative, finite numbers, or the weights are not N positive ones.
    """
    found = read_variables(Path(path), [GAIN, ARRIVAL], [WEIGHTS])
    gains = in_range(f"{GAIN} of {path}", found[GAIN], 0, np.inf, ("T", "N"))
    arrivals = in_range(f"{ARRIVAL} of {path}", found[ARRIVAL], 0, np.inf, gains.shape)
    return gains, arrivals, _weights(path, found, gains.shape[1])


def _weights(
    path: str | os.PathLike[str], found: Mapping[str, NDArray[Any]], num_devices: int
) -> Floats | None:
    """Return the weights `[N]` among the variables of a file, None if there are none."""
    if WEIGHTS not in found:
        return None
    weights = found[WEIGHTS].reshape(-1)
    return in_range(f"{WEIGHTS} of {path}", weights, 0, np.inf, (num_devices,), open_low=True)
