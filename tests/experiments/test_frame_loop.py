from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent import DROO
from experiments.configs import DROOConfig, resolve
from experiments.problems.wpmec import compiled
from experiments.problems.wpmec.compiled import can_be_compiled
from experiments.problems.wpmec.experiment import WPMECExperiment, build, play, play_one_by_one
from experiments.problems.wpmec.frames import apply_scenario, make_frames
from experiments.problems.wpmec.schema import SCHEMA
from experiments.running.many import run_all
from experiments.running.run import load, warm_up
from experiments.running.run import run as run_experiment
from experiments.runs.table import Table


def everything(config: DROOConfig, *, compiled: bool) -> tuple[dict[str, Any], DROO]:
    """Play the frames of a config; return columns, losses and a random draw, and the agent."""
    gains, weights = make_frames(config)
    gains, weights_from = apply_scenario(config.scenario, gains, weights)
    droo = build(resolve(config), len(weights), np.random.SeedSequence(config.seed))
    assert can_be_compiled(droo, gains)
    table = Table.empty(SCHEMA, *gains.shape)
    played = list((play if compiled else play_one_by_one)(droo, gains, weights_from, table))
    assert played[-1].end == len(gains)
    assert (len(played) < len(gains)) == compiled
    costs = [cost for each in played for cost in each.costs]
    return table.columns | {"costs": costs, "rng": droo.agent.replay.rng.random()}, droo


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_devices": 1},
        {"num_devices": 30, "frames": 300},
        {"num_candidates": 3, "adapt_every": None, "training_interval": 7},
        {"refine_every": 8, "learn_when_wrong": True},
        {"weights": (0.7, 1.1, 1.9), "batch_size": 33, "memory_size": 50},
        {"scenario": "alternating-weights", "features": ("log_gain", "weight", "gain@2")},
        {"features": ("gain", "active"), "rebuild_optimizer": True, "hidden": ()},
    ],
)
def test_compiled_frames_are_those_played_one_by_one(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "BLOCK", 128)
    published: dict[str, Any] = {"frames": 600, "preset": "published"}
    config = DROOConfig(**published | settings)
    (ours, agent), (theirs, other) = (
        everything(config, compiled=in_blocks) for in_blocks in (True, False)
    )
    # The reward is scored among candidates here and allocated there: equal but for rounding.
    np.testing.assert_allclose(ours.pop("rate"), theirs.pop("rate"), rtol=1e-14)
    for name, value in ours.items():
        assert np.array_equal(value, theirs[name]), name
    assert agent.progress == other.progress
    assert agent.agent.memory_counter == config.frames
    assert (agent.agent.memory == other.agent.memory).all()
    parameters = zip(agent.agent.model.parameters(), other.agent.model.parameters(), strict=True)
    assert all((p == q).all() for p, q in parameters)


def test_compiling_changes_nothing() -> None:
    config = resolve(DROOConfig(preset="published", num_devices=5, frames=50))
    experiment = WPMECExperiment()
    task = experiment.prepare(config, progress=False)
    droo, untouched = task.decider, experiment.prepare(config, progress=False).decider
    assert isinstance(droo, DROO)
    assert isinstance(untouched, DROO)
    before = [parameter.detach().clone() for parameter in droo.agent.model.parameters()]
    warm_up(experiment, task)
    assert droo.agent.memory_counter == droo.agent.updates == 0
    assert droo.progress.frames == 0
    assert all((p == q).all() for p, q in zip(before, droo.agent.model.parameters(), strict=True))
    assert droo.agent.replay.rng.random() == untouched.agent.replay.rng.random()


@pytest.mark.parametrize("frames", [2, 48, 60])
def test_frames_before_a_change_are_played_without_it(frames: int) -> None:
    config = DROOConfig(preset="published", num_devices=5, frames=80)
    gains, weights = make_frames(config)
    weights_from = {0: weights, 48: 2.5 - weights, 64: weights}
    decisions = []
    for end in (frames, 80):
        droo = build(resolve(config), 5, np.random.SeedSequence(0))
        table = Table.empty(SCHEMA, end, 5)
        *_, last = play(droo, gains[:end], weights_from, table)
        assert last.end == droo.agent.memory_counter == end
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
    [{"preset": "best"}, {"quantizer": "KNN"}, {"quantizer": "OPN"}, {"loss": "quadratic"}],
)
def test_other_agents_play_frame_by_frame(settings: dict[str, Any]) -> None:
    small: dict[str, Any] = {"preset": "published", "num_devices": 5, "frames": 40}
    config = DROOConfig(**small | settings)
    gains, weights = make_frames(config)
    droo = build(resolve(config), 5, np.random.SeedSequence(0))
    assert not can_be_compiled(droo, gains)
    table = Table.empty(SCHEMA, 40, 5)
    ends = [played.end for played in play(droo, gains, {0: weights}, table)]
    assert ends == list(range(1, 41))


def test_devices_that_are_off_are_left_to_python() -> None:
    config = DROOConfig(preset="published", num_devices=5, features=("gain", "active"))
    gains, _ = make_frames(config)
    droo = build(resolve(config), 5, np.random.SeedSequence(0))
    assert can_be_compiled(droo, gains)
    gains[3, 2] = 0
    assert not can_be_compiled(droo, gains)


@pytest.mark.parametrize(
    ("feature", "match"), [("gain", "single precision"), ("log_gain", "multiplier was found only")]
)
def test_compiled_frames_raise_the_errors_of_python(feature: str, match: str) -> None:
    config = DROOConfig(preset="published", num_devices=5, frames=20, features=(feature,))
    gains, weights = make_frames(config)
    droo = build(resolve(config), 5, np.random.SeedSequence(0))
    gains[12] = 1e200
    with pytest.raises((ArithmeticError, ValueError), match=match):
        list(play(droo, gains, {0: weights}, Table.empty(SCHEMA, 20, 5)))


@pytest.mark.parametrize("refine_every", [0, 8])
@pytest.mark.parametrize("feature", ["gain", "log_gain"])
def test_compiled_frames_refuse_negative_gains(feature: str, refine_every: int) -> None:
    settings: dict[str, Any] = {"features": (feature,), "refine_every": refine_every}
    config = DROOConfig(preset="published", num_devices=5, frames=20, **settings)
    gains, weights = make_frames(config)
    gains[12, 3] = -1e-6
    droo = build(resolve(config), 5, np.random.SeedSequence(0))
    with pytest.raises(ValueError, match="gain must be finite and in"):
        list(play(droo, gains, {0: weights}, Table.empty(SCHEMA, 20, 5)))


def test_frames_of_other_devices_are_refused() -> None:
    config = DROOConfig(preset="published", num_devices=5, frames=20)
    gains, weights = make_frames(config)
    droo = build(resolve(config), 5, np.random.SeedSequence(0))
    with pytest.raises(ValueError, match="gains must be for the agent's 5 devices, got 4"):
        play(droo, gains[:, :4], {0: weights}, Table.empty(SCHEMA, 20, 4))
    with pytest.raises(ValueError, match="weights must be for the agent's 5 devices, got 2"):
        play(droo, gains, {0: weights[:2]}, Table.empty(SCHEMA, 20, 5))


def test_compiled_frames_notice_a_policy_that_diverged() -> None:
    config = DROOConfig(preset="published", num_devices=5, frames=20)
    gains, weights = make_frames(config)
    droo = build(resolve(config), 5, np.random.SeedSequence(0))
    next(droo.agent.model.parameters()).data[:] = np.nan
    with pytest.raises(ArithmeticError, match="diverged"):
        list(play(droo, gains, {0: weights}, Table.empty(SCHEMA, 20, 5)))
    assert droo.agent.memory_counter == 0
