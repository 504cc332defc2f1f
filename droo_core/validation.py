"""Checks of arguments; every error names the argument, the value given and the value expected."""

import math
import operator

import numpy as np
from numpy.typing import ArrayLike, NDArray


def positive_int(name: str, value: object) -> int:
    """Return `value` as an int of at least 1.

    Raises:
        TypeError: if `value` is not an integer.
        ValueError: if it is below 1.
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # the TypeError is the check
    except TypeError:
        raise TypeError(f"{name} must be an integer of at least 1, got {value!r}") from None
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
    return number


def agreed_num_devices(num_devices: int | None, **sizes: int | None) -> int:
    """Return N, the number of devices on which all arguments agree; 10 if none is given.

    Args:
        num_devices: N as given by the caller.
        sizes: numbers of devices of other arguments, by their names.

    Raises:
        TypeError: if N is not an integer.
        ValueError: if N is below 1, or the arguments disagree.
    """
    given = [size for size in (num_devices, *sizes.values()) if size is not None]
    n = positive_int("num_devices", given[0] if given else 10)
    for name, size in sizes.items():
        if size not in (None, n):
            raise ValueError(f"{name} must have num_devices = {n} entries, got {size}")
    return n


def in_range(
    name: str,
    value: ArrayLike,
    low: float,
    high: float,
    shape: tuple[int | str, ...] | None = None,
    *,
    open_low: bool = False,
) -> NDArray[np.float64]:
    """Return `value` as a contiguous float64 array with every entry finite and in [low, high].

    Args:
        name: of the argument, for the messages.
        value: any shape.
        low: smallest entry allowed.
        high: largest entry allowed.
        shape: as for `check_shape`; None admits any.
        open_low: exclude `low` itself.

    Raises:
        TypeError: if `value` holds anything but real numbers.
        ValueError: if the array is empty, its shape differs, or an entry is NaN, infinite or out
            of range.
    """
    array = real(name, value, shape)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {list(array.shape)}")
    smallest, largest = float(array.min()), float(array.max())  # NaN if any entry is NaN
    above = smallest > low if open_low else smallest >= low
    if not (above and largest <= high and math.isfinite(largest)):
        bracket = "(" if open_low else "["
        raise ValueError(
            f"{name} must be finite and in {bracket}{low:g}, {high:g}], "
            f"got entries from {smallest:g} to {largest:g}"
        )
    return array


def real(
    name: str, value: ArrayLike, shape: tuple[int | str, ...] | None = None
) -> NDArray[np.float64]:
    """Return `value` as a contiguous float64 array, a copy of a read-only one.

    Kernels are compiled anew for read-only arrays, which would take longer than any copy.

    Raises:
        TypeError: if it holds anything but real numbers.
        ValueError: if the shape differs: see `check_shape`.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got {value!r}")
    if shape is not None:
        check_shape(name, array, shape)
    checked = np.asarray(array, dtype=np.float64, order="C")
    return checked if checked.flags.writeable else checked.copy()


def check_shape(name: str, array: NDArray[np.generic], shape: tuple[int | str, ...]) -> None:
    """Check the shape of an array.

    Args:
        name: of the argument, for the message.
        array: to be checked.
        shape: expected; a string such as "T" stands for any size.

    Raises:
        ValueError: if the shape differs.
    """
    if array.shape == shape:
        return
    if len(array.shape) != len(shape) or any(
        want != size and not isinstance(want, str)
        for want, size in zip(shape, array.shape, strict=True)
    ):
        expected = ", ".join(map(str, shape))
        raise ValueError(f"{name} must have shape [{expected}], got {list(array.shape)}")


def binary(name: str, value: ArrayLike, shape: tuple[int | str, ...]) -> NDArray[np.int64]:
    """Return `value` as a contiguous int64 array of this shape.

    Integers other than 0 and 1 pass: the kernels check for them.

    Raises:
        ValueError: if the shape differs, or an entry is not an integer.
    """
    array = np.asarray(value)
    check_shape(name, array, shape)
    if array.dtype.kind not in "iub" and not np.isin(array, (0, 1)).all():
        raise not_binary(name, array)  # the conversion to integers would hide it
    return np.ascontiguousarray(array, dtype=np.int64)


def zeros_and_ones(name: str, value: ArrayLike, shape: tuple[int | str, ...]) -> NDArray[np.int64]:
    """Return `value` as a contiguous int64 array of zeros and ones of this shape.

    Raises:
        ValueError: if the shape differs, or an entry is neither 0 nor 1.
    """
    array = binary(name, value, shape)
    if not np.isin(array, (0, 1)).all():
        raise not_binary(name, array)
    return array


def not_binary(name: str, value: NDArray[np.generic]) -> ValueError:
    """Return the error for a decision with entries other than 0 and 1."""
    others = value[(value != 0) & (value != 1)]
    return ValueError(f"{name} must hold zeros and ones only, got {others[0]}")
