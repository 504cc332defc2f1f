"""Losses by name: the distance of a policy's logits from the decisions it is to learn.

Each takes logits and decisions, and returns the mean over the batch and the devices.
"""

from collections.abc import Callable

from torch import Tensor, sigmoid, where
from torch.nn import functional

from agent.negligible import CONFIDENT

Loss = Callable[[Tensor, Tensor], Tensor]


def binary_cross_entropy(logits: Tensor, decisions: Tensor) -> Tensor:
    """Return the mean of -[t ln p + (1 - t) ln(1 - p)], p the sigmoid of the logit.

    Its gradient with respect to a logit is p - t, divided by the number of entries: it does not
    vanish where the policy is confident and wrong. Computed from the logit, the loss does not
    saturate. Where the policy is right by more than `CONFIDENT` nats, both are zero.

    Args:
        logits: `[B, N]`.
        decisions: t `[B, N]`, zeros and ones.
    """
    margin = (2 * decisions - 1) * logits
    confident = margin > CONFIDENT
    losses = functional.softplus(-margin.masked_fill(confident, CONFIDENT))
    return losses.masked_fill(confident, 0.0).mean()


def binary_cross_entropy_of_probabilities(logits: Tensor, decisions: Tensor) -> Tensor:
    """Return the binary cross-entropy computed from p, as published.

    It fails where the policy is confident and wrong: once p rounds to 0 or 1 the value is off, and
    torch lets the gradient vanish as p (1 - p) falls below 1e-12. Both are zero where the policy is
    right by more than `CONFIDENT` nats; where it is wrong by 3 `CONFIDENT`, the gradient is zero.
    """
    confident = (2 * decisions - 1) * logits > CONFIDENT
    limited = logits.masked_fill(confident, 0.0).clamp(-3 * CONFIDENT, 3 * CONFIDENT)
    losses = functional.binary_cross_entropy(sigmoid(limited), decisions, reduction="none")
    return losses.masked_fill(confident, 0.0).mean()


def quadratic(logits: Tensor, decisions: Tensor) -> Tensor:
    """Return the mean of (p - t)^2 / 2, p the sigmoid of the logit.

    Its gradient with respect to a logit is (p - t) p (1 - p), divided by the number of entries: it
    vanishes where the policy is confident, even if wrong, and is zero beyond `CONFIDENT`.
    """
    return functional.mse_loss(sigmoid(logits.clamp(-CONFIDENT, CONFIDENT)), decisions) / 2


def categorical_cross_entropy(logits: Tensor, decisions: Tensor) -> Tensor:
    """Return the mean of -ln p[t], p the softmax of a device's logits.

    A place other than t whose logit is less than the largest by more than 2 `CONFIDENT` has the
    gradient zero.

    Args:
        logits: `[B, N, P]`.
        decisions: t `[B, N]`, each device's place among 0 to P - 1.
    """
    places = decisions.long()[..., None]
    least = logits.detach().amax(dim=-1, keepdim=True) - 2 * CONFIDENT
    likely = (logits >= least).scatter(-1, places, True)
    limited = where(likely, logits, least)
    return functional.cross_entropy(limited.flatten(0, 1), decisions.flatten().long())


LOSSES: dict[str, Loss] = {
    "bce": binary_cross_entropy,
    "bce_probabilities": binary_cross_entropy_of_probabilities,
    "quadratic": quadratic,
    "categorical": categorical_cross_entropy,
}
