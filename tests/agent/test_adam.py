"""Adam's formulas, the batched and the compiled one, and its state, against torch's optimizer."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agent import DROO, Fleet, MemoryDNN
from agent.adam import (
    BETAS,
    PUBLISHED_BETAS,
    WEIGHT_DECAY,
    AdamState,
    Hyperparameters,
    batched_step,
    is_plain_adam,
)
from agent.kernels.layers import adam as kernel
from tests.agent.by_torch import ByTorch, check_equal

STEPS = 50


def gradients(network: int, step: int) -> Tensor:
    rng = np.random.default_rng([network, step])
    scale = 10.0 ** rng.integers(-4, 2)
    return torch.tensor(scale * rng.normal(size=(4, 3)), dtype=torch.float32)


def linear(seed: int) -> nn.Linear:
    layer = nn.Linear(3, 4, bias=False)
    nn.init.uniform_(layer.weight, generator=torch.Generator().manual_seed(seed))
    return layer


def torchs(layer: nn.Module, *, published: bool = False) -> torch.optim.Adam:
    betas = PUBLISHED_BETAS if published else BETAS
    return torch.optim.Adam(layer.parameters(), 0.01, betas, weight_decay=WEIGHT_DECAY)


def settings_of(optimizer: torch.optim.Adam) -> Hyperparameters:
    group = optimizer.param_groups[0]
    return group["lr"], *group["betas"], group["eps"], group["weight_decay"]


def trained_by_torch(layer: nn.Linear, optimizer: torch.optim.Adam, network: int) -> None:
    for step in range(STEPS):
        layer.weight.grad = gradients(network, step)
        optimizer.step()


@pytest.mark.parametrize("published", [False, True])
def test_the_compiled_formula_is_that_of_torch(published: bool) -> None:
    layer = linear(0)
    optimizer = torchs(layer, published=published)
    parameter = layer.weight.detach().numpy().flatten()
    first, second = np.zeros((2, parameter.size), np.float32)
    settings = np.array(AdamState(layer, 0.01, published=published).hyperparameters(0.01))
    for step in range(STEPS):
        kernel(parameter, gradients(0, step).flatten().numpy(), first, second, step + 1.0, settings)
    trained_by_torch(layer, optimizer, 0)
    moments = optimizer.state[layer.weight]
    for ours, theirs, rtol, atol in (
        (parameter, layer.weight.detach(), 0, 1e-5),
        (first, moments["exp_avg"], 1e-4, 1e-7),
        (second, moments["exp_avg_sq"], 1e-4, 1e-12),
    ):
        np.testing.assert_allclose(ours.reshape(4, 3), theirs, rtol=rtol, atol=atol)


def test_the_batched_formula_is_that_of_torch_for_each_network() -> None:
    layers = [linear(seed) for seed in range(3)]
    optimizers = [
        torchs(layers[0]),
        torchs(layers[1], published=True),
        torch.optim.Adam(layers[2].parameters(), 0.1, (0.5, 0.9), eps=1e-3),
    ]
    settings = [settings_of(optimizer) for optimizer in optimizers]
    parameters = torch.stack([layer.weight.detach().flatten() for layer in layers])
    first, second = torch.zeros_like(parameters), torch.zeros_like(parameters)
    for step in range(STEPS):
        rows = torch.stack([gradients(network, step).flatten() for network in range(3)])
        steps = [step + 1.0] * 3
        parameters, first, second = batched_step(parameters, first, second, rows, steps, settings)
    for network, (layer, optimizer) in enumerate(zip(layers, optimizers, strict=True)):
        trained_by_torch(layer, optimizer, network)
        moments = optimizer.state[layer.weight]
        for ours, theirs, atol in (
            (parameters, layer.weight.detach(), 1e-5),
            (first, moments["exp_avg"], 1e-7),
            (second, moments["exp_avg_sq"], 1e-12),
        ):
            row = ours[network].reshape(4, 3)
            np.testing.assert_allclose(row, theirs, rtol=1e-4, atol=atol)


def test_networks_of_a_batch_may_be_at_different_steps() -> None:
    one = torch.ones(1, 2)
    zero, gradient = torch.zeros(1, 2), torch.full((1, 2), 0.5)
    settings = (0.01, 0.9, 0.999, 1e-8, 0.0)
    both = batched_step(
        one.repeat(2, 1),
        zero.repeat(2, 1),
        zero.repeat(2, 1),
        gradient.repeat(2, 1),
        [1, 7],
        [settings] * 2,
    )
    for row, step in enumerate((1, 7)):
        alone = batched_step(one, zero, zero, gradient, [step], [settings])
        for ours, theirs in zip(both, alone, strict=True):
            assert torch.equal(ours[row], theirs[0])


def test_only_torchs_adam_without_variants_is_plain() -> None:
    parameters = list(linear(0).parameters())
    assert is_plain_adam(torch.optim.Adam(parameters))
    others = (
        torch.optim.Adam(parameters, amsgrad=True),
        torch.optim.Adam(parameters, maximize=True),
        torch.optim.Adam(parameters, decoupled_weight_decay=True),
        torch.optim.AdamW(parameters),
        torch.optim.SGD(parameters, 0.1),
        torch.optim.Adam([{"params": parameters}, {"params": [nn.Parameter(torch.ones(1))]}]),
    )
    assert not any(map(is_plain_adam, others))


def test_the_state_of_replaced_parameters_is_stale() -> None:
    layer = linear(0)
    adam = AdamState(layer, 0.01)
    layer.load_state_dict(copy.deepcopy(layer.state_dict()))
    assert not adam.is_stale(layer)
    layer.load_state_dict(copy.deepcopy(layer.state_dict()), assign=True)
    assert adam.is_stale(layer)


def test_moments_are_zero_before_the_first_step() -> None:
    adam = AdamState(linear(0), 0.01)
    assert adam.moments() == {}
    assert not np.concatenate([adam.first, adam.second, adam.steps]).any()
    adam.optimizer  # noqa: B018 (makes torch's)
    assert adam.synchronize()
    assert adam.moments() == {}


# An agent's optimizer against torch's own on a copy of its network.

NET = (4, 9, 4)
Change = Callable[[Any], None]


def train(agent: MemoryDNN, other: ByTorch, steps: int, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        states = torch.randn(8, NET[0], generator=generator).numpy()
        decisions = torch.randint(0, 2, (8, NET[-1]), generator=generator).float().numpy()
        agent.learner.train_on(states, decisions)
        other.train_on(states, decisions)


def set_moments(each: Any, value: float) -> None:
    for moments in each.optimizer.state.values():
        moments["exp_avg"] = torch.full_like(moments["exp_avg"], value)


def set_step(each: Any) -> None:
    for moments in each.optimizer.state.values():
        moments["step"] = torch.tensor(3.0)


def load_moments(each: Any) -> None:
    state = copy.deepcopy(each.optimizer.state_dict())
    for moments in state["state"].values():
        moments["exp_avg"] *= -1
    each.optimizer.load_state_dict(state)


def replace(each: Any, kind: type[torch.optim.Optimizer] = torch.optim.Adam, **wanted: Any) -> None:
    each.optimizer = kind(each.network.parameters(), **{"lr": 0.01} | wanted)


def replace_and_step(each: Any) -> None:
    replace(each)
    each.optimizer.step()


def replace_in_another_order(each: Any) -> None:
    each.optimizer = torch.optim.Adam(list(each.network.parameters())[::-1], 0.01)


def replace_for_some(each: Any) -> None:
    each.optimizer = torch.optim.Adam(list(each.network.parameters())[:2], 0.01)


def replace_all(each: Any) -> None:
    """Replace the parameters, and then the optimizer by one that trains the new ones."""
    each.network.load_state_dict(copy.deepcopy(each.network.state_dict()), assign=True)
    replace(each, torch.optim.SGD, lr=0.01, momentum=0.5)


CHANGES: dict[str, Change] = {
    "read": lambda each: each.optimizer.state_dict(),
    "betas": lambda each: each.optimizer.param_groups[0].update(betas=(0.5, 0.99), eps=1e-3),
    "moments": lambda each: set_moments(each, 0.1),
    "step": set_step,
    "reset": lambda each: each.optimizer.state.clear(),
    "loaded": load_moments,
    "a new Adam": replace,
    "a stepped Adam": replace_and_step,
    "Adam in another order": replace_in_another_order,
    "Adam for some": replace_for_some,
    "AdamW": lambda each: replace(each, torch.optim.AdamW, weight_decay=0.1),
    "AMSGrad": lambda each: replace(each, amsgrad=True),
    "SGD": lambda each: replace(each, torch.optim.SGD, momentum=0.9),
    "all": replace_all,
}


@pytest.mark.parametrize("policy", ["compiled", "by torch"])
@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_the_optimizer_have_the_effect_that_they_have_in_torch(
    name: str, policy: str
) -> None:
    module = nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 4))
    agent = MemoryDNN(NET, policy="mlp" if policy == "compiled" else module, seed=0)
    other = ByTorch(agent.network)
    train(agent, other, 20)
    agent.network.zero_grad()
    other.network.zero_grad()
    for parameter in (*agent.network.parameters(), *other.network.parameters()):
        parameter.grad = torch.full_like(parameter, 0.1)  # for the change that steps
    CHANGES[name](agent)
    CHANGES[name](other)
    if name == "Adam for some":
        agent.network.zero_grad()
    check_equal(agent.network, other.network, 2e-5)
    train(agent, other, 20, seed=1)
    check_equal(agent.network, other.network, 2e-5)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
@pytest.mark.parametrize("accessed", [False, True])
def test_a_copy_trains_on_with_moments_of_its_own(
    copied: Callable[[MemoryDNN], MemoryDNN], accessed: bool
) -> None:
    agent = MemoryDNN(NET, seed=0)
    other = ByTorch(agent.network)
    if accessed:
        agent.optimizer.param_groups[0]["eps"] = other.optimizer.param_groups[0]["eps"] = 1e-3
    train(agent, other, 20)
    second, third = copied(agent), copy.deepcopy(other)
    train(agent, other, 20, seed=1)
    check_equal(agent.network, other.network, 2e-5)
    train(second, third, 20, seed=2)
    check_equal(second.network, third.network, 2e-5)
    assert len(pickle.dumps(agent.network)) < 2 * len(pickle.dumps(copy.deepcopy(other.network)))


def test_the_learning_rate_is_that_of_the_agent() -> None:
    agent = MemoryDNN(NET, learning_rate=0.01, seed=0)
    other = ByTorch(agent.network)
    train(agent, other, 5)
    agent.lr = other.optimizer.param_groups[0]["lr"] = 0.001
    train(agent, other, 5)
    agent.optimizer.param_groups[0]["lr"] = 5.0  # without effect
    train(agent, other, 5)
    assert agent.optimizer.param_groups[0]["lr"] == 0.001
    check_equal(agent.network, other.network, 2e-5)


def test_torchs_optimizer_and_a_fleet_share_the_moments() -> None:
    agent, other = MemoryDNN(NET, batch_size=8, memory_size=16, seed=0), MemoryDNN(NET, seed=1)
    agent.optimizer  # noqa: B018 (before any step)
    alone = MemoryDNN(NET, batch_size=8, memory_size=16, seed=0)
    fleet = Fleet([DROO(agent)])
    for state in np.random.default_rng(0).normal(size=(16, 4)):
        for each in (agent, alone):
            each.remember(state, state > 0)
    for _ in range(5):
        fleet._learn([0])
        alone.learn()
    fleet.release()
    for ours, theirs in zip(
        agent.optimizer.state_dict()["state"].values(),
        alone.optimizer.state_dict()["state"].values(),
        strict=True,
    ):
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name], value, rtol=1e-3, atol=1e-7)
    assert agent.optimizer.state_dict()["state"][0]["step"] == 5
    assert not other.learner.adam.first.any()
