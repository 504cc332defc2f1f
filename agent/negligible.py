"""Numbers too small to matter, which become zero where they are made.

A confident policy has derivatives that fall below any bound; Adam takes its moments there too, and
weight decay the weights, whose products make the numbers between the layers smaller still. Below
1.2e-38, single-precision numbers are denormal, and some processors take a hundred times as long for
each operation on them.
"""

from torch import Tensor

NEGLIGIBLE = 2.0**-50
"""Derivatives, first moments and weights below this, 9e-16, become zero, and second moments below
its square. Adam divides by at least its epsilon of 1e-8: a derivative of this size changes a weight
by less than 1e-9 at the default learning rate. Products of two such numbers are not denormal."""

CONFIDENT = 28.0
"""The derivative of the loss is zero for a decision whose logit is right by more than this: its
probability of being wrong is below 1e-12."""

SCALE = 2.0**40
"""Factor of the loss in torch's backward pass, by which the gradient is divided afterwards. Being a
power of two, it changes no digits; it keeps the derivatives between the layers far from denormal
(loss scaling: Micikevicius et al., 2018)."""


def without_negligible(values: Tensor, smallest: float = NEGLIGIBLE) -> Tensor:
    """Return values with those of a magnitude below `smallest` set to zero; NaN stays NaN."""
    return values.masked_fill(values.abs() < smallest, 0.0)
