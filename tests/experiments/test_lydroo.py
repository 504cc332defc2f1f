"""The LyDROO experiment, from settings to figures."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from agent import DROO
from env import QueueingCritic, QueueingFrame
from env.schemes import full_enumeration
from experiments import plot
from experiments.configs import LyDROOConfig, PlotConfig, SchemeName, resolve
from experiments.problems.queueing.schema import SCHEMA
from experiments.running.run import load
from experiments.running.run import run as run_experiment
from experiments.runs import figures, provenance
from experiments.runs.folder import find, load_summary, saved_runs
from experiments.runs.table import Table
from experiments.studies import largest_rate
from tests.conftest import published, python_m


def small(tmp_path: Path, **settings: Any) -> LyDROOConfig:
    return LyDROOConfig(**{"num_devices": 4, "frames": 200} | settings, results=tmp_path)


def played(tmp_path: Path, **settings: Any) -> Table:
    return load(run_experiment(small(tmp_path, **settings), progress=False, draw=False))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_experiment(small(tmp_path_factory.mktemp("results")), progress=False)


def test_a_run_folder_holds_everything(run: Path) -> None:
    assert {file.name for file in run.iterdir()} == {
        "config.json",
        "summary.json",
        "frames.csv",
        "cost.csv",
        "result.mat",
        "checkpoint.safetensors",
        "queues.png",
        "queues.pdf",
    }
    assert run.parent.name == "lydroo"
    droo = DROO.load(run / "checkpoint.safetensors")
    assert droo.agent.memory_counter == 200
    assert droo.refine_from_local


def test_the_result_file_has_the_published_variables(run: Path) -> None:
    ours = loadmat(run / "result.mat")
    path = published("data/lydroo_result_10.mat")
    theirs = loadmat(path)
    for name, value in theirs.items():
        if not name.startswith("__"):
            expected = (200, 4) if value.shape == (500, 10) else (1, 200)
            assert ours[name].shape == expected, name


def test_octave_reads_the_result_file(run: Path) -> None:
    octave = shutil.which("octave-cli")
    if octave is None:
        pytest.skip("needs octave-cli")
    script = (
        f"s = load('{run / 'result.mat'}'); printf('%.17g %d %d\\n', "
        "sum(s.data_queue(:)), size(s.off_mode)); "
        "printf('%.17g\\n', max(abs(s.rate(:) - s.data_rate(:)))); "
        "printf('%.17g\\n', s.objective(end));"
    )
    done = subprocess.run(
        [octave, "--norc", "--eval", script], capture_output=True, text=True, check=True
    )
    history = load(run)
    total, frames, devices, difference, last = map(float, done.stdout.split())
    assert total == pytest.approx(history["data_queue"].sum(), rel=1e-12)
    assert (frames, devices, difference) == (200, 4, 0)
    assert last == history["objective"][-1]


def test_queues_follow_from_what_was_done(run: Path) -> None:
    history = load(run)
    data = np.maximum(history["data_queue"] - history["rate"] + history["arrival"], 0)
    assert history["data_queue"][1:] == pytest.approx(data[:-1], abs=1e-12)
    energy = np.maximum(history["energy_queue"] + 1000 * (history["energy"] - 0.08), 0)
    assert history["energy_queue"][1:] == pytest.approx(energy[:-1], abs=1e-9)
    assert (history["energy_queue"][0] == 500).all()  # the reserve
    assert (history["data_queue"][0] == 0).all()


def test_the_optimum_is_that_of_the_states_that_the_run_came_through(run: Path) -> None:
    history = load(run)
    critic = QueueingCritic([1.5, 1.0, 1.5, 1.0])
    for t in range(1, 200, 20):
        frame = QueueingFrame(
            critic, history["gain"][t], history["data_queue"][t], history["energy_queue"][t]
        )
        best = frame.score(full_enumeration(frame)[None])[0]
        assert history["optimal_objective"][t] == pytest.approx(best, rel=1e-9)
        assert history["objective"][t] == pytest.approx(
            frame.score(history["decision"][t][None])[0], rel=1e-9
        )


@pytest.mark.parametrize("preset", ["best", "published"])
def test_the_same_seed_gives_the_same_run(tmp_path: Path, preset: str) -> None:
    first, again = played(tmp_path, preset=preset), played(tmp_path, preset=preset)
    other = played(tmp_path, preset=preset, seed=1)
    assert first.agent
    assert again.agent
    for name in (column.name for column in SCHEMA):
        assert (first[name] == again[name]).all(), name
    for one, same in zip(
        (first.cost_frame, first.cost, first.constants["weights"]),
        (again.cost_frame, again.cost, again.constants["weights"]),
        strict=True,
    ):
        assert (one == same).all()
    assert (first["gain"] != other["gain"]).any()
    assert (first["arrival"] != other["arrival"]).any()


def test_every_scheme_plays_the_same_frames(tmp_path: Path) -> None:
    runs = {scheme: played(tmp_path, scheme=scheme) for scheme in get_args(SchemeName)}
    for history in runs.values():
        assert (history["gain"] == runs["lydroo"]["gain"]).all()
        assert (history["arrival"] == runs["lydroo"]["arrival"]).all()
        assert history["normalized_objective"].max() <= 1 + 1e-9
    assert runs["exact"]["normalized_objective"].min() >= 1 - 1e-9
    assert runs["lycd"]["normalized_objective"].mean() > 0.99
    assert all(history.agent == (name == "lydroo") for name, history in runs.items())
    assert (runs["all-local"]["decision"] == 0).all()
    assert (runs["all-offloading"]["decision"] == 1).all()
    spent = runs["myopic"]["energy"].cumsum(axis=0)
    assert (spent <= 0.08 * np.arange(1, 201)[:, None] * (1 + 1e-12)).all()


def test_queues_are_stable_within_the_budgets_and_decisions_nearly_optimal(tmp_path: Path) -> None:
    config = LyDROOConfig(frames=3000, results=tmp_path)
    summary = load_summary(run_experiment(config, progress=False, draw=False))
    assert summary["stability"] == "stable"
    assert summary["largest_mean_energy"] <= 0.08
    assert summary["energy_budget_held"] == 1.0
    assert summary["peak_data_queue"] < 68  # the queue of the published runs after 6,000 frames
    assert summary["normalized_objective"] >= 0.999


def test_the_published_settings_learn_and_let_k_shrink(tmp_path: Path) -> None:
    config = LyDROOConfig(preset="published", results=tmp_path)
    history = load(run_experiment(config, progress=False, draw=False))
    config = resolve(config)
    assert (config.quantizer, config.hidden, config.training_interval) == ("OPN", (256, 128), 20)
    assert list(history.cost_frame[:3]) == [20, 40, 60]
    assert history.agent
    assert history["k"][0] == 10
    assert history["k"][-2000:].mean() < 7
    shortfall = 1 - history["normalized_objective"]
    assert shortfall[-2000:].mean() < 0.5 * shortfall[:2000].mean()


def test_a_published_run_can_be_replayed(tmp_path: Path) -> None:
    path = published("data/lydroo_result_10.mat")
    config = LyDROOConfig(data=path, energy_reserve=0.0, scheme="exact", results=tmp_path)
    history = load(run_experiment(config, progress=False, draw=False))
    theirs = loadmat(path)
    assert (history["gain"] == theirs["input_h"]).all()
    assert (history["arrival"] == theirs["data_arrival"]).all()
    assert history["data_queue"][-100:].mean() < theirs["data_queue"][-100:].mean()


def test_a_run_too_short_to_judge_warns(tmp_path: Path) -> None:
    done = python_m(
        "experiments.lydroo", "--frames", "60", "--num-devices", "3", "--results", tmp_path
    )
    assert done.returncode == 0
    assert "undecided" in done.stdout
    assert "WARNING: the run is too short to decide whether" in done.stderr
    crowded = ("--arrival-rate", "20", "--frames", "300", "--num-devices", "3")
    done = python_m("experiments.lydroo", *crowded, "--scheme", "exact", "--results", tmp_path)
    assert "WARNING: 3 data queues and" in done.stderr
    assert "energy queues grew throughout the last half of the run" in done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 10}, "frames must be at least 24, got 10"),
        ({"arrival_rate": np.nan}, "arrival_rate must be finite"),
        ({"arrival_rate": -1.0}, "arrival_rate must be finite and in"),
        ({"energy_reserve": -1.0}, "energy_reserve must be finite and in"),
        ({"energy_budget": 0.0}, r"energy_budget must be finite and in \(0, inf\]"),
        ({"tradeoff": -1.0}, r"tradeoff must be finite and in \[0, inf\]"),
        ({"weights": (1.0, 2.0), "num_devices": 3}, "weights must have one entry per device, 3"),
        ({"data": Path("x.mat"), "arrival_rate": 2.0}, "arrival_rate describes generated frames"),
        ({"features": ("height",)}, "features must be of gain,"),
        ({"num_candidates": 0}, "num_candidates must be at least 1"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_experiment(LyDROOConfig(**settings, results=tmp_path), progress=False)
    assert not any(tmp_path.iterdir())


def test_the_command_reports_wrong_settings_without_a_traceback(tmp_path: Path) -> None:
    done = python_m("experiments.lydroo", "--arrival-rate", "nan", "--results", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("python -m experiments.lydroo: error: arrival_rate must be")


def test_recordings_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "recorded.mat"
    savemat(file, {"input_h": np.ones((30, 2)), "data_arrival": np.ones((29, 2))})
    with pytest.raises(ValueError, match=r"data_arrival of .* must have shape \[30, 2\]"):
        run_experiment(LyDROOConfig(data=file, results=tmp_path), progress=False)
    savemat(file, {"input_h": np.ones((30, 2)), "data_arrival": np.ones((30, 2))})
    with pytest.raises(ValueError, match=r"frames must be at most 30 as in .*, got 31"):
        run_experiment(LyDROOConfig(data=file, frames=31, results=tmp_path), progress=False)
    with pytest.raises(ValueError, match=r"num_devices must be 2 as in .*, got 3"):
        run_experiment(LyDROOConfig(data=file, num_devices=3, results=tmp_path), progress=False)


def test_runs_are_drawn_over_one_another(run: Path, tmp_path: Path) -> None:
    exact = run_experiment(small(tmp_path, scheme="exact"), progress=False, draw=False)
    files = plot.draw(PlotConfig((run, exact), labels=("a", "b")), tmp_path / "figures")
    assert [file.name for file in files] == ["queues.png", "queues.pdf"]
    assert files[0].stat().st_size > 50_000


def test_the_energy_axis_includes_the_budget_even_above_all_energies(run: Path) -> None:
    figure = figures.draw_figure({"a": load(run)}, SCHEMA, "queues")
    (ax,) = (ax for ax in figure.axes if "dashed" in ax.get_title(loc="left"))
    budget = next(line for line in ax.lines if line.get_linestyle() == "--")
    assert list(budget.get_ydata()) == [0.08, 0.08]  # type: ignore[arg-type]
    low, high = ax.get_ylim()
    assert (low, high > 0.08) == (0, True)


def test_the_largest_stable_rate_lies_between_a_stable_and_an_unstable_one(tmp_path: Path) -> None:
    config = small(tmp_path, frames=600, scheme="exact")
    rate = largest_rate.largest_rate(config, 1.0, 30.0)
    assert largest_rate.is_stable(config, 0.9 * rate)
    assert not largest_rate.is_stable(config, 1.3 * rate)
    alone = largest_rate.largest_rate(replace(config, scheme="all-local"), 0.1, 30.0)
    assert alone < 0.8 * rate
    with pytest.raises(
        ValueError, match="low must be a rate at which all queues are stable, got 29"
    ):
        largest_rate.largest_rate(config, 29.0, 30.0)
    with pytest.raises(
        ValueError, match="high must be a rate at which some queue is unstable, got 0"
    ):
        largest_rate.largest_rate(config, 0.1, 0.2)


def test_the_settings_are_kept(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    assert config["config"]["tradeoff"] == 20.0
    assert config["config"]["features"] == ["log_price", "airtime", "ahead"]


def test_a_run_that_exists_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_commit", lambda: "0123abc")  # of a checkout without changes
    config = small(tmp_path, scheme="exact")
    folder = run_experiment(config, progress=False, draw=False)
    assert find(saved_runs(folder.parent), resolve(config)) == folder
    assert find(saved_runs(folder.parent), resolve(replace(config, seed=1))) is None


def test_a_damaged_run_is_named(run: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "run"
    shutil.copytree(run, damaged)
    saved = {name: value for name, value in loadmat(run / "result.mat").items() if name[0] != "_"}
    savemat(damaged / "result.mat", saved | {"data_queue": saved["data_queue"][:100]})
    with pytest.raises(ValueError, match=r"data_queue of .* must have shape \[200, 4\]"):
        load(damaged)
    savemat(damaged / "result.mat", saved | {"rate": np.full((200, 4), np.nan)})
    with pytest.raises(ValueError, match=r"rate of .* must be finite"):
        load(damaged)
    savemat(damaged / "result.mat", saved)
    frames = (run / "frames.csv").read_text()
    (damaged / "frames.csv").write_text(frames.replace("scored", "skored", 1))
    with pytest.raises(ValueError, match=r"frames.csv must have all of the columns own_objective"):
        load(damaged)
