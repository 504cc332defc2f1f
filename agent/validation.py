"""Checks of what a caller hands in: the errors name the argument, what came, what was expected."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LARGEST = np.finfo(np.float32).max


def vector(name: str, value: ArrayLike, size: int) -> NDArray[np.float32]:
    """Return `value` as a finite float32 array `[size]`.

    Raises:
        TypeError: if `value` holds no numbers.
        ValueError: if the shape differs or an entry is NaN, infinite or beyond single precision.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be a vector of numbers, got {value!r}")
    if array.shape != (size,):
        raise ValueError(f"{name} must have shape [{size}], got {list(array.shape)}")
    largest = np.abs(array).max()  # NaN if any is, and then the comparison fails
    if not largest <= _LARGEST:
        raise ValueError(f"{name} must be finite in single precision, got {largest} in magnitude")
    return array.astype(np.float32, copy=False)


def places_vector(name: str, value: ArrayLike, size: int, num_places: int = 2) -> NDArray[Any]:
    """Return `value` as an array `[size]` of whole numbers from 0 to `num_places` - 1.

    Raises:
        ValueError: if the shape differs or an entry is another.
    """
    array = np.asarray(value)
    if array.shape != (size,):
        raise ValueError(f"{name} must have shape [{size}], got {list(array.shape)}")
    if num_places == 2:
        right, wanted = (array == 0) | (array == 1), "zeros and ones"
    else:
        right, wanted = np.isin(array, np.arange(num_places)), f"places 0 to {num_places - 1}"
    if not right.all():
        raise ValueError(f"{name} must hold {wanted} only, got {array[~right][0].item()!r}")
    return array


def check_layout(name: str, size: int, features: Sequence[str] | None, num_devices: int) -> None:
    """Check that a state of this size holds these features of so many devices.

    Raises:
        ValueError: if it does not, or a feature is there twice.
    """
    if features is None:
        return
    if len(features) == 0 or len(set(features)) < len(features):
        raise ValueError(f"features must be distinct and at least one, got {list(features)}")
    if size != len(features) * num_devices:
        raise ValueError(
            f"{name} must be {len(features)} features ({', '.join(features)}) of {num_devices} "
            f"devices, {len(features) * num_devices} numbers, got {size}"
        )
