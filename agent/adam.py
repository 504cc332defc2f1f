"""Adam: its state, its step for many networks at once, and torch's optimizer on the same memory.

The only other formula of Adam is the compiled one, `agent.kernels.layers.adam`.
"""

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from agent.negligible import NEGLIGIBLE, without_negligible
from droo_core.arrays import Singles

if TYPE_CHECKING:
    from torch.optim import Optimizer

BETAS = 0.9, 0.999
PUBLISHED_BETAS = 0.09, 0.999
EPSILON = 1e-8
WEIGHT_DECAY = 1e-4

Hyperparameters: TypeAlias = tuple[float, float, float, float, float]
"""Learning rate, both betas, epsilon and weight decay."""


class AdamState:
    """Adam with weight decay for a network: its moments and hyperparameters.

    Torch's optimizer is made only if it is asked for, since importing it takes seconds; it then
    works on the same memory.

    Args:
        network: the module whose parameters are trained.
        learning_rate: the step size of torch's optimizer when it is made.
        published: take `PUBLISHED_BETAS` in place of `BETAS`.

    Attributes:
        parameters: of the network.
        bounds: begin and end of each parameter in the moments.
        first: first moments `[P]`, in the order of the parameters.
        second: second moments `[P]`.
        steps: the number of steps that each parameter has taken.
    """

    def __init__(
        self, network: nn.Module, learning_rate: float, *, published: bool = False
    ) -> None:
        self.parameters = list(network.parameters())
        ends = [0, *itertools.accumulate(parameter.numel() for parameter in self.parameters)]
        self.bounds = list(itertools.pairwise(ends))
        self.first: Singles = np.zeros(ends[-1], np.float32)
        self.second: Singles = np.zeros(ends[-1], np.float32)
        self.steps: Singles = np.zeros(len(self.parameters), np.float32)
        self._shares = all(
            parameter.dtype == torch.float32 and parameter.device.type == "cpu"
            for parameter in self.parameters
        )
        self._learning_rate = learning_rate
        self._betas = PUBLISHED_BETAS if published else BETAS
        self._optimizer: Optimizer | None = None
        self._given: dict[int, dict[str, Tensor]] = {}  # views that torch's optimizer works on

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle no views: copies of them would not be views of the copied arrays."""
        return self.__dict__ | {"_given": {}}

    @property
    def is_rebuilt(self) -> bool:
        """Whether the hyperparameters are those of a rebuilt Adam, as published."""
        return self._optimizer is None and self._betas == PUBLISHED_BETAS

    @property
    def is_even(self) -> bool:
        """Whether all parameters have taken the same number of steps, as the kernels need."""
        return bool((self.steps == self.steps[0]).all())

    def is_stale(self, network: nn.Module) -> bool:
        """Whether the network's parameters were replaced, as by load_state_dict(assign=True)."""
        return any(p is not q for p, q in zip(network.parameters(), self.parameters, strict=True))

    def hyperparameters(self, learning_rate: float) -> Hyperparameters:
        """Return the hyperparameters of the next step, with this learning rate.

        Torch's optimizer, if there is one, takes this learning rate over.
        """
        if self._optimizer is None:
            return learning_rate, *self._betas, EPSILON, WEIGHT_DECAY
        group = self._optimizer.param_groups[0]
        group["lr"] = learning_rate
        return learning_rate, *group["betas"], group["eps"], group["weight_decay"]

    @property
    def optimizer(self) -> "Optimizer":
        """Torch's optimizer; it may be changed or replaced."""
        if self._optimizer is None:
            from torch.optim import Adam  # noqa: PLC0415 (importing and making it takes seconds)

            adam = Adam(
                self.parameters, self._learning_rate, self._betas, weight_decay=WEIGHT_DECAY
            )
            self._optimizer = adam
            for number in range(len(self.parameters)):
                self._give(number, adam)
        return self._optimizer

    @optimizer.setter
    def optimizer(self, optimizer: "Optimizer") -> None:
        self._optimizer = optimizer

    def synchronize(self) -> bool:
        """Take over moments that torch's optimizer has of its own, as after its `load_state_dict`.

        Returns:
            Whether a step is that of `batched_step`; not if the optimizer is of another kind, whose
            moments stay its own.
        """
        optimizer = self._optimizer
        if not self._shares:  # NumPy cannot see the parameters
            return False
        if optimizer is None:
            return True
        trained = optimizer.param_groups[0]["params"]
        if not is_plain_adam(optimizer) or list(map(id, trained)) != list(map(id, self.parameters)):
            return False
        for number, parameter in enumerate(self.parameters):
            own, given = optimizer.state.get(parameter, {}), self._given.get(number)
            if given is None or any(own.get(name) is not view for name, view in given.items()):
                self._take(number, own)
                self._give(number, optimizer)
        return True

    def moments(self) -> dict[str, Tensor]:
        """Return the moments of each parameter by name, as "0.exp_avg"; none before any step.

        An optimizer of another kind is asked for those that Adam has too.
        """
        plain = self.synchronize()
        found: dict[str, Tensor] = {}
        for number, parameter in enumerate(self.parameters):
            moments = views = self._views(number)
            if not plain:
                moments = self.optimizer.state.get(parameter, {})
            if views.keys() <= moments.keys() and moments["step"] > 0:
                found |= {f"{number}.{name}": moments[name] for name in views}
        return found

    def load(self, moments: dict[str, Tensor]) -> None:
        """Take over moments by name, as from `moments`; torch and the kernels check no shapes.

        Raises:
            ValueError: if a shape differs, or the name of a moment is unknown.
            IndexError: if there is no such parameter.
        """
        for name, value in moments.items():
            number, _, moment = name.partition(".")
            shape = self.parameters[int(number)].shape if moment != "step" else ()
            if value.shape != shape:
                raise ValueError(
                    f"optimizer.{name} must be {tuple(shape)}, is {tuple(value.shape)}"
                )
            views = self._views(int(number))
            if moment not in views:
                raise ValueError(f"optimizer.{name} must be one of {', '.join(views)}")
            views[moment].copy_(value)

    def take_over(self, other: "AdamState") -> None:
        """Copy moments and hyperparameters of another network's Adam with the same parameters.

        An optimizer of another kind is not copied.
        """
        if not other.synchronize():
            return
        if other._optimizer is not None:
            self.optimizer.load_state_dict(other.optimizer.state_dict())
        self.first[:], self.second[:], self.steps[:] = other.first, other.second, other.steps

    def _views(self, number: int) -> dict[str, Tensor]:
        """Return the moments of a parameter by torch's names, on the memory of the arrays."""
        begin, end = self.bounds[number]
        shape = self.parameters[number].shape
        return {
            "step": torch.from_numpy(self.steps[number : number + 1])[0],
            "exp_avg": torch.from_numpy(self.first[begin:end]).view(shape),
            "exp_avg_sq": torch.from_numpy(self.second[begin:end]).view(shape),
        }

    def _give(self, number: int, optimizer: "Optimizer") -> None:
        """Let torch's optimizer work on the memory of the arrays, or on copies of other types."""
        self._given[number] = self._views(number)
        parameter = self.parameters[number]
        optimizer.state[parameter] = dict(self._given[number])
        if not self._shares:
            for name in ("exp_avg", "exp_avg_sq"):
                moment = self._given[number][name]
                optimizer.state[parameter][name] = moment.to(parameter.device, parameter.dtype)

    def _take(self, number: int, moments: dict[str, Tensor]) -> None:
        """Take over the moments of a parameter; those that are missing are zero."""
        for name, view in self._views(number).items():
            if name in moments:
                view.copy_(moments[name])
            else:
                view.zero_()


def is_plain_adam(optimizer: "Optimizer") -> bool:
    """Whether an optimizer is torch's Adam without variants, whose step the kernels take."""
    from torch.optim import Adam  # noqa: PLC0415

    groups = optimizer.param_groups
    if type(optimizer) is not Adam or len(groups) != 1:
        return False
    variants = "amsgrad", "maximize", "decoupled_weight_decay"
    return not any(groups[0].get(name) for name in variants)


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
    gradients = without_negligible(gradients + decays * parameters)
    first = without_negligible(keep1 * first + take1 * gradients)
    second = without_negligible(keep2 * second + take2 * gradients * gradients, NEGLIGIBLE**2)
    parameters = parameters - rates * first / (second.sqrt() / roots + epsilons)
    return without_negligible(parameters), first, second
