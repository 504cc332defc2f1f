"""Comparison with Stable-Baselines3: numbered decisions, equal frames, the study."""

import csv
import itertools
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray
from stable_baselines3.common.env_checker import check_env

from droo_core.extras import MissingExtraError
from env import DiscreteDecisions, QueueingMEC, WirelessPoweredMEC
from experiments import plot
from experiments.configs import (
    AlgorithmName,
    DROOConfig,
    LyDROOConfig,
    PlotConfig,
    RLBaselinesConfig,
    RunConfig,
)
from experiments.running.run import load
from experiments.running.run import run as run_experiment
from experiments.studies import rl_baselines
from experiments.studies.baseline_runs import Replay, played_by, quantities, task_of
from experiments.studies.model_free import Learning, Online, train

RUNS: dict[str, RunConfig] = {
    "droo": DROOConfig(num_devices=3, frames=60, seed=5),
    "lydroo": LyDROOConfig(num_devices=3, frames=60, seed=5),
}


def test_an_action_written_in_binary_is_the_decision() -> None:
    env = DiscreteDecisions(WirelessPoweredMEC(4))
    assert env.action_space == gymnasium.spaces.Discrete(16)
    for number, bits in enumerate(itertools.product((0, 1), repeat=4)):
        assert env.action(np.int64(number)).tolist() == list(bits)
    assert "".join(map(str, env.action(np.int64(6)))) == "0110"


@pytest.mark.parametrize("mec", [WirelessPoweredMEC, QueueingMEC])
def test_a_numbered_decision_earns_what_the_decision_earns(
    mec: type[WirelessPoweredMEC | QueueingMEC],
) -> None:
    plain, numbered = mec(4), DiscreteDecisions(mec(4))
    plain.reset(seed=2)
    numbered.reset(seed=2)
    for action, decision in ((0, [0, 0, 0, 0]), (8, [1, 0, 0, 0]), (13, [1, 1, 0, 1])):
        *expected, _ = plain.step(decision)
        *found, _ = numbered.step(np.int64(action))
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1:] == expected[1:]


@pytest.mark.filterwarnings("ignore::UserWarning:stable_baselines3")
@pytest.mark.parametrize("name", ["WPMEC-v0", "QueueingMEC-v0"])
def test_the_library_accepts_the_environments_with_numbered_decisions(name: str) -> None:
    check_env(DiscreteDecisions(gymnasium.make(name, num_devices=5)))


def test_the_wrapper_refuses_what_it_cannot_number() -> None:
    with pytest.raises(ValueError, match="at most 16 devices, for 2\\^N actions, got 17"):
        DiscreteDecisions(WirelessPoweredMEC(17))
    with pytest.raises(TypeError, match=r"action space MultiBinary\(N\), got Discrete\(2\)"):
        DiscreteDecisions(gymnasium.make("CartPole-v1"))
    env = DiscreteDecisions(WirelessPoweredMEC(2))
    for action in (-1, 4):
        with pytest.raises(ValueError, match="action must be in Discrete"):
            env.action(np.int64(action))


@pytest.mark.parametrize("name", RUNS)
def test_both_play_the_same_frames(name: str, tmp_path: Path) -> None:
    config = RUNS[name]
    folder = run_experiment(replace(config, results=tmp_path), progress=False, draw=False)
    saved = load(folder)
    task = task_of(config)
    again = played_by(Replay(saved["decision"]), task)  # in the environment that A2C gets
    assert again.keys() == quantities(saved).keys()
    for quantity, values in quantities(saved).items():
        np.testing.assert_allclose(again[quantity], values, rtol=1e-9)

    env: Any = task.problem
    options = task.options
    trained = train(Learning("a2c"), env, 60, 0, options)
    left = env.state
    env.reset(options=options)
    for decision in trained.decisions:
        env.step(decision)
    np.testing.assert_array_equal(env.state, left)


def test_a_frame_with_queues_pays_its_objective_over_their_worth() -> None:
    mec = QueueingMEC(3)
    env = Online(mec, by_worth=True)
    env.reset(seed=0, options={"data_queue": np.array([5.0, 10.0, 40.0])})
    (objective,) = mec.score([[0, 1, 1]])
    _, reward, *_ = env.step([0, 1, 1])
    assert reward == pytest.approx(objective / (55 + 20 * 4.0), rel=1e-12)
    assert env.decisions[0].tolist() == [0, 1, 1]


def study(results_folder: Path) -> Path:
    config = RLBaselinesConfig(
        scale="smoke",
        frames=60,
        seeds=(0,),
        num_devices=3,
        algorithms=("dqn",),
        jobs=1,
        results=results_folder,
    )
    return rl_baselines.run(config)


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return [
            {name: value for name, value in row.items() if name not in ("ms_per_frame", "second")}
            for row in csv.DictReader(lines)
        ]


@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn"])
def test_the_same_seed_decides_the_same(algorithm: AlgorithmName) -> None:
    def decisions(seed: int) -> NDArray[np.int64]:
        return train(Learning(algorithm), task_of(RUNS["droo"]).problem, 60, seed).decisions

    assert decisions(0).shape == (60, 3)
    np.testing.assert_array_equal(decisions(0), decisions(0))
    assert (decisions(0) != decisions(1)).any()


@pytest.mark.slow
def test_the_study_is_repeatable_and_its_figure_is_drawn_again(tmp_path: Path) -> None:
    folder, again = study(tmp_path / "once"), study(tmp_path / "again")
    for name in ("runs.csv", "curves.csv"):
        assert rows_of(folder / name) == rows_of(again / name)
    rows = rows_of(folder / "runs.csv")
    labels = ["DROO, LyDROO", "DQN"]
    assert [row["decides"] for row in rows] == labels * 2
    assert [row["problem"] for row in rows] == ["wpmec"] * 2 + ["queueing"] * 2
    assert all(0 < float(row["last_fifth"]) <= 1 + 1e-9 for row in rows)
    drawn = plot.draw(PlotConfig(runs=(folder,)), tmp_path / "drawn")
    assert {file.name for file in drawn} == {"rl_baselines.png", "rl_baselines.pdf"}
    assert drawn[0].read_bytes() == (folder / drawn[0].name).read_bytes()


def test_an_algorithm_learns(tmp_path: Path) -> None:
    config = DROOConfig(num_devices=2, frames=1000, seed=1, results=tmp_path)
    task = task_of(config)
    trained = train(Learning("a2c"), task.problem, 1000, 0)
    rate = played_by(Replay(trained.decisions), task)["rate"]
    assert rate[-200:].mean() > rate[:200].mean() + 0.02
    test = played_by(trained.decide, task_of(replace(config, seed=2, frames=200)))["rate"]
    assert test.mean() > rate[:200].mean() + 0.02


def test_dqn_is_refused_where_decisions_are_too_many() -> None:
    with pytest.raises(ValueError, match=r"at most 8 for dqn, got 9: .* --algorithms ppo a2c"):
        RLBaselinesConfig(num_devices=9)
    RLBaselinesConfig(num_devices=9, algorithms=("ppo", "a2c"))


@pytest.mark.parametrize(
    "wrong", [{"gamma": 1.0}, {"algorithms": ()}, {"problems": ("wpmec", "wpmec")}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RLBaselinesConfig(**wrong)


def test_a_missing_library_is_named_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"droo\[sb3\]\""):
        rl_baselines.run(RLBaselinesConfig(scale="smoke", results=tmp_path))
    assert not any(tmp_path.iterdir())
