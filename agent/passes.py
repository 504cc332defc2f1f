"""The forward pass of one state and the training step of a batch: by torch, or compiled."""

from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent import mlp_kernels
from agent.losses import Loss, binary_cross_entropy
from agent.networks import MLP, Equivariant

Floats = NDArray[np.float32]
Logits = NDArray[np.float32]


class Passes(Protocol):
    """The two computations that every frame waits for."""

    def forward(self, state: Floats) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        ...

    def step(self, optimizer: torch.optim.Adam, states: Floats, decisions: Floats) -> float:
        """Take a step of the optimizer on `[B, inputs]` and `[B, N]`; return the loss before it."""
        ...


def fastest(policy: nn.Module, loss: Loss) -> Passes:
    """Return the fastest way there is for a policy and a loss."""
    # Not for subclasses, which may compute something else.
    if type(policy) is MLP and loss is binary_cross_entropy and is_plain(policy):
        return Compiled(policy)
    if type(policy) is Equivariant:
        return EquivariantForward(policy, loss)
    return Autograd(policy, loss)


def is_plain(policy: nn.Module) -> bool:
    """Whether no layer is there twice, no parameter is shared, and all are trained."""
    layers = [layer for _, layer in policy.named_modules(remove_duplicate=False)]
    return len(set(layers)) == len(layers) and all_own_and_trained(policy)


def all_own_and_trained(policy: nn.Module) -> bool:
    """Whether no parameter is shared, and all are trained."""
    parameters = [p for _, p in policy.named_parameters(remove_duplicate=False)]
    own = len(set(parameters)) == len(parameters)
    return own and all(parameter.requires_grad for parameter in parameters)


class Autograd:
    """The computations as torch does them, for any policy and loss."""

    def __init__(self, policy: nn.Module, loss: Loss) -> None:
        self._policy, self._loss = policy, loss
        policy.eval()

    @torch.no_grad()
    def forward(self, state: NDArray[np.float32]) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        logits: Logits = self._policy(torch.tensor(state)[None])[0].numpy()
        return logits

    def step(self, optimizer: torch.optim.Adam, states: Floats, decisions: Floats) -> float:
        """Take a step of the optimizer on `[B, inputs]` and `[B, N]`; return the loss before it."""
        self._policy.train()
        try:
            self._policy.zero_grad(set_to_none=True)
            logits = self._policy(torch.from_numpy(states))
            loss = self._loss(logits, torch.from_numpy(decisions))
            loss.backward()  # type: ignore[no-untyped-call]
        finally:
            self._policy.eval()
        optimizer.step()
        return loss.item()


class EquivariantForward(Autograd):
    """The forward pass of an `Equivariant` by NumPy, in a fifth of the time; backward by torch."""

    def __init__(self, policy: Equivariant, loss: Loss) -> None:
        super().__init__(policy, loss)
        self._equivariant = policy
        self._encoder = [layer for layer in policy.encoder if isinstance(layer, nn.Linear)]

    def forward(self, state: NDArray[np.float32]) -> Logits:
        """Return the logits `[N]` or `[N, P]` of one state `[inputs]`."""
        policy = self._equivariant
        features = state.reshape(len(policy.layout.features), -1)
        seen = features[policy.inputs].T
        for layer in self._encoder:
            seen = np.maximum(seen @ _view(layer.weight).T + _view(layer.bias), 0)
        ones = np.ones(features.shape[1], dtype=bool)
        active = ones if policy.mask is None else features[policy.mask] > 0
        there = seen[active]
        context = there.sum(axis=0) / max(len(there), 1) @ _view(policy.context.weight).T
        seen = np.maximum(seen @ _view(policy.own.weight).T + (context + _view(policy.own.bias)), 0)
        logits: Logits = seen @ _view(policy.out.weight).T + _view(policy.out.bias)
        if policy.mask is not None:
            silent = np.array(policy.layout.silent, dtype=np.float32)
            logits = np.where(active[:, None], logits, silent)
        return logits[:, 0] if policy.layout.logits == 1 else logits


class Compiled:
    """The computations as compiled kernels on torch's memory, for an `MLP` and its cross-entropy.

    Args:
        network: the policy; the parameters stay its own, and the moments its optimizer's.
    """

    def __init__(self, network: MLP) -> None:
        self._network = network
        self._linears = [layer for layer in network if isinstance(layer, nn.Linear)]
        self._parameters, self._first, self._second, self._steps = (Views() for _ in range(4))

    def layers(self) -> tuple[mlp_kernels.Several, mlp_kernels.Several]:
        """Return the weights and the biases of each layer, `[outputs, inputs]`, `[1, outputs]`."""
        return _halves(self._parameters.of(self._tensors()))

    def forward(self, state: Floats) -> Logits:
        """Return the logits `[N]` of one state `[inputs]`."""
        return mlp_kernels.forward(*self.layers(), state)

    def step(self, optimizer: torch.optim.Adam, states: Floats, decisions: Floats) -> float:
        """Take a step of the optimizer on `[B, inputs]` and `[B, N]`; return the loss before it."""
        if not is_plain_adam(optimizer):  # the caller has replaced or changed it
            return Autograd(self._network, binary_cross_entropy).step(optimizer, states, decisions)
        tensors = self._tensors()
        moments = [moments_of(optimizer, tensor) for tensor in tensors]
        steps = self._steps.of([moment["step"] for moment in moments])
        for step in steps:
            np.add(step, 1, out=step)
        weights, biases = zip(
            _halves(self._parameters.of(tensors)),
            _halves(self._first.of([moment["exp_avg"] for moment in moments])),
            _halves(self._second.of([moment["exp_avg_sq"] for moment in moments])),
            strict=True,
        )
        settings = hyperparameters(optimizer, float(optimizer.param_groups[0]["lr"]))
        return mlp_kernels.train(weights, biases, float(steps[0]), settings, states, decisions)

    def _tensors(self) -> list[Tensor]:
        """Return the weights, and then the biases."""
        # Read from torch's own dictionary: this is done in every frame, and attributes are slow.
        own = [layer._parameters for layer in self._linears]
        tensors = [each["weight"] for each in own] + [each["bias"] for each in own]
        return cast(list[Tensor], tensors)

    def __reduce__(self) -> tuple[type, tuple[MLP]]:
        """Copy and pickle the network alone: copied views would be of other memory than it."""
        return Compiled, (self._network,)


class Views:
    """Tensors as arrays on their memory, made anew when that is another."""

    def __init__(self) -> None:
        self._addresses: list[int] = []
        self._arrays: list[Floats] = []

    def of(self, tensors: list[Tensor]) -> list[Floats]:
        """Return an array of each tensor; a vector `[M]` becomes `[1, M]`."""
        if [tensor.data_ptr() for tensor in tensors] != self._addresses:
            # At first, and after load_state_dict(assign=True), say.
            for tensor in tensors:
                tensor.data = tensor.data.contiguous()  # which it is, as a rule
            self._addresses = [tensor.data_ptr() for tensor in tensors]
            arrays = [_view(tensor) for tensor in tensors]
            self._arrays = [array[None] if array.ndim == 1 else array for array in arrays]
        return self._arrays


def _halves(arrays: list[Floats]) -> tuple[mlp_kernels.Several, mlp_kernels.Several]:
    half = len(arrays) // 2
    return tuple(arrays[:half]), tuple(arrays[half:])


def is_plain_adam(optimizer: torch.optim.Adam) -> bool:
    """Whether the kernel's Adam does what this optimizer does."""
    groups = optimizer.param_groups
    changed = groups[0]["amsgrad"] or groups[0]["maximize"]
    return type(optimizer) is torch.optim.Adam and len(groups) == 1 and not changed


def hyperparameters(
    optimizer: torch.optim.Adam, learning_rate: float
) -> tuple[float, float, float, float, float]:
    """Return the learning rate, both betas, epsilon and the weight decay."""
    group = optimizer.param_groups[0]
    return learning_rate, *group["betas"], group["eps"], group["weight_decay"]


def moments_of(optimizer: torch.optim.Adam, parameter: Tensor) -> dict[str, Tensor]:
    """Return what Adam knows of a parameter; at first what it would begin with."""
    if parameter not in optimizer.state:
        names = ("exp_avg", "exp_avg_sq")
        moments = {name: torch.zeros_like(parameter, requires_grad=False) for name in names}
        optimizer.state[parameter] = {"step": torch.tensor(0.0), **moments}
    known: dict[str, Tensor] = optimizer.state[parameter]
    return known


def _view(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().numpy()
    return array
