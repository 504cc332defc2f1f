"""Means over runs with confidence intervals, and their text in tables."""

from collections.abc import Callable, Sequence

import numpy as np
import scipy
from numpy.typing import ArrayLike

from droo_core.arrays import Floats

LEAST = 1e-7  # smaller shortfalls are drawn as this one: they depend on single frames


def shortfall(normalized: Floats) -> Floats:
    """Return the shortfall of normalized quantities from the optimum, at least `LEAST`."""
    return np.maximum(1 - normalized, LEAST)


def mean_and_interval(values: ArrayLike) -> Floats:
    """Return the mean over the first axis and its 95 % percentile bootstrap interval.

    For few runs the interval is too narrow: with five, it covers the true mean in about 85 % of
    cases.

    Args:
        values: one entry per run `[R, ...]`.

    Returns:
        Mean, lower and upper end of the interval `[3, ...]`; all equal for a single run.
    """
    runs = np.asarray(values, dtype=np.float64)
    mean = runs.mean(axis=0)
    if len(runs) == 1:
        return np.array([mean, mean, mean])
    found = scipy.stats.bootstrap(
        (runs,), np.mean, method="percentile", n_resamples=2000, rng=np.random.default_rng(0)
    ).confidence_interval
    return np.array([mean, found.low, found.high])


def interval_text(
    values: Sequence[float | None], text: Callable[[float], str] | None = None
) -> str:
    """Return the mean with its interval as text, or how many runs have no value.

    Args:
        values: one value per run; None for a run without a value.
        text: function from a number to its text; by default `number`.
    """
    there = [value for value in values if value is not None]
    if len(there) < len(values):
        return mean_text(values)
    mean, low, high = map(text or number, mean_and_interval(there))
    return mean if low == high else f"{mean} [{low}, {high}]"


def mean_text(values: Sequence[float | None]) -> str:
    """Return the mean as text, or how many runs have no value."""
    there = [value for value in values if value is not None]
    if len(there) < len(values):
        return f"never in {len(values) - len(there)} of {len(values)}"
    return number(sum(there) / len(there))


def lack(rate: float) -> str:
    """Return the shortfall of a normalized rate from 1, as text."""
    return f"{1 - rate:.1e}"


def lack_text(rates: Sequence[float | None]) -> str:
    """Return the mean shortfall of normalized rates from 1, with its interval, as text."""
    return interval_text([None if r is None else 1 - r for r in rates], "{:.1e}".format)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of equal length as lines of text with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def number(value: float | None) -> str:
    """Return a key figure as text."""
    if value is None:
        return "never"
    if abs(value) < 2:
        return f"{value:.6f}"
    return f"{value:.1f}" if value % 1 else f"{value:.0f}"
