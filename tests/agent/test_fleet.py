from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from agent import DROO, Fleet, MemoryDNN
from env import WirelessPoweredMEC
from experiments.configs import DROOConfig, LyDROOConfig, resolve
from experiments.problems.wpmec.experiment import WPMECExperiment, WPMECTask, task_of
from experiments.running.many import run_all, run_together
from experiments.running.run import load
from experiments.running.run import run as run_experiment
from tests.tasks import task_with

N = 5
EXPERIMENT = WPMECExperiment()


def features_of(policy: Any) -> tuple[str, ...]:
    features = resolve(DROOConfig(policy=policy)).features
    assert features is not None
    return features


def new(seed: int, policy: str = "mlp", **settings: Any) -> DROO:
    features = features_of(policy)
    net = [len(features) * N, 16, 16, N]
    memory: dict[str, Any] = {"batch_size": 32, "memory_size": 64, "training_interval": 5}
    agent = MemoryDNN(net, policy=policy, features=features, seed=seed, **memory)
    return DROO(agent, **settings)


def environment(droo: DROO, seed: int) -> WirelessPoweredMEC:
    env = WirelessPoweredMEC(N, features=droo.agent.features or ())
    env.reset(seed=seed)
    return env


def play_alone(droo: DROO, seed: int, frames: int) -> list[list[int]]:
    env = environment(droo, seed)
    decisions = []
    for _ in range(frames):
        choice = droo.decide(env.state, env.score)
        env.step(choice.decision)
        decisions.append(choice.decision.tolist())
    return decisions


def play_as_fleet(fleet: Fleet, frames: int) -> list[list[list[int]]]:
    envs = [environment(droo, seed) for seed, droo in enumerate(fleet.agents)]
    decisions: list[list[list[int]]] = [[] for _ in envs]
    for _ in range(frames):
        choices = fleet.decide([env.state for env in envs], [env.score for env in envs])
        for env, choice, of_one in zip(envs, choices, decisions, strict=True):
            env.step(choice.decision)
            of_one.append(choice.decision.tolist())
    return decisions


def assert_equal_networks(ours: DROO, theirs: DROO, atol: float) -> None:
    parameters = zip(ours.agent.model.parameters(), theirs.agent.model.parameters(), strict=True)
    for p, q in parameters:
        np.testing.assert_allclose(p.detach(), q.detach(), rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("policy", "settings"),
    [
        ("mlp", {}),
        ("mlp", {"mode": "OPN", "num_candidates": 3}),
        ("equivariant", {"refine_every": 8, "learn_when_wrong": True}),
        ("attention", {"mode": "KNN"}),
        ("conv", {}),
    ],
)
def test_a_fleet_does_what_its_agents_would_alone(policy: str, settings: dict[str, Any]) -> None:
    alone = [new(seed, policy, **settings) for seed in range(3)]
    expected = [play_alone(droo, seed, 60) for seed, droo in enumerate(alone)]
    fleet = Fleet([new(seed, policy, **settings) for seed in range(3)])
    assert play_as_fleet(fleet, 60) == expected
    for ours, theirs in zip(fleet.release(), alone, strict=True):
        assert ours.progress == theirs.progress
        assert ours.agent.updates == theirs.agent.updates > 0
        assert (ours.agent.memory == theirs.agent.memory).all()
        np.testing.assert_allclose(ours.agent.cost_his, theirs.agent.cost_his, rtol=1e-3)
        assert_equal_networks(ours, theirs, atol=1e-4)


def test_released_agents_go_on_alone(tmp_path: Path) -> None:
    alone, fleet = new(0), Fleet([new(0), new(1)])
    play_alone(alone, 0, 30)
    play_as_fleet(fleet, 30)
    released = fleet.release()[0]
    released.save(tmp_path / "droo")
    for droo in (released, DROO.load(tmp_path / "droo")):
        assert play_alone(droo, 7, 30) == play_alone(DROO.load(tmp_path / "droo"), 7, 30)
    play_alone(alone, 7, 30)
    assert_equal_networks(released, alone, atol=1e-4)


def test_agents_of_a_fleet_may_differ_in_their_settings() -> None:
    def agents() -> list[DROO]:
        droos = [new(seed) for seed in range(3)]
        droos[0].agent.lr = 0.001
        droos[1].agent.training_interval = 3
        droos[2] = DROO(droos[2].agent, learn_when_wrong=True, mode="KNN", adapt_every=None)
        droos[2].agent.rebuild_optimizer = True
        return droos

    alone = agents()
    expected = [play_alone(droo, seed, 30) for seed, droo in enumerate(alone)]
    fleet = Fleet(agents())
    assert play_as_fleet(fleet, 30) == expected
    for ours, theirs in zip(fleet.release()[:2], alone[:2], strict=True):
        assert_equal_networks(ours, theirs, atol=1e-4)


def test_a_fleet_may_learn_later() -> None:
    fleet = Fleet([new(seed, learn_later=True) for seed in range(2)])
    play_as_fleet(fleet, 12)
    assert [droo.due for droo in fleet.agents] == [2, 2]
    assert [droo.agent.updates for droo in fleet.agents] == [0, 0]
    fleet.learn_due()
    assert [droo.due for droo in fleet.agents] == [0, 0]
    assert [droo.agent.updates for droo in fleet.agents] == [2, 2]


class WithBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm1d(N), nn.Linear(N, N))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(states)
        return logits


def frozen() -> DROO:
    droo = new(0)
    next(droo.agent.model.parameters()).requires_grad_(False)
    return droo


class Own(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(N, width), nn.Tanh(), nn.Linear(width, N))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(states)
        return logits


def own(*modules: nn.Module) -> list[DROO]:
    return [DROO(MemoryDNN([N, N], policy=module, seed=0)) for module in modules]


def with_one_shared() -> DROO:
    module = Own(N)
    module.layers[2].weight = module.layers[0].weight
    return own(module)[0]


def with_another_optimizer() -> DROO:
    droo = new(0)
    droo.agent.optimizer = torch.optim.AdamW(droo.agent.network.parameters())
    return droo


BAD: dict[str, tuple[Callable[[], list[DROO]], str]] = {
    "none": (list, "at least one"),
    "twice": (lambda: [new(0)] * 2, "distinct"),
    "policies": (lambda: [new(0), new(1, "equivariant")], "same policy"),
    "nets": (lambda: [new(0), DROO(MemoryDNN([N, 8, N], features=("gain",)))], "same net"),
    "batches": (
        lambda: [new(0), DROO(MemoryDNN([N, 16, 16, N], features=("gain",), batch_size=7))],
        "same batch_size",
    ),
    "gru": (lambda: [new(0, "gru"), new(1, "gru")], "torch can batch, got gru"),
    "buffers": (lambda: [DROO(MemoryDNN([N, N], policy=WithBuffer()))], "without buffers"),
    "frozen": (lambda: [frozen()], "all trained"),
    "optimizers": (lambda: [with_another_optimizer()], "Adam that they were made with"),
    "shared": (lambda: [with_one_shared()], "none shared"),
    "one network": (lambda: own(*[Own()] * 2), "one network"),
    "types": (lambda: own(Own(), nn.Linear(N, N)), "of one type"),
    "widths": (lambda: own(Own(4), Own(5)), "type and shape"),
}


def test_each_agent_of_a_fleet_decides_by_its_own_network() -> None:
    modules = [Own(), Own()]
    fleet = Fleet(own(*modules))
    state = np.ones(N)
    scores = [lambda x: -np.arange(len(x))] * 2  # so that the policies' own decisions win
    for module, choice in zip(modules, fleet.decide([state] * 2, scores), strict=True):
        logits = module(torch.ones(1, N))[0]
        assert choice.decision.tolist() == (logits > 0).int().tolist()


def test_a_fleet_takes_parameters_that_were_replaced(tmp_path: Path) -> None:
    droo = new(0)
    play_alone(droo, 0, 20)
    parameters = {name: value.clone() for name, value in droo.agent.model.state_dict().items()}
    droo.agent.model.load_state_dict(parameters, assign=True)
    fleet = Fleet([droo, new(1)])
    play_as_fleet(fleet, 20)
    fleet.release()[0].save(tmp_path / "droo")
    assert play_alone(DROO.load(tmp_path / "droo"), 3, 20) == play_alone(droo, 3, 20)


@pytest.mark.parametrize("case", BAD)
def test_agents_that_cannot_form_a_fleet_are_refused(case: str) -> None:
    agents, match = BAD[case]
    with pytest.raises(ValueError, match=match):
        Fleet(agents())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="got cuda without a GPU"):
        Fleet([new(0)], device="cuda")


@pytest.mark.parametrize("policy", ["mlp", "equivariant", "attention", "conv"])
def test_no_policy_brings_tensors_of_another_device(policy: str) -> None:
    # Tensors on "meta" have no numbers, but mixed with others they fail as those on a GPU would.
    network = new(0, policy).agent.network.to("meta")
    features = features_of(policy)
    states = torch.zeros(3, len(features) * N, device="meta")
    assert network(states).shape == (3, N)


def test_bad_input_to_a_fleet_changes_nothing() -> None:
    fleet = Fleet([new(0), new(1)])

    def score(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.asarray(x.sum(axis=1))

    states, scores = [np.ones(N)] * 2, [score] * 2
    with pytest.raises(ValueError, match="states must be 2, one an agent, got 3"):
        fleet.decide([np.ones(N)] * 3, scores)
    with pytest.raises(ValueError, match="scores must be 2"):
        fleet.decide(states, scores[:1])
    with pytest.raises(ValueError, match="states must be finite"):
        fleet.decide([np.ones(N), np.full(N, np.nan)], scores)
    with pytest.raises(ValueError, match="one reward per candidate"):
        fleet.decide(states, [score, lambda _: np.zeros(1)])
    assert all(droo.agent.memory_counter == 0 for droo in fleet.agents)


def test_policies_that_cannot_be_batched_run_alone(tmp_path: Path) -> None:
    config = DROOConfig(policy="gru", num_devices=N, frames=12, results=tmp_path)
    assert len(run_all([config], jobs=1, device="cpu", draw=False)) == 1


@pytest.mark.parametrize("preset", ["published", "best"])
def test_seeds_that_run_together_leave_what_they_leave_alone(preset: Any, tmp_path: Path) -> None:
    config = DROOConfig(preset=preset, num_devices=N, frames=120, results=tmp_path / "alone")
    configs = [replace(config, seed=seed) for seed in range(2)]
    alone = [run_experiment(each, progress=False, draw=False) for each in configs]
    configs = [replace(each, results=tmp_path / "together") for each in configs]
    together = run_all(configs, jobs=1, device="cpu", draw=False)
    for ours, theirs in zip(together, alone, strict=True):
        assert (ours / "frames.csv").read_bytes() == (theirs / "frames.csv").read_bytes()
        cost, expected = (
            np.loadtxt(run / "cost.csv", delimiter=",", skiprows=1) for run in (ours, theirs)
        )
        np.testing.assert_allclose(cost, expected, rtol=1e-3)
        network, other = (DROO.load(run / "checkpoint.safetensors") for run in (ours, theirs))
        assert_equal_networks(network, other, atol=1e-3)


def test_settings_that_differ_in_more_than_the_seed_are_no_fleet(tmp_path: Path) -> None:
    config = DROOConfig(preset="published", num_devices=N, frames=30, results=tmp_path)
    with pytest.raises(ValueError, match="differ in nothing but seed, got 2 settings"):
        run_together([config, replace(config, seed=1, scenario="on-off")])
    assert not any(tmp_path.iterdir())


def test_runs_of_a_fleet_keep_their_own_weights() -> None:
    def new_tasks() -> list[WPMECTask]:
        tasks = []
        for seed in range(2):
            config = DROOConfig(preset="published", num_devices=N, frames=60, seed=seed)
            task, _ = task_with(config)
            weights = np.roll(np.arange(1.0, N + 1), seed)
            tasks.append(task_of(task.config, task.gains, {0: weights}))
        return tasks

    together = new_tasks()
    tables = [task.new_table(EXPERIMENT.schema) for task in together]
    list(EXPERIMENT.play_together(together, tables, "cpu"))
    for task, table in zip(new_tasks(), tables, strict=True):
        alone = task.new_table(EXPERIMENT.schema)
        list(EXPERIMENT.play(task, alone))
        assert (table["decision"] == alone["decision"]).all()
        np.testing.assert_allclose(table["rate"], alone["rate"], rtol=1e-9)


@pytest.mark.parametrize("preset", ["published", "best"])
def test_seeds_of_lydroo_that_run_together_decide_what_they_decide_alone(
    preset: Any, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"preset": preset, "num_devices": N, "frames": 120}
    configs = [LyDROOConfig(**settings, seed=seed, results=tmp_path / "alone") for seed in range(3)]
    alone = [load(run_experiment(each, progress=False, draw=False)) for each in configs]
    configs = [replace(each, results=tmp_path / "together") for each in configs]
    folders = run_all(configs, jobs=1, device="cpu", draw=False)
    assert len({tuple(table["decision"].ravel()) for table in alone}) == 3
    for folder, theirs in zip(folders, alone, strict=True):
        ours = load(folder)
        # A fleet refines by score alone, which finds the same decision but scores more of them.
        for column in ("decision", "k", "gain", "arrival"):
            assert (ours[column] == theirs[column]).all(), column
        for column in ("rate", "energy", "data_queue", "energy_queue", "optimal_objective"):
            np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-9, atol=1e-9)
        assert ours.cost_frame.tolist() == theirs.cost_frame.tolist()
        np.testing.assert_allclose(ours.cost, theirs.cost, rtol=1e-3)
        assert DROO.load(folder / "checkpoint.safetensors").agent.memory_counter == 120
