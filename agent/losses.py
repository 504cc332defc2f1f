"""Losses by name: the distance of a policy's logits from the decisions it is to learn.

Each takes logits and decisions, and returns the mean over the batch and the devices.
"""

from collections.abc import Callable

from torch import Tensor, sigmoid
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]


def binary_cross_entropy(logits: Tensor, decisions: Tensor) -> Tensor:
    """Return the mean of -[t ln p + (1 - t) ln(1 - p)], p the sigmoid of the logit.

    Its gradient with respect to a logit is p - t, divided by the number of entries: it does not
    vanish where the policy is confident and wrong. Computed from the logit, the loss does not
    saturate.

    Args:
        logits: `[B, N]`.
        decisions: t `[B, N]`, zeros and ones.
    """
    return functional.binary_cross_entropy_with_logits(logits, decisions)


def binary_cross_entropy_of_probabilities(logits: Tensor, decisions: Tensor) -> Tensor:
    """Return the binary cross-entropy computed from p, as published.

    It fails where the policy is confident and wrong: once p rounds to 0 or 1 the value is off, and
    torch lets the gradient vanish as p (1 - p) falls below 1e-12.
    """
    return functional.binary_cross_entropy(sigmoid(logits), decisions)


def quadratic(logits: Tensor, decisions: Tensor) -> Tensor:
    """Return the mean of (p - t)^2 / 2, p the sigmoid of the logit.

    Its gradient with respect to a logit is (p - t) p (1 - p), divided by the number of entries: it
    vanishes where the policy is confident, even if wrong.
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
