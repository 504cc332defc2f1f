"""Training never comes to denormal numbers, which some processors compute a hundred times slower.

The tests ask for the numbers, not for the time. Negative controls train without the flushing.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agent import DROO, Fleet, MemoryDNN, backends, losses
from agent.adam import AdamState, batched_step
from agent.backends import Autograd, Compiled
from agent.kernels import kernel, layers
from agent.losses import LOSSES
from agent.negligible import NEGLIGIBLE
from agent.networks import ACTIVE, POLICIES
from droo_core.jit import function_of
from tests.agent.by_torch import ByTorch

cross_entropy = kernel(function_of(layers.cross_entropy))
rectify_back = kernel(function_of(layers.rectify_back))

N = 4
FEATURES = ("gain", "weight", ACTIVE)
TINY = np.finfo(np.float32).tiny


def denormal(values: Any) -> int:
    """Return the number of denormal numbers in an array or a tensor."""
    sizes = np.abs(values.detach().numpy() if isinstance(values, Tensor) else values)
    return int(((sizes > 0) & (sizes < TINY)).sum())


LABELS: dict[str, Callable[[np.ndarray[Any, Any]], Any]] = {
    "local": np.zeros_like,
    "offloading": np.ones_like,
    "pattern": lambda gains: np.tile(np.arange(N) % 2, (len(gains), 1)),
    "rule": lambda gains: gains > 0,
}


def new_agent(
    policy: str, labels: str, loss: str = "bce", width: int = 8, depth: int = 2, **settings: Any
) -> MemoryDNN:
    """Return an agent with a full memory."""
    agent = MemoryDNN(
        [len(FEATURES) * N, *[width] * depth, N],
        policy=policy,
        features=FEATURES,
        loss=loss,
        num_places=3 if loss == "categorical" else 2,
        batch_size=16,
        memory_size=64,
        seed=0,
        **settings,
    )
    gains = np.random.default_rng(0).normal(size=(64, N))
    for gain, label in zip(gains, LABELS[labels](gains), strict=True):
        agent.remember(np.r_[gain, np.ones(N), np.ones(N)], label)
    return agent


def make_confident(agent: MemoryDNN, margin: float) -> None:
    """Scale the last layer so that the logits of the memory reach a margin."""
    states = torch.from_numpy(agent.replay.rows[:, : agent.net[0]].copy())
    *_, weight, bias = agent.network.parameters()
    with torch.no_grad():
        factor = margin / agent.network(states).abs().mean().item()
        weight.mul_(factor)
        bias.mul_(factor)


class Watch:
    """Counts the denormal numbers in the forward and backward passes of torch.

    Attributes:
        found: their number in the outputs of each module, and in the derivatives of those.
        seen: the number of tensors that were looked at.
    """

    def __init__(self, network: nn.Module) -> None:
        self.found: dict[str, int] = {}
        self.seen = 0
        for name, module in network.named_modules():
            module.register_forward_hook(self.hook(name))

    def hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def count(of: str, values: Tensor) -> None:
            self.seen += 1
            self.found[of] = self.found.get(of, 0) + denormal(values)

        def seen(_: nn.Module, __: Any, outputs: Any) -> None:
            for output in outputs if isinstance(outputs, tuple) else (outputs,):
                count(f"output of {name}", output)
                if output.requires_grad:
                    output.register_hook(lambda grad: count(f"derivative of {name}", grad))

        return seen

    def check(self) -> None:
        assert self.seen
        assert {name: count for name, count in self.found.items() if count} == {}


def check_state(agent: MemoryDNN) -> None:
    """Check the parameters, moments, gradients and decisions of an agent."""
    state = agent.learner.adam
    numbers = {"first": state.first, "second": state.second}
    for name, parameter in agent.network.named_parameters():
        numbers[name] = parameter.detach().numpy()
        if parameter.grad is not None:
            numbers[f"gradient of {name}"] = parameter.grad.numpy()
    for row in agent.replay.rows[:8, : agent.net[0]]:
        logits = numbers["logits"] = agent.learner.logits(row)
        relaxed = agent.relaxed_decision(row)  # in double precision
        if np.abs(logits).max() < 350:
            assert not ((relaxed > 0) & (relaxed < np.finfo(float).tiny)).any()
    assert {name for name, values in numbers.items() if denormal(values)} == set()


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(("policy", "depth"), [("mlp", 2), ("mlp", 4), ("equivariant", 3)])
def test_long_compiled_training(policy: str, depth: int, labels: str, rebuild: bool) -> None:
    agent = new_agent(policy, labels, depth=depth, rebuild_optimizer=rebuild)
    assert isinstance(agent.learner.backend, Compiled)
    for _ in range(10):
        for _ in range(1000):
            agent.learn()
        check_state(agent)
        check_passes(agent)


def check_passes(agent: MemoryDNN) -> None:
    """Check the numbers between the layers of a compiled policy, by torch's step on a copy.

    The compiled step computes the same ones, except that its derivatives lack the factor of the
    loss and become zero below `NEGLIGIBLE`.
    """
    other = ByTorch(agent.network)
    watch = Watch(other.network)
    states, decisions = np.split(agent.replay.rows[:16], [agent.net[0]], axis=1)
    backend = Autograd(other.network, LOSSES[agent.loss])
    backend.step(AdamState(other.network, 0.01), 0.01, states.copy(), decisions.copy())
    watch.check()


@pytest.mark.parametrize("margin", [0, 40.0, 95.0, 300.0])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("policy", POLICIES)
def test_training_by_torch(policy: str, loss: str, margin: float) -> None:
    agent = new_agent(policy, "rule", loss)
    if margin:
        make_confident(agent, margin)
    agent.learner.backend = Autograd(agent.network, LOSSES[loss])
    watch = Watch(agent.network)
    for _ in range(15):
        agent.learn()
    check_state(agent)
    watch.check()


@pytest.mark.parametrize("power", [-30, -40])
@pytest.mark.parametrize("policy", POLICIES)
def test_weights_that_have_decayed(policy: str, power: int) -> None:
    agent = new_agent(policy, "pattern")
    agent.learner.backend = Autograd(agent.network, LOSSES["bce"])
    with torch.no_grad():
        *all_but_last, _ = agent.network.parameters()
        for parameter in all_but_last:
            decayed = parameter * 2.0**power
            parameter.copy_(decayed.masked_fill(decayed.abs() < NEGLIGIBLE, 0.0))
    watch = Watch(agent.network)
    agent.lr = 1e-30  # the weights stay as small
    for _ in range(3):
        agent.learn()
    watch.check()


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("policy", ["mlp", "equivariant", "attention", "conv"])
def test_training_of_a_fleet(policy: str, labels: str, rebuild: bool) -> None:
    agents = [new_agent(policy, labels, rebuild_optimizer=rebuild) for _ in range(2)]
    make_confident(agents[1], 95.0)
    fleet = Fleet([DROO(agent) for agent in agents])
    for _ in range(30):
        fleet._learn([0, 1])
    fleet.release()
    for agent in agents:
        check_state(agent)


def test_without_the_flushing_torch_comes_to_denormal_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backends, "SCALE", 1.0)
    monkeypatch.setattr(losses, "CONFIDENT", np.inf)
    for loss in ("bce", "bce_probabilities", "quadratic"):
        agent = new_agent("mlp", "rule", loss)
        make_confident(agent, 95.0)
        agent.learner.backend = Autograd(agent.network, LOSSES[loss])
        watch = Watch(agent.network)
        for _ in range(15):
            agent.learn()
        assert sum(watch.found.values()) > 0


def adam_without_gradient(steps: int, step: Callable[..., Any]) -> int:
    """Let moments and weights decay after one gradient; return the denormal numbers on the way."""
    parameters, first, second = (np.full(9, size, np.float32) for size in (1e-6, 0.5, 1e-30))
    gradient, found = np.geomspace(1e-30, 1.0, 9).astype(np.float32), 0
    for number in range(steps):
        step(parameters, gradient, first, second, number + 1.0, (0.01, 0.9, 0.99, 1e-8, 0.0))
        gradient[:] = 0
        found += denormal(parameters) + denormal(first) + denormal(second)
    return found


def batched(*arguments: Any) -> None:
    *arrays, number, settings = arguments
    parameters, gradient, first, second = arrays
    p, m, v, g = (torch.from_numpy(each)[None] for each in (parameters, first, second, gradient))
    new = batched_step(p, m, v, g, [number], [settings])
    for array, values in zip((parameters, first, second), new, strict=True):
        array[:] = values[0]


def test_moments_decay_to_zero_and_not_to_denormal_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert adam_without_gradient(8000, layers.adam) == 0
    assert adam_without_gradient(2000, batched) == 0
    # Without the flushing, the formula in Python comes to them.
    plain = function_of(layers.adam)
    assert adam_without_gradient(200, plain) == 0
    monkeypatch.setattr(layers, "SMALL", np.float32(0))
    monkeypatch.setattr(layers, "SMALL_SQUARE", np.float32(0))
    assert adam_without_gradient(2000, plain) > 0


def test_the_derivatives_of_kernels_are_not_denormal() -> None:
    rng = np.random.default_rng(0)
    logits = rng.uniform(-120, 120, 1000).astype(np.float32)
    signs, found = np.ones_like(logits), np.empty_like(logits)
    cross_entropy(logits, signs, found, 1_000_000)
    assert denormal(found) == 0
    derivatives = 10.0 ** rng.uniform(-45, 3, 1000) * rng.choice([-1, 1], 1000)
    hidden = derivatives.astype(np.float32)
    assert denormal(hidden) > 0
    rectify_back(hidden, np.ones_like(hidden))
    kept = np.where(np.abs(derivatives) > NEGLIGIBLE, derivatives.astype(np.float32), 0)
    np.testing.assert_array_equal(hidden, kept)


@pytest.mark.parametrize("policy", ["mlp", "equivariant"])
def test_the_same_entries_become_zero_by_torch_by_kernels_and_in_fleets(policy: str) -> None:
    agents = [new_agent(policy, "local") for _ in range(3)]
    agents[1].learner.backend = Autograd(agents[1].network, LOSSES["bce"])
    for agent in agents:
        first, *_, weight, bias = agent.network.parameters()
        with torch.no_grad():
            first[0] = 1e-13  # whose decay is negligible
            weight.zero_()
            bias.fill_(-60.0)
            if policy == "mlp":
                bias[1] = 1.0  # the only device with derivatives
    fleet = Fleet([DROO(agents[2])])
    for _ in range(3):
        for agent in agents[:2]:
            agent.learn()
        fleet._learn([0])
    fleet.release()
    expected, *others = (agent.learner.adam for agent in agents)
    assert 0 < (expected.first == 0).sum() < expected.first.size
    for other in others:
        assert ((other.first == 0) == (expected.first == 0)).all()
        assert ((other.second == 0) == (expected.second == 0)).all()
        np.testing.assert_allclose(other.first, expected.first, rtol=1e-3, atol=1e-7)
