"""Losses by name: how far a policy's logits are from the decisions it shall make.

Each takes logits and decisions, and returns the mean over the batch and the devices.
"""

from collections.abc import Callable

from torch import Tensor, sigmoid
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]


def binary_cross_entropy(logits: Tensor, decisions: Tensor) -> Tensor:
    """Return the mean of -[t ln p + (1 - t) ln(1 - p)], p the sigmoid of the logit.

    Its gradient by a logit is p - t, over the number of entries: it does not vanish where the
    policy is sure and wrong. Computed from the logit, it does not saturate either.

    Args:
        logits: `[B, N]`.
        decisions: t `[B, N]`, zeros and ones.
    """
    return functional.binary_cross_entropy_with_logits(logits, decisions)


def binary_cross_entropy_of_probabilities(logits: Tensor, decisions: Tensor) -> Tensor:
    """Return the same computed from p, as published.

    Where p is sure and wrong it fails: once p rounds to 0 or 1 the value is off, and torch lets the
    gradient vanish as p (1 - p) falls below 1e-12.
    """
    return functional.binary_cross_entropy(sigmoid(logits), decisions)


def quadratic(logits: Tensor, decisions: Tensor) -> Tensor:
    """Return the mean of (p - t)^2 / 2, p the sigmoid of the logit.

    Its gradient by a logit is (p - t) p (1 - p), over the number of entries: it vanishes where the
    policy is sure, also if it is wrong.
    """
    return functional.mse_loss(sigmoid(logits), decisions) / 2


def categorical_cross_entropy(logits: Tensor, decisions: Tensor) -> Tensor:
    """Return the mean of -ln p[t], p the softmax of a device's logits.

    Args:
        logits: `[B, N, P]`.
        decisions: t `[B, N]`, each device's place among 0 to P - 1.
    """
    return functional.cross_entropy(logits.flatten(0, 1), decisions.flatten().long())


LOSSES: dict[str, Loss] = {
    "bce": binary_cross_entropy,
    "bce_probabilities": binary_cross_entropy_of_probabilities,
    "quadratic": quadratic,
    "categorical": categorical_cross_entropy,
}
