"""Adam: making it, reading its state, and its step for many networks at once.

The only other formula of Adam is the compiled one, `agent.kernels.mlp.adam`.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Adam

BETAS = 0.9, 0.999
PUBLISHED_BETAS = 0.09, 0.999
WEIGHT_DECAY = 1e-4

Hyperparameters: TypeAlias = tuple[float, float, float, float, float]
"""Learning rate, both betas, epsilon and weight decay."""


def new_adam(network: nn.Module, learning_rate: float, *, published: bool = False) -> Adam:
    """Return a new Adam with weight decay for a network.

    Args:
        network: the module whose parameters it trains.
        learning_rate: the step size.
        published: take `PUBLISHED_BETAS` in place of `BETAS`.
    """
    betas = PUBLISHED_BETAS if published else BETAS
    return Adam(network.parameters(), learning_rate, betas, weight_decay=WEIGHT_DECAY, fused=True)


def is_stale(optimizer: Adam, network: nn.Module) -> bool:
    """Whether the network's parameters were replaced, as by load_state_dict(assign=True)."""
    known = optimizer.param_groups[0]["params"]
    return any(p is not q for p, q in zip(network.parameters(), known, strict=True))


def is_plain_adam(optimizer: torch.optim.Optimizer) -> bool:
    """Whether an optimizer takes the step that `batched_step` and the compiled kernel take."""
    groups = optimizer.param_groups
    if type(optimizer) is not Adam or len(groups) != 1:
        return False
    return not (groups[0]["amsgrad"] or groups[0]["maximize"])


def hyperparameters(optimizer: Adam, learning_rate: float) -> Hyperparameters:
    """Return an optimizer's hyperparameters, with this learning rate in place of its own."""
    group = optimizer.param_groups[0]
    return learning_rate, *group["betas"], group["eps"], group["weight_decay"]


def moments_of(optimizer: Adam, parameter: Tensor) -> dict[str, Tensor]:
    """Return the state of a parameter: "step", "exp_avg", "exp_avg_sq"; zeros before any step."""
    if parameter not in optimizer.state:
        names = ("exp_avg", "exp_avg_sq")
        moments = {name: torch.zeros_like(parameter, requires_grad=False) for name in names}
        optimizer.state[parameter] = {"step": torch.tensor(0.0), **moments}
    known: dict[str, Tensor] = optimizer.state[parameter]
    return known


@torch.no_grad()
def batched_step(
    parameters: Tensor,
    first: Tensor,
    second: Tensor,
    gradients: Tensor,
    steps: Sequence[float],
    settings: Sequence[Hyperparameters],
) -> tuple[Tensor, Tensor, Tensor]:
    """Take the step of Adam with weight decay for B networks, each with its own settings.

    Args:
        parameters: of each network `[B, P]`.
        first: their first moments `[B, P]`.
        second: their second moments `[B, P]`.
        gradients: of the loss `[B, P]`.
        steps: number of each network's step, from 1 `[B]`.
        settings: hyperparameters of each network `[B]`.

    Returns:
        The new parameters, first and second moments `[B, P]`.
    """
    numbers = [
        # The complements of the betas in double precision: single would leave few digits of them.
        (
            rate / (1 - beta1**step),
            math.sqrt(1 - beta2**step),
            beta1,
            1 - beta1,
            beta2,
            1 - beta2,
            epsilon,
            decay,
        )
        for step, (rate, beta1, beta2, epsilon, decay) in zip(steps, settings, strict=True)
    ]
    columns = torch.tensor(numbers, dtype=torch.float32, device=parameters.device).T[..., None]
    rates, roots, keep1, take1, keep2, take2, epsilons, decays = columns
    gradients = gradients + decays * parameters
    first = keep1 * first + take1 * gradients
    second = keep2 * second + take2 * gradients * gradients
    parameters = parameters - rates * first / (second.sqrt() / roots + epsilons)
    return parameters, first, second
