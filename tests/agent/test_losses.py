"""Losses and their gradients, against the formulas written out in NumPy."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax

from agent.losses import LOSSES, Loss
from agent.negligible import CONFIDENT
from droo_core.arrays import Floats


def value_and_gradient(loss: Loss, logits: Floats, decisions: Floats) -> tuple[float, Floats]:
    z = torch.tensor(logits, requires_grad=True)
    value = loss(z, torch.tensor(decisions))
    value.backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None
    return value.item(), z.grad.numpy()


@pytest.fixture
def batch() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(0)
    return 3 * rng.normal(size=(20, 5)), rng.integers(0, 2, (20, 5)).astype(np.float64)


@pytest.mark.parametrize("name", ["bce", "bce_probabilities"])
def test_the_cross_entropy_and_its_gradient(name: str, batch: tuple[Floats, Floats]) -> None:
    z, t = batch
    p = expit(z)
    value, gradient = value_and_gradient(LOSSES[name], z, t)
    assert value == pytest.approx(-(t * np.log(p) + (1 - t) * np.log1p(-p)).mean(), rel=1e-10)
    np.testing.assert_allclose(gradient, (p - t) / t.size, rtol=1e-8)


def test_the_quadratic_cost_and_its_gradient(batch: tuple[Floats, Floats]) -> None:
    z, t = batch
    p = expit(z)
    value, gradient = value_and_gradient(LOSSES["quadratic"], z, t)
    assert value == pytest.approx(((p - t) ** 2).mean() / 2, rel=1e-10)
    np.testing.assert_allclose(gradient, (p - t) * p * (1 - p) / t.size, rtol=1e-8)


def test_the_categorical_cross_entropy_and_its_gradient() -> None:
    rng = np.random.default_rng(0)
    z, t = rng.normal(size=(20, 5, 4)), rng.integers(0, 4, (20, 5))
    one_hot = np.eye(4)[t]
    value, gradient = value_and_gradient(LOSSES["categorical"], z, t.astype(np.float64))
    assert value == pytest.approx(-(log_softmax(z, axis=2) * one_hot).sum() / t.size, rel=1e-10)
    np.testing.assert_allclose(gradient, (softmax(z, axis=2) - one_hot) / t.size, atol=1e-12)


def test_only_cross_entropy_from_logits_has_a_gradient_at_certain_and_wrong_outputs() -> None:
    # A logit of 30 is a probability of 1 in single precision.
    z = torch.tensor([[30.0]], requires_grad=True)
    gradients = {}
    for name in ("bce", "bce_probabilities", "quadratic"):
        (gradients[name],) = torch.autograd.grad(LOSSES[name](z, torch.zeros(1, 1)), z)
    assert gradients["bce"].item() == pytest.approx(1.0)
    assert abs(gradients["bce_probabilities"].item()) < 1e-6
    assert abs(gradients["quadratic"].item()) < 1e-6


@pytest.mark.parametrize("name", ["bce", "bce_probabilities", "quadratic"])
@pytest.mark.parametrize("decision", [0.0, 1.0])
def test_the_gradient_is_zero_where_the_policy_is_right_and_confident(
    name: str, decision: float
) -> None:
    sign = 2 * decision - 1
    beyond = sign * np.array([CONFIDENT + 0.1, 60.0, 95.0, 2000.0])
    value, gradient = value_and_gradient(LOSSES[name], beyond, np.full(4, decision))
    assert value < 1e-12
    assert (gradient == 0).all()
    _, gradient = value_and_gradient(LOSSES[name], sign * np.array([27.9]), np.array([decision]))
    assert gradient * sign <= 0
    if name == "bce":
        assert gradient != 0
        # Not where it is wrong.
        _, gradient = value_and_gradient(LOSSES[name], -beyond, np.full(4, decision))
        np.testing.assert_allclose(gradient, -sign / 4, rtol=1e-10)


def test_the_categorical_gradient_is_zero_at_places_that_are_out_of_the_question() -> None:
    z = np.array([[[0.0, -55.0, -57.0], [-300.0, 0.0, -1.0]]])
    _, gradient = value_and_gradient(LOSSES["categorical"], z, np.zeros((1, 2)))
    assert gradient[0, 0, 1] > 0
    assert gradient[0, 0, 2] == 0
    expected = softmax(z[0, 1]) - [1, 0, 0]
    np.testing.assert_allclose(gradient[0, 1], expected / 2, rtol=1e-10)
