"""Adam's formulas, the batched and the compiled one, against torch's optimizer."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agent.adam import batched_step, hyperparameters, is_plain_adam, is_stale, moments_of, new_adam
from agent.kernels.mlp import adam as kernel

STEPS = 50


def gradients(network: int, step: int) -> Tensor:
    rng = np.random.default_rng([network, step])
    scale = 10.0 ** rng.integers(-4, 2)
    return torch.tensor(scale * rng.normal(size=(4, 3)), dtype=torch.float32)


def linear(seed: int) -> nn.Linear:
    layer = nn.Linear(3, 4, bias=False)
    nn.init.uniform_(layer.weight, generator=torch.Generator().manual_seed(seed))
    return layer


def trained_by_torch(layer: nn.Linear, optimizer: torch.optim.Adam, network: int) -> None:
    for step in range(STEPS):
        layer.weight.grad = gradients(network, step)
        optimizer.step()


@pytest.mark.parametrize("published", [False, True])
def test_the_compiled_formula_is_that_of_torch(published: bool) -> None:
    layer = linear(0)
    optimizer = new_adam(layer, 0.01, published=published)
    parameter = layer.weight.detach().numpy().copy()
    first, second = np.zeros((2, *parameter.shape), np.float32)
    for step in range(STEPS):
        settings = hyperparameters(optimizer, 0.01)
        kernel(parameter, gradients(0, step).numpy(), first, second, float(step + 1), settings)
    trained_by_torch(layer, optimizer, 0)
    moments = moments_of(optimizer, layer.weight)
    np.testing.assert_allclose(parameter, layer.weight.detach(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(first, moments["exp_avg"], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(second, moments["exp_avg_sq"], rtol=1e-4, atol=1e-12)
    assert moments["step"] == STEPS


def test_the_batched_formula_is_that_of_torch_for_each_network() -> None:
    layers = [linear(seed) for seed in range(3)]
    optimizers = [
        new_adam(layers[0], 0.01),
        new_adam(layers[1], 0.001, published=True),
        torch.optim.Adam(layers[2].parameters(), 0.1, (0.5, 0.9), eps=1e-3),
    ]
    settings = [hyperparameters(each, each.param_groups[0]["lr"]) for each in optimizers]
    parameters = torch.stack([layer.weight.detach().flatten() for layer in layers])
    first, second = torch.zeros_like(parameters), torch.zeros_like(parameters)
    for step in range(STEPS):
        rows = torch.stack([gradients(network, step).flatten() for network in range(3)])
        steps = [step + 1.0] * 3
        parameters, first, second = batched_step(parameters, first, second, rows, steps, settings)
    for network, (layer, optimizer) in enumerate(zip(layers, optimizers, strict=True)):
        trained_by_torch(layer, optimizer, network)
        moments = moments_of(optimizer, layer.weight)
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
        torch.optim.AdamW(parameters),
        torch.optim.SGD(parameters, 0.1),
        torch.optim.Adam([{"params": parameters}, {"params": [nn.Parameter(torch.ones(1))]}]),
    )
    assert not any(map(is_plain_adam, others))


def test_an_optimizer_of_replaced_parameters_is_stale() -> None:
    layer = linear(0)
    optimizer = new_adam(layer, 0.01)
    layer.load_state_dict(copy.deepcopy(layer.state_dict()))
    assert not is_stale(optimizer, layer)
    layer.load_state_dict(copy.deepcopy(layer.state_dict()), assign=True)
    assert is_stale(optimizer, layer)


def test_moments_are_zero_before_the_first_step() -> None:
    layer = linear(0)
    moments = moments_of(new_adam(layer, 0.01), layer.weight)
    assert {name: value.abs().max().item() for name, value in moments.items()} == {
        "step": 0.0,
        "exp_avg": 0.0,
        "exp_avg_sq": 0.0,
    }
