"""The compiled backend of the equivariant policy computes what torch computes."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent import MemoryDNN
from agent.adam import AdamState
from agent.backends import Autograd, Backend, Compiled, backend_for
from agent.kernels import equivariant
from agent.losses import Loss, binary_cross_entropy, quadratic
from agent.networks import ACTIVE, SILENT, Equivariant, Layout, initialize
from tests.agent.by_torch import ByTorch, check_equal

Floats = NDArray[np.float32]

PLAIN = ("gain", "weight")
MASKED = ("gain", "weight", ACTIVE)
MASK_FIRST = (ACTIVE, "gain", "weight", "queue", "battery")  # four inputs
BATCH_SIZE = 33


def new_policy(
    features: tuple[str, ...], widths: tuple[int, ...], n: int, num_places: int = 2, seed: int = 0
) -> Equivariant:
    policy = Equivariant((len(features) * n, *widths, n), Layout(n, features, num_places))
    initialize(policy, torch.Generator().manual_seed(seed))
    return policy


def random_batch(
    rng: np.random.Generator, features: tuple[str, ...], n: int, size: int = BATCH_SIZE
) -> tuple[Floats, Floats]:
    """Return states `[B, inputs]`, the first of which has no active device, and decisions."""
    states = rng.exponential(size=(size, len(features), n))
    if ACTIVE in features:
        active = rng.integers(0, 2, (size, n))
        active[0] = 0
        states[:, features.index(ACTIVE)] = active
    decisions = rng.integers(0, 2, (size, n))
    return states.reshape(size, -1).astype(np.float32), decisions.astype(np.float32)


Step = Callable[[Floats, Floats], float]


def step_of(backend: Backend, adam: AdamState) -> Step:
    return lambda states, decisions: backend.step(adam, 0.01, states, decisions)


def is_compiled(backend: Backend) -> bool:
    return isinstance(backend, Compiled) and backend.kernels is equivariant


def train(step: Step, policy: Equivariant, steps: int, seed: int = 0) -> list[float]:
    """Train on random batches that are slices of wider rows, as in a replay memory."""
    rng, layout = np.random.default_rng(seed), policy.layout
    losses = []
    for _ in range(steps):
        rows = np.hstack(random_batch(rng, layout.features, layout.num_devices))
        losses.append(step(*np.split(rows, [-layout.num_devices], axis=1)))
    return losses


@settings(max_examples=50)
@given(
    st.integers(0, 2**32),
    st.integers(1, 20),
    st.sampled_from([PLAIN, MASKED, MASK_FIRST]),
    st.lists(st.integers(1, 20), min_size=1, max_size=3),
    st.sampled_from([2, 4]),
)
def test_the_forward_pass_is_that_of_torch(
    seed: int, n: int, features: tuple[str, ...], widths: list[int], num_places: int
) -> None:
    policy = new_policy(features, tuple(widths), n, num_places, seed % 1000)
    backend = backend_for(policy, binary_cross_entropy)
    assert is_compiled(backend)
    for state in random_batch(np.random.default_rng(seed), features, n, 3)[0]:
        expected = policy(torch.from_numpy(state)[None])[0].detach().numpy()
        found = backend.forward(state)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        if ACTIVE in features:
            silent = state.reshape(len(features), n)[features.index(ACTIVE)] == 0
            assert (found[silent] == policy.layout.silent).all()


@pytest.mark.parametrize("features", [PLAIN, MASKED, MASK_FIRST])
@pytest.mark.parametrize(
    ("widths", "n"), [((7,), 5), ((16, 16), 10), ((6, 9), 1), ((5, 12, 7), 18), ((32, 32), 3)]
)
def test_training_is_that_of_torch(
    features: tuple[str, ...], widths: tuple[int, ...], n: int
) -> None:
    ours = new_policy(features, widths, n)
    theirs = ByTorch(ours)
    adam, backend = AdamState(ours, 0.01), backend_for(ours, binary_cross_entropy)
    assert is_compiled(backend)
    losses = train(step_of(backend, adam), ours, 100)
    expected = train(theirs.train_on, ours, 100)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    check_equal(ours, theirs.network, 1e-4)
    moments = adam.moments()
    for number, parameter in enumerate(theirs.network.parameters()):
        for name, moment in theirs.optimizer.state[parameter].items():
            np.testing.assert_allclose(moments[f"{number}.{name}"], moment, rtol=1e-2, atol=1e-5)


def test_a_batch_without_active_devices_trains_nothing_but_by_weight_decay() -> None:
    ours = new_policy(MASKED, (8, 8), 4)
    theirs = copy.deepcopy(ours)
    states, decisions = random_batch(np.random.default_rng(0), MASKED, 4)
    states[:, 8:] = 0
    for policy, kind in ((ours, backend_for), (theirs, Autograd)):
        adam = AdamState(policy, 0.01)
        adam.optimizer.param_groups[0]["weight_decay"] = 0.0
        before = copy.deepcopy(policy)
        loss = kind(policy, binary_cross_entropy).step(adam, 0.01, states, decisions)
        # Inactive devices get a constant logit, so that the loss has no gradient.
        assert loss == pytest.approx(-SILENT * decisions.mean(), rel=1e-5)
        check_equal(policy, before)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)])
def test_torch_and_the_compiled_backend_continue_each_others_training(
    order: tuple[int, ...],
) -> None:
    policy = new_policy(MASKED, (16, 16), 6)
    alone, adam = ByTorch(policy), AdamState(policy, 0.01)
    both = backend_for(policy, binary_cross_entropy), Autograd(policy, binary_cross_entropy)
    for part, which in enumerate(order):
        train(step_of(both[which], adam), policy, 30, seed=part)
        train(alone.train_on, policy, 30, seed=part)
    check_equal(policy, alone.network, 1e-4)


@pytest.mark.parametrize("loss", [binary_cross_entropy, quadratic])
def test_other_losses_and_optimizers_are_left_to_torch(loss: Loss) -> None:
    policy = new_policy(MASKED, (8, 8), 5)
    alone = copy.deepcopy(policy)
    make: Any = torch.optim.AdamW if loss is binary_cross_entropy else torch.optim.Adam
    for each, backend in ((policy, backend_for(policy, loss)), (alone, Autograd(alone, loss))):
        adam = AdamState(each, 0.01)
        adam.optimizer = make(each.parameters(), 0.01, weight_decay=0.1)
        train(step_of(backend, adam), each, 20)
    check_equal(policy, alone)


def test_the_losses_by_other_names_decide_by_the_same_kernels() -> None:
    policy = new_policy(MASKED, (8, 8), 5)
    assert isinstance(backend_for(policy, quadratic), Compiled)
    policy.context.weight.requires_grad_(False)
    assert type(backend_for(policy, binary_cross_entropy)) is Autograd


def new_agent(seed: int = 0) -> MemoryDNN:
    agent = MemoryDNN([15, 9, 6, 5], policy="equivariant", features=MASKED, seed=seed)
    assert is_compiled(agent.learner.backend)
    return agent


def encode_random(agent: MemoryDNN, count: int, seed: int = 0) -> None:
    n = agent.net[-1]
    for state, decision in zip(
        *random_batch(np.random.default_rng(seed), MASKED, n, count), strict=True
    ):
        agent.encode(state, decision * state[2 * n :])
        expected = agent.model(torch.from_numpy(state)[None])[0].detach()
        np.testing.assert_allclose(agent.relaxed_decision(state), expected, atol=1e-5)


def saved_and_loaded(agent: MemoryDNN, folder: Path) -> MemoryDNN:
    agent.save(folder / "agent")
    return MemoryDNN.load(folder / "agent")


@pytest.mark.parametrize(
    "copied",
    [
        lambda agent, _: copy.deepcopy(agent),
        lambda agent, _: pickle.loads(pickle.dumps(agent)),
        saved_and_loaded,
    ],
)
def test_a_copy_continues_bit_for_bit(
    copied: Callable[[MemoryDNN, Path], MemoryDNN], tmp_path: Path
) -> None:
    agent = new_agent()
    encode_random(agent, 100)
    other = copied(agent, tmp_path)
    before = copy.deepcopy(agent.network)
    encode_random(other, 100, seed=1)
    check_equal(agent.network, before)
    encode_random(agent, 100, seed=1)
    check_equal(agent.network, other.network)
    assert agent.cost_his == other.cost_his


def test_it_takes_any_weights_torch_loads() -> None:
    # As load_state_dict(assign=True) may bring them: other memory, other strides.
    agent, other = new_agent(), new_agent(seed=1)
    encode_random(agent, 10)
    loaded = {
        name: value.clone().T.contiguous().T if value.ndim == 2 else value.clone()
        for name, value in other.model.state_dict().items()
    }
    agent.model.load_state_dict(loaded, assign=True)
    agent.replay = copy.deepcopy(other.replay)
    for each in (agent, other):
        encode_random(each, 50)
    check_equal(agent.network, other.network)


def test_another_number_of_devices_is_computed_by_the_same_network() -> None:
    agent = new_agent()
    encode_random(agent, 50)
    for n in (1, 17, 40):
        other = agent.for_devices(n, seed=0)
        check_equal(other.network, agent.network)
        encode_random(other, 30)
        assert other.updates == 3
