"""Policies by name: symmetry, masks, other N, custom modules, learning."""

import copy
import pickle
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from agent import DROO, MemoryDNN
from agent.adam import AdamState
from agent.backends import backend_for
from agent.losses import binary_cross_entropy
from agent.networks import (
    MLP,
    POLICIES,
    SILENT,
    Equivariant,
    Layout,
    Reads,
    build,
    initialize,
    register,
    takes_any_n,
)
from tests.agent.by_torch import check_equal

FEATURES = ("gain", "weight", "active")
ANY_N = ("equivariant", "attention", "bigru_attention")
HIDDEN = {"gru": (16, 16), "bigru_attention": (8, 8)}


def new_agent(policy: str, num_devices: int = 5, **options: Any) -> MemoryDNN:
    hidden = HIDDEN.get(policy, (16, 16))
    net = [len(FEATURES) * num_devices, *hidden, num_devices]
    defaults: dict[str, Any] = {"features": FEATURES, "training_interval": 5, "seed": 0}
    return MemoryDNN(net, policy=policy, **defaults | options)


def random_state(
    rng: np.random.Generator, num_devices: int, active: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    active = np.ones(num_devices) if active is None else active
    gain, weight = rng.exponential(size=num_devices), rng.uniform(0.5, 2, num_devices)
    return np.concatenate([gain, weight, active])


def play(droo: DROO, frames: int, seed: int = 0) -> NDArray[np.bool_]:
    """Play frames in which devices with gain > weight should offload; return where it was right.

    A frame is right if the policy's own decision was the optimum.
    """
    n, rng = droo.agent.net[-1], np.random.default_rng(seed)
    right = []
    for _ in range(frames):
        state = random_state(rng, n)
        best = state[:n] > state[n : 2 * n]
        choice = droo.decide(state, lambda x, best=best: -np.abs(x - best).sum(axis=1))  # type: ignore[misc]
        right.append(choice.candidate == 0)
    return np.array(right)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_learns(policy: str) -> None:
    right = play(DROO(new_agent(policy, training_interval=2), refine_every=8), 1000)
    assert right[:10].mean() <= 0.3
    assert right[-200:].mean() > 0.5


@pytest.mark.parametrize("policy", POLICIES)
def test_all_parameters_are_trained_and_the_same_seed_gives_the_same(policy: str) -> None:
    agents = [new_agent(policy, seed=seed) for seed in (0, 0, 1)]
    before = [p.detach().clone() for p in agents[0].model.parameters()]
    for agent in agents:
        play(DROO(agent), 20)
    first, again, other = ([*agent.model.parameters()] for agent in agents)
    assert all((p != q).any() for p, q in zip(first, before, strict=True))
    assert all((p == q).all() for p, q in zip(first, again, strict=True))
    assert not all((p == q).all() for p, q in zip(first, other, strict=True))
    assert agents[0].num_parameters == sum(p.numel() for p in first)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_global_generator_is_left_alone(policy: str) -> None:
    before = torch.get_rng_state()
    play(DROO(new_agent(policy)), 10)
    assert (torch.get_rng_state() == before).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_loaded_agent_continues_as_if_it_had_never_stopped(policy: str, tmp_path: Path) -> None:
    droo = DROO(new_agent(policy), refine_every=4, learn_when_wrong=True)
    play(droo, 33)
    droo.save(tmp_path / "agent")
    loaded = DROO.load(tmp_path / "agent")
    for agent in (droo, loaded):
        play(agent, 40, seed=1)
    for p, q in zip(droo.agent.model.parameters(), loaded.agent.model.parameters(), strict=True):
        assert (p == q).all()
    assert (droo.agent.memory == loaded.agent.memory).all()
    assert droo.agent.updates == loaded.agent.updates


def logits(policy: nn.Module, state: NDArray[np.float64]) -> NDArray[np.float32]:
    with torch.no_grad():
        return np.asarray(policy(torch.tensor(state, dtype=torch.float32)[None])[0])


def new_policy(name: str, num_devices: int = 5, num_places: int = 2) -> nn.Module:
    net = [len(FEATURES) * num_devices, *HIDDEN.get(name, (16, 16)), num_devices]
    layout = Layout(num_devices, FEATURES, num_places)
    return build(name, net, layout, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", POLICIES)
def test_exchanged_devices_have_exchanged_logits(name: str) -> None:
    rng = np.random.default_rng(0)
    order, state = rng.permutation(5), random_state(rng, 5)
    expected = logits(new_policy(name), state)[order]
    found = logits(new_policy(name), state.reshape(3, 5)[:, order].ravel())
    # The others are the negative control.
    assert np.allclose(found, expected, atol=1e-5) == (name in ("equivariant", "attention"))


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(1, 12), st.sampled_from([*ANY_N, "conv"]))
def test_a_device_that_is_not_active_is_not_seen(seed: int, n: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    active = rng.integers(0, 2, n).astype(np.float64)
    state = random_state(rng, n, active)
    other = state.copy()
    other[: 2 * n][np.tile(active == 0, 2)] = rng.normal(size=int(2 * (active == 0).sum()))
    found = logits(new_policy(name, n), state)
    assert (found == logits(new_policy(name, n), other)).all()
    assert (found[active == 0] == SILENT).all()
    assert (found[active == 1] > SILENT / 2).all()
    if name in ("equivariant", "attention") and active.any():
        # The logits equal those of a problem without the inactive devices.
        there = state.reshape(3, n)[:, active == 1].ravel()
        np.testing.assert_allclose(
            found[active == 1], logits(new_policy(name, int(active.sum())), there), atol=1e-5
        )


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("mode", ["OP", "OPN", "KNN"])
def test_a_device_that_is_not_active_is_not_offloaded(policy: str, mode: str) -> None:
    rng = np.random.default_rng(0)
    droo = DROO(new_agent(policy), mode=mode, refine_every=100)
    for active in ([1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]):
        state = random_state(rng, 5, np.array(active, dtype=np.float64))
        candidates = droo.agent.decode(state, 5, mode)
        assert (candidates <= active).all()
        assert len(np.unique(candidates, axis=0)) == len(candidates)
        choice = droo.decide(state, lambda x: x.sum(axis=1))
        assert choice.decision.tolist() == active  # the best that may be


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_takes_another_number_of_devices_or_raises_an_error(name: str) -> None:
    agent = new_agent(name)
    play(DROO(agent), 50)
    if name not in ANY_N:
        with pytest.raises(
            ValueError, match=r"policy must take float32 states \[B, 27\] of 9 devices"
        ):
            agent.for_devices(9)
        return
    larger = agent.for_devices(9, seed=0)
    assert larger.net == [27, *agent.net[1:-1], 9]
    assert larger.policy == name
    assert larger.memory_counter == 0
    for p, q in zip(agent.model.parameters(), larger.model.parameters(), strict=True):
        assert (p == q).all()
    play(DROO(larger), 50)
    assert larger.updates == 10
    before = copy.deepcopy(agent.model.state_dict())
    agent.start_from(larger)
    assert any((value != before[key]).any() for key, value in agent.model.state_dict().items())


def test_a_trained_policy_decides_well_for_other_numbers_of_devices() -> None:
    droo = DROO(new_agent("equivariant", learning_rate=0.003), learn_when_wrong=True)
    play(droo, 1500)
    rng, right = np.random.default_rng(9), []
    larger = droo.agent.for_devices(20)
    for _ in range(200):
        state = random_state(rng, 20)
        right.append((larger.decode(state)[0] == (state[:20] > state[20:40])).mean())
    assert np.mean(right) > 0.95


def test_initial_parameters_are_drawn_as_torch_draws_them() -> None:
    torch.manual_seed(0)
    pairs = [
        (nn.Linear(50, 2000), nn.Linear(50, 2000)),
        (nn.Conv1d(20, 500, 3), nn.Conv1d(20, 500, 3)),
        (nn.GRU(30, 200, bidirectional=True), nn.GRU(30, 200, bidirectional=True)),
    ]
    for ours, theirs in pairs:
        initialize(ours, torch.Generator().manual_seed(1))
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert p.detach().std().item() == pytest.approx(q.detach().std().item(), rel=0.1)
            assert p.detach().abs().max().item() == pytest.approx(
                q.detach().abs().max().item(), rel=0.02
            )


class Louder(Equivariant):
    """A subclass of a policy that overrides its logits."""

    def logits(self, features: torch.Tensor, active: torch.Tensor | None) -> torch.Tensor:
        return 3 * super().logits(features, active) + 1


class Squashed(MLP):
    """A subclass of the mlp that overrides its forward pass."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return 5 * torch.tanh(super().forward(states))


@pytest.mark.parametrize("kind", [Louder, Squashed])
def test_a_subclass_is_computed_by_its_own_methods(kind: type[Louder] | type[Squashed]) -> None:
    policy = kind((15, 8, 5), Layout(5, FEATURES))
    agent = MemoryDNN([15, 5], policy=policy, seed=0)
    state = random_state(np.random.default_rng(0), 5)
    expected = torch.sigmoid(torch.tensor(logits(policy, state)))
    np.testing.assert_allclose(agent.relaxed_decision(state), expected, rtol=1e-5)
    modelled = agent.model(torch.tensor(state, dtype=torch.float32)[None])[0].detach()
    np.testing.assert_allclose(modelled, expected, rtol=1e-5)


def test_tied_and_frozen_parameters_are_respected(tmp_path: Path) -> None:
    def new() -> tuple[MLP, nn.Linear, nn.Linear]:
        policy = MLP((6, 6, 6, 6), Layout(6))
        first, second, last = (layer for layer in policy if isinstance(layer, nn.Linear))
        second.weight = first.weight
        last.bias.requires_grad_(False)
        return policy, first, last

    (policy, tied, last), states, decisions = new(), torch.rand(9, 6), torch.ones(9, 6)
    agent = MemoryDNN([6, 6], policy=policy, training_interval=1, seed=0)
    frozen = last.bias.detach().clone()
    loss = torch.nn.BCELoss()(torch.sigmoid(policy(states)), decisions)
    (expected,) = torch.autograd.grad(loss, tied.weight)
    before = copy.deepcopy(policy)
    adam, backend = AdamState(policy, 0.0), backend_for(policy, binary_cross_entropy)
    backend.step(adam, 0.0, states.numpy(), decisions.numpy())
    check_equal(policy, before)
    np.testing.assert_allclose(tied.weight.grad, expected, rtol=1e-4, atol=1e-7)  # type: ignore[arg-type]
    agent.encode(np.ones(6), np.ones(6))
    assert torch.equal(last.bias, frozen)
    agent.save(tmp_path / "agent")
    loaded = MemoryDNN.load(tmp_path / "agent", policy=new()[0])
    assert (loaded.relaxed_decision(np.ones(6)) == agent.relaxed_decision(np.ones(6))).all()


def test_after_an_error_in_training_the_policy_decides_as_before() -> None:
    norm = nn.BatchNorm1d(4)
    agent = MemoryDNN([4, 4], policy=nn.Sequential(nn.Linear(4, 4), norm), batch_size=1, seed=0)
    agent.remember(np.ones(4), np.ones(4))
    before = agent.relaxed_decision(np.ones(4))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        agent.learn()
    assert (agent.relaxed_decision(np.ones(4)) == before).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_copy_is_an_agent_of_its_own(policy: str) -> None:
    droo = DROO(new_agent(policy), refine_every=4, learn_when_wrong=True)
    play(droo, 20)
    for other in (copy.deepcopy(droo), pickle.loads(pickle.dumps(droo))):
        expected, found = play(copy.deepcopy(droo), 20, seed=1), play(other, 20, seed=1)
        assert (found == expected).all()
        assert (other.agent.memory[:40] != droo.agent.memory[:40]).any()


@pytest.mark.parametrize(("theirs", "ours"), [(16, 16), (16, 8), (8, 16)])
@pytest.mark.parametrize("frames", [5, 16, 37])
def test_the_memory_is_taken_over_newest_last(theirs: int, ours: int, frames: int) -> None:
    other = new_agent("equivariant", memory_size=theirs)
    play(DROO(other), frames)
    agent = new_agent("equivariant", memory_size=ours)
    agent.start_from(other)
    kept = min(frames, theirs, ours)
    assert agent.memory_counter == kept
    for age in range(1, kept + 1):
        row = other.memory[(other.memory_counter - age) % theirs]
        assert (agent.memory[kept - age] == row).all()


def test_another_number_of_devices_continues_the_optimizer() -> None:
    # The same step from the same moments: at the same N the two must stay equal.
    agent = new_agent("equivariant")
    play(DROO(agent), 50)
    again = agent.for_devices(5)
    batch = torch.rand(8, 15).numpy(), torch.ones(8, 5).numpy()
    for each in (agent, again):
        each.learner.train_on(*batch)
    for p, q in zip(agent.model.parameters(), again.model.parameters(), strict=True):
        assert (p == q).all()


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_describes_itself(name: str) -> None:
    policy = POLICIES[name]
    assert policy.name == name
    assert policy.any_n == (name in ANY_N)
    assert policy.reads in get_args(Reads)
    features = FEATURES if policy.needs_features else ()
    net = (len(FEATURES) * 5, *policy.hidden, 5)
    network = build(name, net, Layout(5, features), torch.Generator())
    assert takes_any_n(network) == policy.any_n
    if policy.needs_hidden:
        with pytest.raises(ValueError, match="net must have a hidden width"):
            MemoryDNN([len(FEATURES) * 5, 5], policy=name, features=FEATURES)
    if policy.needs_features:
        with pytest.raises(ValueError, match="features must name those of the state"):
            MemoryDNN(net, policy=name)


def test_a_new_policy_is_one_class(monkeypatch: pytest.MonkeyPatch) -> None:
    class New(Equivariant):
        name = "new"

    monkeypatch.setitem(POLICIES, "new", New)  # taken back after the test
    with pytest.raises(ValueError, match="name must be that of no other policy, got 'new'"):
        register(New)
    del POLICIES["new"]
    assert register(New) is POLICIES["new"] is New
    agent = new_agent("new")
    assert type(agent.network) is New
    assert agent.for_devices(7).policy == "new"


def test_a_callers_subclass_of_a_policy_is_not_registered() -> None:
    class Other(Equivariant):
        pass

    other = Other((15, 8, 5), Layout(5, FEATURES))
    initialize(other, torch.Generator().manual_seed(0))
    assert not takes_any_n(other)
    assert Other not in POLICIES.values()
    assert MemoryDNN([15, 5], policy=other, features=FEATURES).policy == "module"


class OwnPolicy(nn.Module):
    """A custom policy with dropout, which must be off when it decides."""

    def __init__(self, outputs: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 32), nn.Dropout(0.5), nn.Linear(32, outputs))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(states)
        return logits


def test_a_custom_module_is_a_policy(tmp_path: Path) -> None:
    agent = MemoryDNN([4, 4], policy=OwnPolicy(), training_interval=2, seed=0)
    rng = np.random.default_rng(0)
    for _ in range(300):
        state = rng.normal(size=4)
        agent.encode(state, state > 0)
    state = np.array([2.0, -2.0, 2.0, -2.0])
    assert (agent.decode(state)[0] == (state > 0)).all()
    assert (agent.relaxed_decision(state) == agent.relaxed_decision(state)).all()
    agent.save(tmp_path / "agent")
    loaded = MemoryDNN.load(tmp_path / "agent", policy=OwnPolicy())
    assert (agent.relaxed_decision(state) == loaded.relaxed_decision(state)).all()
    with pytest.raises(ValueError, match="policy must be given for an agent of policy module"):
        MemoryDNN.load(tmp_path / "agent")
    with pytest.raises(ValueError, match=r"policy must return logits \[1, 4\].*got \[1, 3\]"):
        MemoryDNN([4, 4], policy=OwnPolicy(3))
    with pytest.raises(ValueError, match=r"policy must take float32 states \[B, 5\] of 4"):
        MemoryDNN([5, 4], policy=OwnPolicy())


@pytest.mark.parametrize(
    ("net", "options", "message"),
    [
        ([5, 8, 5], {"policy": "nosuch"}, "policy must be one of mlp, equivariant, attention"),
        ([5, 8, 5], {"policy": "equivariant"}, "features must name those of the state"),
        ([5, 5], {"policy": "equivariant", "features": ["a"]}, "net must have a hidden width"),
        (
            [10, 8, 5],
            {"policy": "equivariant", "features": ["gain", "weight", "active"]},
            r"net\[0\] must be 3 features \(gain, weight, active\) of 5 devices, 15 .*, got 10",
        ),
        ([10, 8, 5], {"features": ["gain", "gain"]}, "features must be distinct"),
        ([5, 8, 5], {"features": []}, "features must be distinct and at least one"),
        ([5, 8, 5], {"policy": "conv", "features": ["active"]}, "one besides 'active', got"),
        ([5, 8, 4, 5], {"policy": "attention", "features": ["a"]}, "attention must be equal"),
        ([5, 8, 5], {"loss": "hinge"}, "loss must be one of bce, bce_probabilities, quadratic"),
        ([5, 8, 5], {"loss": "categorical"}, "num_places must be 2, or more for the loss"),
        ([5, 8, 5], {"num_places": 3}, "num_places must be 2, or more for the loss"),
        ([5, 8, 5], {"num_places": 0}, "num_places must be at least 1, got 0"),
    ],
)
def test_errors_name_a_policy_or_layout_that_does_not_fit(
    net: list[int], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MemoryDNN(net, **options)


def test_a_state_of_another_layout_is_named() -> None:
    agent = new_agent("equivariant")
    with pytest.raises(ValueError, match=r"h must be 3 features \(gain, weight, active\) of 5"):
        agent.encode(np.ones(5), np.ones(5))
    with pytest.raises(ValueError, match="features must be known"):
        MemoryDNN([5, 8, 5], seed=0).for_devices(4)
    with pytest.raises(ValueError, match="other must have the policy equivariant, has attention"):
        agent.start_from(new_agent("attention"))
    other = MemoryDNN([15, 16, 8, 5], policy="equivariant", features=FEATURES, seed=0)
    before = copy.deepcopy(agent.model.state_dict())
    with pytest.raises(ValueError, match="other must have parameters of shapes"):
        agent.start_from(other)
    other = new_agent("equivariant", loss="categorical", num_places=3)
    with pytest.raises(ValueError, match="other must have the num_places 2, has 3"):
        agent.start_from(other)
    assert all((value == before[key]).all() for key, value in agent.model.state_dict().items())
    with pytest.raises(TypeError, match="features must be a sequence of names, got 'gain'"):
        MemoryDNN([20, 5], features="gain")
    with pytest.raises(ValueError, match="mode must be KNN for 3 places, got 'OP'"):
        DROO(other)


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "gru"])
def test_more_than_two_places(name: str) -> None:
    # Each device has three places; the best is the one whose gain in the state is the largest.
    n, rng = 4, np.random.default_rng(0)
    features = ("place 0", "place 1", "place 2")
    agent = MemoryDNN(
        [3 * n, *HIDDEN.get(name, (16, 16)), n],
        training_interval=1,
        policy=name,
        features=features,
        loss="categorical",
        num_places=3,
        seed=0,
    )
    droo = DROO(agent, mode="KNN", refine_every=8)
    right, found = [], []
    for _ in range(400):
        gain = rng.exponential(size=(3, n))
        choice = droo.decide(
            gain.ravel(),
            lambda x, gain=gain: gain[x, np.arange(n)].sum(axis=1),  # type: ignore[misc]
        )
        right.append((agent.decode(gain.ravel(), 1, "KNN")[0] == gain.argmax(axis=0)).mean())
        found.append((choice.decision == gain.argmax(axis=0)).all())
    assert all(found[:8])  # refined in each of the first frames
    assert np.mean(found) > 0.8
    assert np.mean(right[-100:]) > max(0.6, np.mean(right[:20]) + 0.15)
    assert agent.relaxed_decision(gain.ravel()).sum(axis=1) == pytest.approx(np.ones(n))
    with pytest.raises(ValueError, match="mode must be KNN for 3 places, got 'OP'"):
        agent.decode(gain.ravel(), 1, "OP")
    with pytest.raises(ValueError, match="m must hold places 0 to 2 only, got 3"):
        agent.encode(gain.ravel(), [0, 1, 2, 3])
