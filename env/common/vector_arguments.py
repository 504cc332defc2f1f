"""Arguments and infos of vector environments, in Gymnasium's form."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Bools
from droo_core.validation import check_shape


def reset_mask(mask: Any, num_envs: int) -> Bools:
    """Return the mask `[B]` of the environments to reset; None means all.

    Raises:
        TypeError: if the mask is not an array of bool.
        ValueError: if its shape differs, or no entry is True.
    """
    if mask is None:
        return np.ones(num_envs, np.bool_)
    if not (isinstance(mask, np.ndarray) and mask.dtype == np.bool_):
        raise TypeError(f"reset_mask must be an array of bool, got {mask!r}")
    check_shape("reset_mask", mask, (num_envs,))
    if not mask.any():
        raise ValueError("reset_mask must have a True, got none")
    return mask.copy()


def seeds_of(seed: Any, num_envs: int) -> Sequence[int | None]:
    """Return a seed for each environment `[B]`: s, s + 1, ..., or those given; empty for None.

    Raises:
        TypeError: if a seed is not an integer.
        ValueError: if the number of seeds is not B, or a seed is negative.
    """
    if seed is None:
        return ()
    if np.ndim(np.asarray(seed, dtype=object)) == 0:
        first = one_seed(seed)
        return [first + b for b in range(num_envs)]
    if len(seed) != num_envs:
        raise ValueError(f"seed must have num_envs = {num_envs} entries, got {len(seed)}")
    return [None if each is None else one_seed(each) for each in seed]


def one_seed(seed: Any) -> int:
    """Return a seed as an int.

    Raises:
        TypeError: if it is not an integer.
        ValueError: if it is negative.
    """
    try:
        number = operator.index(seed)
    except TypeError as error:
        raise TypeError(f"seed must be an integer, or one for each, got {seed!r}") from error
    if number < 0:
        raise ValueError(f"seed must be at least 0, got {number}")
    return number


def masked(values: Mapping[str, NDArray[np.float64]], mask: Bools) -> dict[str, Any]:
    """Return infos of the environments in the mask `[B]`, in Gymnasium's form.

    Each of the values `[B, ...]` is set to 0 outside the mask, which is added as "_name".
    """
    infos: dict[str, Any] = {}
    if mask.any():
        for name, value in values.items():
            value[~mask] = 0
            infos[name], infos[f"_{name}"] = value, mask.copy()
    return infos
