"""The compiled loop plays what the generator of frames plays, for each problem and policy."""

import copy
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent import DROO
from experiments.compiled import playing
from experiments.compiled.playing import can_be_compiled
from experiments.configs import DROOConfig, LyDROOConfig, resolve
from experiments.configs.episode import RunConfig
from experiments.consumers.recorder import Block, record
from experiments.problems import experiment_of
from experiments.problems.experiment import Task
from experiments.problems.queueing.experiment import QueueingTask
from experiments.problems.wpmec import compiled
from experiments.problems.wpmec.experiment import WPMECExperiment, WPMECTask
from experiments.running.many import run_all
from experiments.running.run import load, warm_up
from experiments.running.run import run as run_experiment
from experiments.runs.table import Table
from tests.tasks import task_with

EXPERIMENT = WPMECExperiment()


def play(task: WPMECTask) -> tuple[Table, list[Block]]:
    """Play a run; return its frames and the blocks."""
    table = task.new_table(EXPERIMENT.schema)
    return table, list(EXPERIMENT.play(task, table))


def is_compiled(task: Task[Any]) -> bool:
    """Return whether the compiled loop supports the agent of a run."""
    assert isinstance(task.decider, DROO)
    problem, experiment = task.compiled(), experiment_of(task.config)
    return problem is not None and can_be_compiled(
        task.decider, problem, task.new_table(experiment.schema)
    )


def everything(config: RunConfig, *, compiled: bool) -> tuple[dict[str, Any], DROO]:
    """Play the frames of a config; return columns, losses and a random draw, and the agent."""
    config = resolve(config)
    experiment = experiment_of(config)
    task = experiment.prepare(config)
    droo = task.decider
    assert isinstance(droo, DROO)
    assert is_compiled(task)
    table = task.new_table(experiment.schema)
    played = list(experiment.play(task, table) if compiled else record(task.simulate(), table))
    assert played[-1].end == task.num_frames
    assert (len(played) < task.num_frames) == compiled
    costs = [cost for each in played for cost in each.costs]
    return table.columns | {"costs": costs, "rng": droo.agent.replay.rng.random()}, droo


PUBLISHED: dict[str, Any] = {"preset": "published"}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_devices": 1},
        {"num_devices": 30, "frames": 150},
        {"num_devices": 5, "refine_from_local": True, "hidden": (9, 7)},
        {"features": ("log_gain", "weight", "gain@2"), "scenario": "alternating-weights"},
        PUBLISHED,
        PUBLISHED | {"num_devices": 1},
        PUBLISHED | {"num_devices": 30, "frames": 150},
        PUBLISHED | {"num_candidates": 3, "adapt_every": None, "training_interval": 7},
        PUBLISHED | {"refine_every": 8, "learn_when_wrong": True},
        PUBLISHED | {"weights": (0.7, 1.1, 1.9), "batch_size": 33, "memory_size": 50},
        PUBLISHED | {"scenario": "alternating-weights", "features": ("log_gain", "weight")},
        PUBLISHED | {"features": ("gain", "active"), "rebuild_optimizer": True, "hidden": ()},
    ],
)
def test_compiled_frames_are_those_played_one_by_one(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "BLOCK", 128)
    monkeypatch.setattr(playing, "FRAMES", 50)
    frames: dict[str, Any] = {"frames": 300}
    check_equal(DROOConfig(**frames | settings))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_devices": 30, "frames": 100},
        {"num_devices": 2, "refine_every": 4, "refine_from_local": False},
        {"features": ("log_gain", "log_data_queue", "log_energy_queue", "weight", "active")},
        PUBLISHED | {"quantizer": "OP"},
        PUBLISHED | {"quantizer": "OP", "refine_every": 8, "memory_size": 40},
    ],
)
def test_compiled_frames_with_queues_are_those_played_one_by_one(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "FRAMES", 50)
    frames: dict[str, Any] = {"frames": 200}
    check_equal(LyDROOConfig(**frames | settings))


def check_equal(config: RunConfig) -> None:
    """Check that compiled frames and those played one by one are equal, and leave equal agents."""
    (ours, agent), (theirs, other) = (
        everything(config, compiled=in_blocks) for in_blocks in (True, False)
    )
    for name, value in ours.items():
        assert np.array_equal(value, theirs[name]), name
    assert agent.progress == other.progress
    assert agent.agent.memory_counter == other.agent.memory_counter == config.frames
    assert (agent.agent.memory == other.agent.memory).all()
    parameters = zip(agent.agent.model.parameters(), other.agent.model.parameters(), strict=True)
    assert all((p == q).all() for p, q in parameters)
    moments = agent.agent.learner.adam.moments(), other.agent.learner.adam.moments()
    assert moments[0].keys() == moments[1].keys() != set()
    assert all((value == moments[1][name]).all() for name, value in moments[0].items())


def test_compiling_changes_nothing() -> None:
    config = resolve(DROOConfig(preset="published", num_devices=5, frames=50))
    (task, droo), (_, untouched) = task_with(config), task_with(config)
    before = [parameter.detach().clone() for parameter in droo.agent.model.parameters()]
    warm_up(EXPERIMENT, task)
    assert droo.agent.memory_counter == droo.agent.updates == 0
    assert droo.progress.frames == 0
    assert all((p == q).all() for p, q in zip(before, droo.agent.model.parameters(), strict=True))
    assert droo.agent.replay.rng.random() == untouched.agent.replay.rng.random()


@pytest.mark.parametrize("frames", [2, 48, 60])
def test_frames_before_a_change_are_played_without_it(frames: int) -> None:
    config = DROOConfig(preset="published", num_devices=5, frames=80)
    decisions = []
    for end in (frames, 80):
        task, droo = task_with(config)
        weights = task.weights_from[0]
        weights_from = {0: weights, 48: 2.5 - weights, 64: weights}
        table, played = play(replace(task, weights_from=weights_from, num_frames=end))
        assert played[-1].end == droo.agent.memory_counter == end
        decisions.append(table["decision"])
    assert (decisions[0] == decisions[1][:frames]).all()


@pytest.mark.parametrize("policy", ["mlp", "equivariant"])
def test_a_run_whose_weights_change_is_warmed_up_and_played(policy: Any, tmp_path: Path) -> None:
    config = DROOConfig(
        preset="published",
        policy=policy,
        num_devices=5,
        frames=40,
        scenario="alternating-weights",
        results=tmp_path,
    )
    assert len(load(run_experiment(config, progress=False, draw=False))) == 40
    seeds = [replace(config, seed=seed) for seed in (1, 2)]
    assert [len(load(folder)) for folder in run_all(seeds, device="cpu", draw=False)] == [40, 40]


@pytest.mark.parametrize(
    "settings",
    [
        {"policy": "conv"},
        {"quantizer": "KNN"},
        {"quantizer": "OPN"},
        {"loss": "quadratic"},
        {"explore": True},
    ],
)
def test_other_agents_play_frame_by_frame(settings: dict[str, Any]) -> None:
    small: dict[str, Any] = {"preset": "published", "num_devices": 5, "frames": 40}
    config = DROOConfig(**small | settings)
    task, _ = task_with(config)
    assert not is_compiled(task)
    assert [played.end for played in play(task)[1]] == list(range(1, 41))


def test_devices_that_are_off_are_left_to_python() -> None:
    config = DROOConfig(preset="published", num_devices=5, features=("gain", "active"))
    task, _ = task_with(config)
    assert is_compiled(task)
    task.gains[3, 2] = 0
    assert not is_compiled(task)


@pytest.mark.parametrize(
    ("feature", "match"), [("gain", "single precision"), ("log_gain", "multiplier was found only")]
)
def test_compiled_frames_raise_the_errors_of_python(feature: str, match: str) -> None:
    config = DROOConfig(preset="published", num_devices=5, frames=20, features=(feature,))
    task, _ = task_with(config)
    task.gains[12] = 1e200
    with pytest.raises((ArithmeticError, ValueError), match=match):
        play(task)


@pytest.mark.parametrize("refine_every", [0, 8])
@pytest.mark.parametrize("feature", ["gain", "log_gain"])
def test_compiled_frames_refuse_negative_gains(feature: str, refine_every: int) -> None:
    settings: dict[str, Any] = {"features": (feature,), "refine_every": refine_every}
    config = DROOConfig(preset="published", num_devices=5, frames=20, **settings)
    task, _ = task_with(config)
    task.gains[12, 3] = -1e-6
    with pytest.raises(ValueError, match="gain must be finite and in"):
        play(task)


def test_frames_of_other_devices_are_refused() -> None:
    config = DROOConfig(preset="published", num_devices=5, frames=20)
    task, _ = task_with(config)
    with pytest.raises(ValueError, match="gains must be for the agent's 5 devices, got 4"):
        play(replace(task, gains=task.gains[:, :4]))
    with pytest.raises(ValueError, match="weights must be for the agent's 5 devices, got 2"):
        play(replace(task, weights_from={0: task.weights_from[0][:2]}))


def test_compiled_frames_notice_a_policy_that_diverged() -> None:
    config = DROOConfig(preset="published", num_devices=5, frames=20)
    task, droo = task_with(config)
    next(droo.agent.model.parameters()).data[:] = np.nan
    with pytest.raises(ArithmeticError, match="diverged"):
        play(task)
    assert droo.agent.memory_counter == 0


def test_an_interrupted_run_leaves_an_agent_that_played_so_far() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    config = DROOConfig(num_devices=5, frames=100_000)
    (task, droo), (of_alone, alone) = task_with(config), task_with(config)
    warm_up(EXPERIMENT, task)
    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.15)
        with pytest.raises(KeyboardInterrupt):
            play(task)
    finally:
        signal.signal(signal.SIGALRM, previous)
    played = droo.agent.memory_counter
    assert 0 < played < config.frames
    play(replace(of_alone, num_frames=played))
    assert droo.progress == alone.progress
    assert droo.agent.cost_his == alone.agent.cost_his
    assert (droo.agent.memory == alone.agent.memory).all()
    parameters = zip(droo.agent.model.parameters(), alone.agent.model.parameters(), strict=True)
    assert all((p == q).all() for p, q in parameters)


def test_changes_between_blocks_take_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "FRAMES", 20)
    config = DROOConfig(preset="published", num_devices=5, frames=60)
    task, droo = task_with(config)
    blocks = EXPERIMENT.play(task, task.new_table(EXPERIMENT.schema))
    next(iter(blocks))
    droo.agent.lr = 1e-30
    copied = copy.deepcopy(droo.agent.model.state_dict())
    droo.agent.model.load_state_dict(copied, assign=True)
    list(blocks)
    assert droo.agent.updates == 6
    for name, value in droo.agent.model.state_dict().items():
        np.testing.assert_allclose(value, copied[name], atol=1e-12)


def test_a_rebuilt_optimizer_may_be_asked_for_later() -> None:
    config = DROOConfig(preset="published", num_devices=5, frames=40)
    (task, droo), (other, alone) = task_with(config), task_with(config)
    droo.agent.rebuild_optimizer = alone.agent.rebuild_optimizer = True
    play(task)
    list(record(other.simulate(), other.new_table(EXPERIMENT.schema)))
    assert droo.agent.cost_his == alone.agent.cost_his


def test_rewards_that_python_refuses_are_refused_in_compiled_code() -> None:
    config = resolve(LyDROOConfig(num_devices=3, frames=60))
    experiment = experiment_of(config)
    task = experiment.prepare(config)
    assert isinstance(task, QueueingTask)
    task.arrivals[5, 0] = 1.7e308
    assert is_compiled(task)
    with pytest.raises((ValueError, ArithmeticError)):
        list(experiment.play(task, task.new_table(experiment.schema)))
