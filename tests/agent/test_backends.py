"""The compiled backends, against torch: batches of any size and memory layout, hidden layers, N."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import MemoryDNN
from agent.adam import AdamState
from agent.backends import Autograd, Compiled, backend_for
from agent.kernels import kernel, layers
from agent.losses import binary_cross_entropy, categorical_cross_entropy
from agent.negligible import CONFIDENT
from agent.networks import MLP, POLICIES, Equivariant, Layout, initialize
from droo_core.arrays import Singles
from droo_core.jit import function_of
from tests.agent.by_torch import ByTorch, check_equal

cross_entropy = kernel(function_of(layers.cross_entropy))

FEATURES = ("gain", "active", "weight")


def new_policy(
    name: str, n: int, hidden: tuple[int, ...], num_places: int = 2
) -> MLP | Equivariant:
    policy: Any = POLICIES[name]((3 * n, *hidden, n), Layout(n, FEATURES, num_places))
    initialize(policy, torch.Generator().manual_seed(0))
    assert isinstance(policy, MLP | Equivariant)
    return policy


def random_batch(seed: int, n: int, size: int) -> tuple[Singles, Singles]:
    rng = np.random.default_rng(seed)
    states = rng.standard_normal((size, 3 * n), np.float32)
    states[:, n : 2 * n] = rng.integers(0, 2, (size, n))
    return states, rng.integers(0, 2, (size, n)).astype(np.float32)


@settings(max_examples=40)
@given(
    st.sampled_from(["mlp", "equivariant"]),
    st.integers(1, 9),
    st.lists(st.integers(1, 20), min_size=1, max_size=4),
    st.integers(1, 40),
)
def test_a_step_on_a_batch_of_any_size(
    name: str, n: int, hidden: list[int], batch_size: int
) -> None:
    policy = new_policy(name, n, tuple(hidden))
    other, adam = ByTorch(policy), AdamState(policy, 0.01)
    backend = backend_for(policy, binary_cross_entropy)
    assert isinstance(backend, Compiled)
    assert backend.trains(adam)
    for seed in range(5):
        batch = random_batch(seed, n, batch_size)
        loss = backend.step(adam, 0.01, *batch)
        assert loss == pytest.approx(other.train_on(*batch), rel=1e-4)
    # Adam divides by the root of the second moment, which magnifies rounding in tiny derivatives.
    np.testing.assert_allclose(adam.first, flat(other, "exp_avg"), rtol=1e-3, atol=1e-6)
    check_equal(policy, other.network, 1e-3)


def flat(other: ByTorch, moment: str) -> Singles:
    """Return the moments of all parameters, one after the other."""
    state = other.optimizer.state
    parameters = other.network.parameters()
    return np.concatenate([state[p][moment].flatten().numpy() for p in parameters])


LAYOUTS: dict[str, Callable[[Singles], Singles]] = {
    "columns first": np.asfortranarray,
    "every other row": lambda values: np.repeat(values, 2, axis=0)[::2],
    "every other column": lambda values: np.repeat(values, 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["mlp", "equivariant"])
def test_the_memory_layout_of_a_batch_is_of_no_effect(name: str, layout: str) -> None:
    policy = new_policy(name, 3, (8, 8))
    other = copy.deepcopy(policy)
    batch = random_batch(0, 3, 10)
    strided = [LAYOUTS[layout](values) for values in batch]
    for each, (states, decisions) in ((policy, batch), (other, strided)):
        backend = backend_for(each, binary_cross_entropy)
        backend.step(AdamState(each, 0.01), 0.01, states, decisions)
    check_equal(policy, other)


@pytest.mark.parametrize("name", ["mlp", "equivariant"])
def test_several_places_are_decided_compiled_and_trained_by_torch(name: str) -> None:
    policy = new_policy(name, 4, (8, 8), num_places=3)
    other = ByTorch(policy)
    other.loss = lambda logits, places: torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), places.flatten().long()
    )
    backend, adam = backend_for(policy, categorical_cross_entropy), AdamState(policy, 0.01)
    assert isinstance(backend, Compiled)
    for seed in range(20):
        states, decisions = random_batch(seed, 4, 16)
        backend.step(adam, 0.01, states, decisions)
        other.train_on(states, decisions)
        logits = other.network(torch.from_numpy(states[:1]))[0].detach()
        np.testing.assert_allclose(backend.forward(states[0]), logits, rtol=1e-4, atol=1e-4)
    check_equal(policy, other.network, 1e-4)


@pytest.mark.parametrize("name", ["mlp", "equivariant"])
def test_the_parameters_are_views_of_one_vector(name: str) -> None:
    policy = new_policy(name, 3, (8, 8))
    backend = backend_for(policy, binary_cross_entropy)
    assert isinstance(backend, Compiled)
    for change in ("none", "in place", "assigned", "replaced data"):
        if change == "in place":
            policy.load_state_dict(new_policy(name, 3, (8, 8)).state_dict())
        elif change == "assigned":
            policy.load_state_dict(copy.deepcopy(policy.state_dict()), assign=True)
        elif change == "replaced data":
            for parameter in policy.parameters():
                parameter.data = parameter.data.double().float()
        expected = torch.nn.utils.parameters_to_vector(policy.parameters()).detach().numpy()
        assert (backend.parameters() == expected).all()
        backend.parameters()[:] += 1
        found = torch.nn.utils.parameters_to_vector(policy.parameters()).detach().numpy()
        assert (found == backend.parameters()).all()
        assert backend.parameters() is backend.parameters()


def test_two_backends_of_one_policy_see_each_others_training() -> None:
    policy = new_policy("mlp", 3, (8, 8))
    other, adam = ByTorch(policy), AdamState(policy, 0.01)
    backends = [backend_for(policy, binary_cross_entropy) for _ in range(2)]
    for seed in range(6):
        batch = random_batch(seed, 3, 16)
        backends[seed % 2].step(adam, 0.01, *batch)
        other.train_on(*batch)
        for backend in backends:
            logits = other.network(torch.from_numpy(batch[0][:1]))[0].detach()
            np.testing.assert_allclose(backend.forward(batch[0][0]), logits, rtol=0, atol=1e-4)
    check_equal(policy, other.network, 1e-4)


@pytest.mark.parametrize("name", ["mlp", "equivariant"])
@pytest.mark.parametrize("compiled", [True, False])
def test_a_policy_that_diverges_shows_it(name: str, compiled: bool) -> None:
    policy = new_policy(name, 3, (8, 8))
    backend = (backend_for if compiled else Autograd)(policy, binary_cross_entropy)
    states, decisions = random_batch(0, 3, 10)
    states[:, 3:6] = 1
    with torch.no_grad():
        next(policy.parameters())[0] = np.nan
    assert np.isnan(backend.step(AdamState(policy, 0.01), 0.01, states, decisions))
    assert np.isnan(backend.forward(states[0])).all()
    *_, weight, bias = policy.parameters()
    assert weight.isnan().all()
    assert bias.isnan().all()


def test_the_compiled_cross_entropy_and_its_derivatives_are_those_of_torch() -> None:
    rng = np.random.default_rng(0)
    logits = np.concatenate(
        [30 * rng.standard_normal(1000), [0, CONFIDENT, -CONFIDENT, 200, -200, 1e-30]]
    ).astype(np.float32)
    for offload in (0, 1):
        signs = np.full(len(logits), 2 * offload - 1, np.float32)
        found = np.empty_like(logits)
        loss = cross_entropy(logits, signs, found, len(logits))
        z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
        expected = torch.nn.BCEWithLogitsLoss()(z, torch.full_like(z, offload))
        expected.backward()
        assert z.grad is not None
        assert loss == pytest.approx(expected.item(), rel=1e-6)
        np.testing.assert_allclose(found, z.grad, rtol=1e-6, atol=1e-12 / len(logits))
        # Those and only those that are right by more than CONFIDENT are zero.
        assert ((found == 0) == (signs * logits > CONFIDENT)).all()
        z = torch.tensor(logits, requires_grad=True)
        binary_cross_entropy(z, torch.full_like(z, offload)).backward()  # type: ignore[no-untyped-call]
        assert z.grad is not None
        np.testing.assert_allclose(found, z.grad, rtol=1e-5, atol=0)


class Half(torch.nn.Linear):
    """A module of the caller's own, with parameters that NumPy cannot view."""

    def __init__(self) -> None:
        super().__init__(4, 4, dtype=torch.bfloat16)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return super().forward(states.to(torch.bfloat16)).float()


class Clipped(torch.nn.Linear):
    """A module of the caller's own that clips its derivatives."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.weight.register_hook(lambda gradient: gradient.clamp(-1, 1))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("module", [Half, Clipped])
def test_modules_of_any_type_and_backward_pass_learn(module: type[torch.nn.Module]) -> None:
    torch.manual_seed(0)
    agent = MemoryDNN([4, 4], policy=module(), training_interval=1, batch_size=32, seed=0)
    rng = np.random.default_rng(0)
    for _ in range(300):
        state = rng.normal(size=4)
        agent.encode(state, state > 0)
    assert np.mean(agent.cost_his[-20:]) < 0.5 * np.mean(agent.cost_his[:20])


@pytest.mark.parametrize("name", ["mlp", "equivariant"])
def test_a_parameter_frozen_later_stays_and_one_thawed_counts_its_own_steps(name: str) -> None:
    policy = new_policy(name, 4, (8,))
    backend, adam = backend_for(policy, binary_cross_entropy), AdamState(policy, 0.01)
    first = next(policy.parameters())
    for step, trained in enumerate((True, False, False, True)):
        first.requires_grad_(trained)
        before = first.detach().clone()
        backend.step(adam, 0.01, *random_batch(step, 4, 16))
        assert (first == before).all() != trained
    assert adam.steps[0] == 2
    assert (adam.steps[1:] == 4).all()
