"""A test of the architecture: a new problem consists of its own files and two lines elsewhere.

The files are those of `tests.experiments.toy`. The two lines are its name in `env.PROBLEMS` and its
registration in `experiments.problems.REGISTERED`; a study of it is one entry in a table.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.io import loadmat

import env
from env.schemes import coordinate_descent, full_enumeration
from experiments import export, plot, problems, studies
from experiments.commands import Command
from experiments.configs import ExportConfig, PlotConfig, StudyConfig
from experiments.consumers import event_log
from experiments.problems import Registration
from experiments.running.many import run_all, run_together
from experiments.running.run import load, run
from experiments.runs.files import read_csv
from experiments.runs.folder import load_summary
from experiments.simulation import simulate
from experiments.studies import catalogue
from experiments.studies.catalogue import CurveStudy
from tests.experiments import toy
from tests.experiments.toy.configs import ToyConfig
from tests.experiments.toy.environment import ToyMEC, best_decision

REGISTRATION = Registration(
    "tests.experiments.toy.configs:ToyConfig",
    "tests.experiments.toy.experiment:ToyExperiment",
    "tests.experiments.toy.command",
)
STUDY = CurveStudy(
    help="Does the learning rate matter?",
    title="Toy",
    settings={"0.01": {}, "0.001": {"learning_rate": 0.001}},
    experiment="toy",
    common={},
    curves=("normalized_total",),
)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(problems.REGISTERED, "toy", REGISTRATION)
    for table in (catalogue.CURVES, catalogue.STUDIES):
        monkeypatch.setitem(table, "toy_rates", STUDY)
    env.register(toy.PROBLEM)
    yield
    env.registry._registered.pop("toy")
    gymnasium.registry.pop("ToyMEC-v0")


def config(tmp_path: Path, **settings: Any) -> ToyConfig:
    return ToyConfig(**{"num_devices": 5, "frames": 300} | settings, results=tmp_path)


def test_the_problem_is_at_most_eight_files() -> None:
    assert len(list(Path(toy.__file__).parent.glob("*.py"))) <= 8


def test_both_checkers_accept_the_environment() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*maximum value is infinity.*")
        check_env(ToyMEC(5), skip_render_check=True)
    assert env.check_problem(ToyMEC(5)) is not None


def test_its_optimum_is_that_of_enumeration_and_generic_schemes_play_it() -> None:
    mec = ToyMEC(6)
    mec.reset(seed=0)
    for _ in range(50):
        scores = mec.score(np.array([best_decision(mec), full_enumeration(mec)]))
        assert scores[0] == pytest.approx(scores[1], rel=1e-12)
        mec.step(coordinate_descent(mec))


def test_the_vector_environment_is_many_single_ones() -> None:
    native = gymnasium.make_vec("ToyMEC-v0", 3, "vector_entry_point")
    single = gymnasium.make_vec("ToyMEC-v0", 3, "sync")
    for one, other in zip(native.reset(seed=0), single.reset(seed=0), strict=True):
        np.testing.assert_equal(one, other)
    rng = np.random.default_rng(0)
    for _ in range(30):
        actions = rng.integers(0, 2, (3, 10))
        for one, other in zip(native.step(actions), single.step(actions), strict=True):
            np.testing.assert_equal(one, other)


def test_a_run_leaves_files_figures_and_curves(tmp_path: Path) -> None:
    folder = run(config(tmp_path, tensorboard=True), progress=False)
    assert {file.name for file in folder.iterdir()} == {
        "config.json",
        "summary.json",
        "frames.csv",
        "cost.csv",
        "result.mat",
        "checkpoint.safetensors",
        "toy.png",
        "toy.pdf",
    }
    table = load(folder)
    assert table.schema.quantity == "total"
    assert table["share"].sum(axis=1) == pytest.approx(table["total"], rel=1e-12)
    assert table.normalized.max() <= 1 + 1e-12
    assert load_summary(folder)["normalized_total_test"] > 0.98
    assert "mean_share" in read_csv(folder / "frames.csv")
    assert any((tmp_path / "tensorboard").iterdir())
    assert event_log.LOGGED < 300


def test_a_run_is_drawn_again_and_exported(tmp_path: Path) -> None:
    folder = run(config(tmp_path), progress=False, draw=False)
    files = plot.draw(PlotConfig((folder,)), tmp_path / "figures")
    assert [file.name for file in files] == ["toy.png", "toy.pdf"]
    (mat,) = export.export(ExportConfig(folder, "mat"))
    assert (loadmat(mat)["share"] == load(folder)["share"]).all()
    frames = read_csv(
        next(f for f in export.export(ExportConfig(folder, "csv")) if "frames" in f.name)
    )
    assert {"share_1", "share_5", "decision_5", "normalized_total"} <= frames.keys()


def test_schemes_and_fleets_play_it(tmp_path: Path) -> None:
    rewards = [step.reward for step in simulate(best_decision, ToyMEC(5), 20, seed=0)]
    assert len(rewards) == 20
    settings = [config(tmp_path, seed=seed, preset="published") for seed in (0, 1)]
    together = run_together(settings, draw=False)
    alone = run_all(settings, jobs=1, draw=False)
    for one, other in zip(together, alone, strict=True):
        assert (load(one)["decision"] == load(other)["decision"]).mean() > 0.99


def test_a_study_of_it_is_one_entry(tmp_path: Path) -> None:
    settings = StudyConfig(scale="smoke", frames=60, results=tmp_path, jobs=1)
    folder = studies.run("toy_rates", settings)
    assert "1 - total" in (folder / "table.txt").read_text()
    assert (folder / "study.png").stat().st_size > 20_000
    assert studies.draw(folder, tmp_path / "again")


def test_its_command_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = Command(problems.load(REGISTRATION.config), REGISTRATION.script)
    assert command.help == "An agent learns the toy problem."
    command.carry_out(config(tmp_path, frames=60))
    assert "Sum over optimum" in capsys.readouterr().out
