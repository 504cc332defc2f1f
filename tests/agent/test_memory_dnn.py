import copy
import inspect
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from safetensors.torch import save_file

from agent import MemoryDNN, learner
from agent.backends import Autograd
from agent.losses import binary_cross_entropy
from tests.conftest import ROOT

NET = [4, 16, 8, 4]


def encode_random(agent: MemoryDNN, count: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        state = rng.exponential(size=agent.net[0])
        agent.encode(state, state[: agent.net[-1]] > 1)


def weights(agent: MemoryDNN) -> list[np.ndarray[Any, Any]]:
    return [parameter.detach().numpy().copy() for parameter in agent.model.parameters()]


def equal(a: list[np.ndarray[Any, Any]], b: list[np.ndarray[Any, Any]]) -> bool:
    return all((x == y).all() for x, y in zip(a, b, strict=True))


def test_the_published_signature_stays() -> None:
    parameters = list(inspect.signature(MemoryDNN).parameters.values())
    positional = [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == [
        ("net", inspect.Parameter.empty),
        ("learning_rate", 0.01),
        ("training_interval", 10),
        ("batch_size", 100),
        ("memory_size", 1000),
        ("output_graph", False),
    ]
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[6:])


def test_a_script_for_the_published_class_runs() -> None:
    n, k = 6, 6
    mem = MemoryDNN(
        net=[n, 120, 80, n],
        learning_rate=0.01,
        training_interval=10,
        batch_size=128,
        memory_size=64,
    )
    channel = np.random.default_rng(0).exponential(size=(100, n))
    k_idx_his, mode_his = [], []
    for h in channel:
        m_list = mem.decode(h, k, "OP")
        r_list = [float(np.sum(h[np.where(m == 1)[0]])) for m in m_list]
        k_idx_his.append(np.argmax(r_list))
        mem.encode(h, m_list[np.argmax(r_list)])
        mode_his.append(m_list[np.argmax(r_list)])
    assert mem.memory.shape == (64, 2 * n)
    assert mem.memory_counter == 100
    assert len(mem.cost_his) == 10
    assert mem.cost == mem.cost_his[-1]
    assert (mem.net, mem.lr) == ([n, 120, 80, n], 0.01)
    assert (mem.training_interval, mem.batch_size, mem.memory_size) == (10, 128, 64)
    assert mem.model(torch.ones(1, n)).shape == (1, n)


@pytest.mark.parametrize("net", [[3, 2], [6, 8, 2], [6, 8, 8, 8, 2]])
def test_any_number_of_layers_and_inputs(net: list[int]) -> None:
    agent = MemoryDNN(net, training_interval=1, seed=0)
    encode_random(agent, 5)
    assert agent.decode(np.ones(net[0]), 3).shape == (3, 2)


def test_nothing_is_learned_from_rows_never_written() -> None:
    agent = MemoryDNN(NET, seed=0)
    with pytest.raises(ValueError, match="replay memory is empty"):
        agent.learn()
    # One row alone in a large memory: the loss must be that row's.
    agent.remember(np.ones(4), [0, 1, 0, 1])
    relaxed = agent.relaxed_decision(np.ones(4))
    agent.learn()
    assert agent.cost == pytest.approx(-np.log(np.abs([1, 0, 1, 0] - relaxed)).mean(), rel=1e-5)


def test_adam_keeps_its_moments() -> None:
    # The formulas of Adam on a single row, so that torch computes the gradient independently.
    agent = MemoryDNN(NET, training_interval=1, seed=0)
    state, decision = np.ones(4, dtype=np.float32), np.array([0, 1, 0, 1])
    parameters = [p.detach().double().clone() for p in agent.model.parameters()]
    first = [torch.zeros_like(p) for p in parameters]
    second = [torch.zeros_like(p) for p in parameters]
    for step in range(1, 6):
        relaxed = agent.model(torch.from_numpy(state))
        loss = torch.nn.BCELoss()(relaxed, torch.from_numpy(decision).float())
        gradients = torch.autograd.grad(loss, list(agent.model.parameters()))
        for p, m, v, g in zip(parameters, first, second, gradients, strict=True):
            gradient = g.double() + 1e-4 * p
            m.mul_(0.9).add_(0.1 * gradient)
            v.mul_(0.999).add_(0.001 * gradient**2)
            p.sub_(0.01 * m / (1 - 0.9**step) / ((v / (1 - 0.999**step)).sqrt() + 1e-8))
        agent.encode(state, decision)
        for p, actual in zip(parameters, agent.model.parameters(), strict=True):
            np.testing.assert_allclose(actual.detach().numpy(), p.numpy(), rtol=0, atol=1e-4)


def test_the_published_optimizer_stays_selectable() -> None:
    agent = MemoryDNN(NET, training_interval=1, rebuild_optimizer=True, seed=0)
    encode_random(agent, 20)
    before = weights(agent)
    agent.learn()
    moved = np.concatenate(
        [np.abs(b - a).ravel() for a, b in zip(before, weights(agent), strict=True)]
    )
    # A fresh Adam moves every parameter by about the learning rate, whatever the gradient.
    assert np.quantile(moved, 0.5) == pytest.approx(0.01, rel=0.01)


def test_a_vanishing_loss_does_not_stop_training() -> None:
    agent = MemoryDNN(NET, seed=0)
    *_, weight, bias = agent.model.parameters()
    with torch.no_grad():
        weight.zero_()
        bias.copy_(torch.tensor([-200.0, 200.0, -200.0, 200.0]))
    agent.remember(np.ones(4), [0, 1, 0, 1])
    agent.learn()
    assert agent.cost == 0.0
    agent.remember(np.ones(4), [1, 0, 1, 0])
    for _ in range(20):
        agent.learn()
    # A loss of saturated probabilities is clipped at 100; the loss of logits is not.
    assert max(agent.cost_his) > 100.0
    assert np.isfinite(agent.cost_his).all()


def test_the_fast_forward_pass_is_the_model() -> None:
    agent = MemoryDNN([6, 120, 80, 4], training_interval=1, seed=0)
    states = np.random.default_rng(1).exponential(size=(20, 6)).astype(np.float32)
    for trained in (0, 50):
        encode_random(agent, trained)
        expected = agent.model(torch.from_numpy(states)).detach().numpy()
        actual = [agent.relaxed_decision(state) for state in states]
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


# A rebuilt Adam moves every weight by about the learning rate, even if the sign of a gradient
# depends on rounding; two implementations then diverge soon.
@pytest.mark.parametrize(("rebuild", "steps"), [(False, 100), (True, 3)])
@pytest.mark.parametrize("net", [[3, 2], [10, 120, 80, 10], [4, 5, 5, 5, 3]])
def test_compiled_training_is_that_of_torch(
    net: list[int], rebuild: bool, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"batch_size": 33, "rebuild_optimizer": rebuild, "seed": 1}
    compiled = MemoryDNN(net, **options)
    monkeypatch.setattr(learner, "backend_for", Autograd)
    torchs = MemoryDNN(net, **options)
    for agent in (compiled, torchs):
        encode_random(agent, steps * agent.training_interval)
    assert compiled.updates == torchs.updates == steps
    np.testing.assert_allclose(compiled.cost_his, torchs.cost_his, rtol=1e-4)
    for ours, theirs in zip(weights(compiled), weights(torchs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_torch_continues_compiled_training() -> None:
    agents = [MemoryDNN([10, 120, 80, 10], batch_size=64, seed=1) for _ in range(2)]
    for agent in agents:
        encode_random(agent, 500)
    agents[0].learner.backend = Autograd(agents[0].network, binary_cross_entropy)
    for agent in agents:
        encode_random(agent, 100, seed=1)
    for ours, torchs in zip(weights(agents[1]), weights(agents[0]), strict=True):
        np.testing.assert_allclose(ours, torchs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("loss", ["bce", "quadratic"])
@pytest.mark.parametrize(
    ("states", "decisions"),
    [((16, 3), (16, 4)), ((16, 4), (16, 40)), ((16, 4), (15, 4)), ((0, 4), (0, 4)), ((4,), (4,))],
)
def test_training_on_other_shapes_is_refused(
    loss: str, states: tuple[int, ...], decisions: tuple[int, ...]
) -> None:
    agent = MemoryDNN(NET, loss=loss, seed=0)
    with pytest.raises(ValueError, match="states and decisions must have shapes"):
        agent.learner.train_on(np.ones(states, np.float32), np.ones(decisions, np.float32))
    assert agent.updates == 0


def test_another_optimizer_is_asked_itself() -> None:
    agents = [MemoryDNN(NET, batch_size=16, seed=0) for _ in range(2)]
    agents[1].learner.backend = Autograd(agents[1].network, binary_cross_entropy)
    for agent in agents:
        agent.optimizer = torch.optim.AdamW(agent.network.parameters(), 0.01, weight_decay=1.0)
        encode_random(agent, 100)
    assert equal(weights(agents[0]), weights(agents[1]))


def test_compiled_training_takes_any_weights_torch_loads() -> None:
    # load_state_dict(assign=True) can bring tensors with other storage and other strides.
    agent, other = MemoryDNN(NET, seed=0), MemoryDNN(NET, seed=0)
    loaded = {
        name: value.T.contiguous().T if value.ndim == 2 else value.clone()
        for name, value in other.model.state_dict().items()
    }
    agent.model.load_state_dict(loaded, assign=True)
    for each in (agent, other):
        encode_random(each, 50)
    assert equal(weights(agent), weights(other))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_a_copy_decodes_with_its_own_weights(copied: Callable[[MemoryDNN], MemoryDNN]) -> None:
    agent = MemoryDNN(NET, training_interval=1, seed=0)
    agent.relaxed_decision(np.ones(4))
    other = copied(agent)
    encode_random(other, 50)
    check_forward(other)
    check_forward(agent)
    assert not equal(weights(agent), weights(other))


def test_weights_may_be_loaded_or_moved() -> None:
    agent, other = MemoryDNN(NET, seed=0), MemoryDNN(NET, seed=1)
    for assign in (False, True):
        agent.relaxed_decision(np.ones(4))
        agent.model.load_state_dict(other.model.state_dict(), assign=assign)
        check_forward(agent)
        assert equal(weights(agent), weights(other))
        before = weights(agent)
        encode_random(agent, 10)
        check_forward(agent)
        assert not any((a == b).all() for a, b in zip(before, weights(agent), strict=True))
        other = MemoryDNN(NET, seed=2)


def check_forward(agent: MemoryDNN) -> None:
    expected = agent.model(torch.ones(1, 4)).detach().numpy()[0]
    np.testing.assert_allclose(agent.relaxed_decision(np.ones(4)), expected, rtol=1e-5)


def test_the_initial_weights_are_those_of_torch() -> None:
    for layer in MemoryDNN([50, 200, 100], seed=0).model:
        if isinstance(layer, torch.nn.Linear):
            bound = 1 / np.sqrt(layer.in_features)
            for parameter in (layer.weight, layer.bias):
                assert parameter.abs().max().item() == pytest.approx(bound, rel=0.05)
                assert parameter.std().item() == pytest.approx(bound / np.sqrt(3), rel=0.15)


def test_saturated_devices_keep_their_order() -> None:
    agent = MemoryDNN(NET, seed=0)
    *_, weight, bias = agent.model.parameters()
    with torch.no_grad():
        weight.zero_()
        bias.copy_(torch.tensor([20.0, 25.0, -30.0, 30.0]))
    # In single precision three of the four would round to 1.
    assert agent.decode(np.ones(4), 4).tolist() == [
        [1, 1, 0, 1],
        [0, 1, 0, 1],
        [0, 0, 0, 1],
        [1, 1, 1, 1],
    ]


def test_the_learning_rate_may_be_changed() -> None:
    agent = MemoryDNN(NET, training_interval=1, seed=0)
    encode_random(agent, 10)
    before = weights(agent)
    agent.lr = 1e-12
    encode_random(agent, 10)
    for old, new in zip(before, weights(agent), strict=True):
        np.testing.assert_allclose(old, new, rtol=0, atol=1e-6)


def test_a_diverged_policy_raises_an_error() -> None:
    agent = MemoryDNN(NET, learning_rate=1e30, training_interval=1, seed=0)
    encode_random(agent, 5)
    with pytest.raises(ArithmeticError, match="try a smaller learning_rate"):
        agent.decode(np.ones(4))


def test_the_default_precision_of_torch_does_not_matter() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        encode_random(MemoryDNN(NET, training_interval=1, seed=0), 5)
    finally:
        torch.set_default_dtype(torch.float32)


def test_modes_are_compared_by_value() -> None:
    agent = MemoryDNN(NET, seed=0)
    mode = "".join(["O", "P"])  # not the interned literal
    assert len(agent.decode(np.ones(4), 3, mode)) == 3
    with pytest.raises(ValueError, match="mode must be one of OP, OPN, KNN, got 'op'"):
        agent.decode(np.ones(4), 3, "op")


def test_more_candidates_than_there_are() -> None:
    agent = MemoryDNN(NET, seed=0)
    assert len(agent.decode(np.ones(4), 50, "OP")) == 5
    assert len(agent.decode(np.ones(4), 50, "KNN")) == 16


def test_training_runs_once_an_interval() -> None:
    agent = MemoryDNN(NET, training_interval=7, seed=0)
    encode_random(agent, 6)
    assert agent.updates == 0
    encode_random(agent, 15)
    assert agent.updates == 3


def test_the_same_seed_gives_the_same_agent() -> None:
    agents = [MemoryDNN(NET, seed=seed) for seed in (3, 3, 4)]
    for agent in agents:
        encode_random(agent, 100)
    first, same, other = (weights(agent) for agent in agents)
    assert equal(first, same)
    assert not equal(first, other)


def test_global_random_state_is_left_alone() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    agent = MemoryDNN(NET)
    encode_random(agent, 30)
    agent.decode(np.ones(4), 3, "OPN")
    assert (torch.get_rng_state() == before[0]).all()
    assert (np.random.get_state()[1] == before[1]).all()  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize("rebuild_optimizer", [False, True])
def test_a_loaded_agent_continues_as_if_never_stopped(
    rebuild_optimizer: bool, tmp_path: Path
) -> None:
    agent = MemoryDNN(
        NET, training_interval=3, memory_size=50, rebuild_optimizer=rebuild_optimizer, seed=0
    )
    encode_random(agent, 70)
    agent.lr = 0.001
    agent.decode(np.ones(4), 3, "OPN")
    agent.save(tmp_path / "agent")
    loaded = MemoryDNN.load(tmp_path / "agent")
    for each in (agent, loaded):
        encode_random(each, 70, seed=1)
    assert equal(weights(agent), weights(loaded))
    assert agent.cost_his == loaded.cost_his
    assert (agent.memory == loaded.memory).all()
    assert (agent.updates, agent.memory_counter) == (loaded.updates, loaded.memory_counter)
    relaxed = np.full(4, 0.5)
    assert (agent.opn(relaxed, 3) == loaded.opn(relaxed, 3)).all()


def test_an_agent_saved_before_its_first_step_loads(tmp_path: Path) -> None:
    agent = MemoryDNN(NET, seed=0)
    agent.save(tmp_path / "agent")
    loaded = MemoryDNN.load(tmp_path / "agent")
    for each in (agent, loaded):
        encode_random(each, 30)
    assert equal(weights(agent), weights(loaded))


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    MemoryDNN(NET, seed=0).save(tmp_path / "agent")
    whole = (tmp_path / "agent").read_bytes()
    for length in [0, 4, 8, 100, len(whole) // 2, len(whole) - 1]:
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cut is not a whole DROO checkpoint"):
            MemoryDNN.load(tmp_path / "cut")
    (tmp_path / "pickle").write_bytes(pickle.dumps({"model": 1}))
    with pytest.raises(ValueError, match="pickle is not a whole DROO checkpoint"):
        MemoryDNN.load(tmp_path / "pickle")
    save_file({"weight": torch.ones(1)}, tmp_path / "foreign")
    with pytest.raises(ValueError, match=r"foreign is no DROO checkpoint: .* lacks droo-2"):
        MemoryDNN.load(tmp_path / "foreign")
    save_file({"weight": torch.ones(1)}, tmp_path / "empty", {"droo-1": "{}"})
    with pytest.raises(ValueError, match="empty does not hold what is to be loaded"):
        MemoryDNN.load(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="absent"):
        MemoryDNN.load(tmp_path / "absent")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_a_failed_save_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    agent = MemoryDNN(NET, seed=0)
    agent.save(tmp_path / "agent")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            MemoryDNN(NET, seed=1).save(tmp_path / "agent")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert equal(weights(MemoryDNN.load(tmp_path / "agent")), weights(agent))
    assert [file.name for file in tmp_path.iterdir()] == ["agent"]


def test_plot_cost_draws_on_the_axes_it_is_given() -> None:
    agent = MemoryDNN(NET, training_interval=5, seed=0)
    encode_random(agent, 50)
    ax = Figure().subplots()
    assert agent.plot_cost(ax) is ax
    x, y = np.asarray(ax.lines[0].get_data())
    assert x.tolist() == list(range(1, 11))
    assert y.tolist() == agent.cost_his
    with mpl.rc_context({"backend": "agg"}):
        assert agent.plot_cost().get_ylabel() == "Training loss"


def test_the_cost_history_is_bounded_and_plotted_at_its_steps() -> None:
    agent = MemoryDNN([2, 2], training_interval=1, cost_history_size=50, seed=0)
    encode_random(agent, 200)
    assert 40 <= len(agent.cost_his) <= 50
    assert agent.cost == agent.cost_his[-1]
    line = agent.plot_cost(Figure().subplots()).lines[0]
    assert np.asarray(line.get_xdata())[-1] == agent.updates


ENCODE = """
import resource, sys
import numpy as np
import torch
from agent import MemoryDNN

torch.set_num_threads(1)
count = int(sys.argv[1])
agent = MemoryDNN([2, 4, 2], training_interval=10, batch_size=8, cost_history_size=1000, seed=0)
state, decision = np.ones(2), np.array([0, 1])
for encoded in range(count):
    agent.encode(state, decision)
    if encoded == count // 5:
        early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - early)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="reads the peak memory in KiB, as Linux gives it"
)
@pytest.mark.parametrize("count", [200_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_more_encodes_take_no_more_memory(count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENCODE, str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 2048


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"net": [4]}, ValueError, r"net must be \[inputs, hidden..., N\], got \[4\]"),
        ({"net": [4, 0, 4]}, ValueError, r"net\[1\] must be at least 1, got 0"),
        ({"net": [4, 2.5, 4]}, TypeError, r"net\[1\] must be an integer"),
        ({"learning_rate": "a"}, TypeError, "learning_rate must be a number, got 'a'"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be positive and finite, got 0"),
        ({"learning_rate": np.nan}, ValueError, "learning_rate must be positive and finite"),
        ({"training_interval": 0}, ValueError, "training_interval must be at least 1"),
        ({"batch_size": -1}, ValueError, "batch_size must be at least 1"),
        ({"memory_size": 0}, ValueError, "memory_size must be at least 1"),
        ({"cost_history_size": 0}, ValueError, "cost_history_size must be at least 1"),
    ],
)
def test_bad_arguments_are_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        MemoryDNN(**{"net": NET} | arguments)


@pytest.mark.parametrize(
    ("h", "m", "error", "message"),
    [
        ([1, 2, 3], [0, 1, 0, 1], ValueError, r"h must have shape \[4\], got \[3\]"),
        ([1, 2, 3, np.nan], [0, 1, 0, 1], ValueError, "h must be finite"),
        ([1, 2, 3, np.inf], [0, 1, 0, 1], ValueError, "h must be finite"),
        ([1, 2, 3, 1e300], [0, 1, 0, 1], ValueError, "h must be finite in single precision"),
        (["a", "b", "c", "d"], [0, 1, 0, 1], TypeError, "h must hold real numbers"),
        ([1, 2, 3, 4], [0, 1, 0], ValueError, r"m must have shape \[4\], got \[3\]"),
        ([1, 2, 3, 4], [0, 1, 0, 0.5], ValueError, "m must hold zeros and ones only, got .*0.5"),
        ([1, 2, 3, 4], [0, 1, 0, np.nan], ValueError, "m must hold zeros and ones only"),
    ],
)
def test_bad_rows_are_named_and_not_stored(
    h: Any, m: Any, error: type[Exception], message: str
) -> None:
    agent = MemoryDNN(NET, seed=0)
    with pytest.raises(error, match=message):
        agent.encode(h, m)
    assert agent.memory_counter == 0
    assert not agent.memory.any()


def test_output_graph_warns_that_it_has_no_effect() -> None:
    with pytest.warns(UserWarning, match="output_graph has no effect"):
        MemoryDNN(NET, output_graph=True)


def test_a_bias_that_is_replaced_is_used() -> None:
    agent = MemoryDNN(NET, seed=0)
    agent.relaxed_decision(np.ones(4))
    last = agent.model[-2]
    assert isinstance(last, torch.nn.Linear)
    last.bias = torch.nn.Parameter(torch.full((4,), 9.0))
    assert (agent.relaxed_decision(np.ones(4)) > 0.99).all()
