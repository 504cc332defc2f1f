"""Checks of the agent's arguments; the general ones are in `droo_core.validation`."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.losses import LOSSES
from droo_core.validation import check_shape, not_binary, positive_int, real

_LARGEST = np.finfo(np.float32).max


def vector(name: str, value: ArrayLike, size: int) -> NDArray[np.float32]:
    """Return `value` as a finite float32 array `[size]`.

    Raises:
        TypeError: if `value` holds no real numbers.
        ValueError: if the shape differs or an entry is NaN, infinite or beyond single precision.
    """
    array = real(name, value, (size,))
    largest = np.abs(array).max()  # NaN if any is, and then the comparison fails
    if not largest <= _LARGEST:
        raise ValueError(f"{name} must be finite in single precision, got {largest} in magnitude")
    return array.astype(np.float32)


def places_vector(name: str, value: ArrayLike, size: int, num_places: int = 2) -> NDArray[Any]:
    """Return `value` as an array `[size]` of places, integers from 0 to `num_places` - 1.

    Raises:
        ValueError: if the shape differs or an entry is no place.
    """
    array = np.asarray(value)
    check_shape(name, array, (size,))
    if num_places == 2:
        if not ((array == 0) | (array == 1)).all():
            raise not_binary(name, array)
        return array
    right = np.isin(array, np.arange(num_places))
    if not right.all():
        raise ValueError(
            f"{name} must hold places 0 to {num_places - 1} only, got {array[~right][0].item()!r}"
        )
    return array


def feature_names(name: str, features: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the names of features as a tuple; None if they are not known.

    Raises:
        TypeError: if it is one string.
    """
    if isinstance(features, str):
        raise TypeError(f"{name} must be a sequence of names, got {features!r}")
    return None if features is None else tuple(features)


def check_layout(name: str, size: int, features: Sequence[str] | None, num_devices: int) -> None:
    """Check that a state of this size holds these features of so many devices.

    Raises:
        ValueError: if it does not, or a feature is named twice.
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


def layer_widths(name: str, net: Sequence[int]) -> list[int]:
    """Return layer widths `[inputs, hidden..., N]` as a list of ints.

    Raises:
        TypeError: if a width is not an integer.
        ValueError: if one is below 1, or there are fewer than two.
    """
    widths = [positive_int(f"{name}[{i}]", width) for i, width in enumerate(net)]
    if len(widths) < 2:
        raise ValueError(f"{name} must be [inputs, hidden..., N], got {widths}")
    return widths


def positive_float(name: str, value: float) -> float:
    """Return `value` as a positive, finite float.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is not positive and finite.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return number


def places_of_loss(name: str, num_places: int, loss: str) -> int:
    """Return the number of places that a device chooses from, which must fit the loss.

    Raises:
        TypeError: if it is not an integer.
        ValueError: if it does not fit the loss, or there is no such loss.
    """
    number = positive_int(name, num_places)
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}")
    if number < 2 or (loss == "categorical") != (number > 2):
        raise ValueError(
            f"{name} must be 2, or more for the loss categorical alone, got {number} for {loss}"
        )
    return number
