import csv
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.io import savemat

from agent import DROO, MemoryDNN
from agent.losses import LOSSES
from agent.networks import POLICIES
from agent.quantization import MODES
from env import WirelessPoweredMEC, default_channel
from experiments import cli, sweep
from experiments.configs import DROOConfig, PlotConfig, QuantizerName, SweepConfig, resolve
from experiments.problems.wpmec.experiment import build
from experiments.problems.wpmec.frames import make_frames, split_frames
from experiments.problems.wpmec.schema import SCHEMA
from experiments.running.many import run_all
from experiments.running.run import load
from experiments.running.run import run as run_experiment
from experiments.runs import figures, provenance
from experiments.runs.folder import load_summary
from experiments.runs.summary import frames_to
from experiments.simulation import simulate
from tests.conftest import command, published, python_m

FILES = {
    "config.json",
    "frames.csv",
    "cost.csv",
    "summary.json",
    "checkpoint.safetensors",
    *(f"{name}.{suffix}" for name in SCHEMA.figures for suffix in ("png", "pdf")),
}


def small_config(tmp_path: Path, **settings: Any) -> DROOConfig:
    small: dict[str, Any] = {"num_devices": 5, "frames": 400, "hidden": (16, 8)}
    return DROOConfig(**small | settings, results=tmp_path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_experiment(small_config(tmp_path_factory.mktemp("results")), progress=False)


def test_a_run_folder_holds_everything(run: Path) -> None:
    assert {file.name for file in run.iterdir()} == FILES
    assert run.parent.name == "droo"
    config = json.loads((run / "config.json").read_text())
    assert config["config"]["hidden"] == [16, 8]
    assert config["seed"] == 0
    assert {"torch", "numpy", "python"} <= config["versions"].keys()
    assert "commit" in config


def test_the_frames_are_saved_one_by_one(run: Path) -> None:
    with (run / "frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == [str(t) for t in range(1, 401)]
    assert all(len(row["decision"]) == 5 for row in rows)
    for row in rows:
        ratio = float(row["rate"]) / float(row["optimal_rate"])
        assert float(row["normalized_rate"]) == ratio <= 1 + 1e-12
        assert int(row["best_candidate"]) < int(row["scored"])


def test_the_summary_follows_from_the_frames(run: Path) -> None:
    summary, history = load_summary(run), load(run)
    normalized = history["normalized_rate"]
    assert summary["normalized_rate_test"] == pytest.approx(sum(normalized[320:]) / 80, rel=1e-12)
    assert summary["optimal_decision_fraction_test"] == (normalized[320:] > 1 - 1e-9).mean()
    assert summary["mean_k"] == history["k"].mean()
    assert (summary["num_devices"], summary["frames"], summary["seed"]) == (5, 400, 0)
    assert summary["test_frames"] == 80
    assert 0 < summary["decision_us_p50"] < summary["decision_us_p99"]
    assert summary["microseconds_per_frame"] == pytest.approx(summary["seconds"] / 400 * 1e6)
    frames = np.arange(1, 401)
    trained = (frames % 10 == 0) | (history["best_candidate"] > 0)
    assert list(history.cost_frame) == list(frames[trained])
    assert summary["gradient_steps"] == trained.sum()
    assert summary["mean_scored"] == history["scored"].mean()
    own = history["best_candidate"] == 0
    assert summary["own_decision_fraction_test"] == own[320:].mean()
    assert (history["own_rate"][own] == history["rate"][own]).all()
    assert (history["own_rate"] <= history["rate"]).all()
    assert summary["own_normalized_rate_test"] == pytest.approx(
        (history["own_rate"] / history["optimal_rate"])[320:].mean()
    )
    assert summary["normalized_rate_first_200"] == pytest.approx(normalized[:200].mean())


def test_the_first_frame_whose_mean_reaches_a_level() -> None:
    rate = np.concatenate([np.zeros(100), np.ones(400)])
    assert frames_to(rate, 0.99) == 298
    assert frames_to(rate, 1.0) == 300
    assert frames_to(rate, 1.1) is None
    assert frames_to(np.ones(500), 1.0) == 200
    assert frames_to(np.ones(199), 1.0) is None


def test_the_same_seed_gives_the_same_files_in_another_process(run: Path, tmp_path: Path) -> None:
    arguments = ["--num-devices", "5", "--frames", "400", "--hidden", "16", "8", "--results"]
    done = command("experiments.droo", *arguments, tmp_path)
    assert done.returncode == 0, done.stderr
    (again,) = (tmp_path / "droo").iterdir()
    for name in ("frames.csv", "cost.csv", "checkpoint.safetensors"):
        assert (again / name).read_bytes() == (run / name).read_bytes()
    other = run_experiment(small_config(tmp_path, seed=1), progress=False, draw=False)
    assert (other / "frames.csv").read_bytes() != (run / "frames.csv").read_bytes()


def test_a_policy_that_wants_another_state_is_named() -> None:
    env = WirelessPoweredMEC(4)
    features = ("log_gain", "weight")
    agent = MemoryDNN([8, 8, 4], policy="equivariant", features=features, seed=0)
    with pytest.raises(ValueError, match=r"needs the features \(log_gain, weight\), .*gain"):
        next(simulate(DROO(agent), env, 1))


def test_a_preset_fills_in_what_is_not_given() -> None:
    best, published = resolve(DROOConfig()), resolve(DROOConfig(preset="published"))
    assert (best.policy, best.refine_every, best.learn_when_wrong) == ("equivariant", 32, True)
    assert (published.policy, published.features) == ("mlp", ("gain",))
    assert (published.hidden, published.refine_every) == ((120, 80), 0)
    assert not published.learn_when_wrong
    mixed = resolve(DROOConfig(preset="published", policy="attention", refine_every=8))
    assert (mixed.policy, mixed.refine_every, mixed.learn_when_wrong) == ("attention", 8, False)
    assert mixed.features == ("log_gain", "weight", "active")
    given = resolve(DROOConfig(policy="mlp", features=("log_gain",)))
    assert given.features == ("log_gain",)


def test_the_names_of_the_command_line_are_those_of_the_library() -> None:
    def choices(name: str) -> tuple[str, ...]:
        return get_args(get_type_hints(DROOConfig)[name])

    for policy in POLICIES:
        asked = cli._settings(DROOConfig, "droo", ["--policy", policy], "")
        assert resolve(asked).policy == policy
    assert get_args(QuantizerName) == MODES
    assert set(choices("loss")) == set(LOSSES) - {"categorical"}


def test_the_agent_of_the_published_preset_is_the_published_one() -> None:
    droo_ = build(resolve(DROOConfig(preset="published")), 10, np.random.SeedSequence(0))
    plain = MemoryDNN([10, 120, 80, 10], 0.01, 10, 128, 1024, seed=np.random.SeedSequence(0))
    state = np.ones(10)
    assert (droo_.agent.relaxed_decision(state) == plain.relaxed_decision(state)).all()
    assert (droo_.k, droo_.adapt_every, droo_.refine_every) == (10, 32, None)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_runs(policy: Any, tmp_path: Path) -> None:
    config = small_config(tmp_path, frames=60, policy=policy, hidden=None, correlation=0.9)
    own = load(run_experiment(config, progress=False, draw=False))["own_normalized_rate"]
    assert own[-20:].mean() > own[:20].mean() > 0.1


def test_no_run_overwrites_another(tmp_path: Path) -> None:
    config = small_config(tmp_path, frames=20)
    assert len({run_experiment(config, progress=False, draw=False) for _ in range(3)}) == 3


def test_a_failed_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(figures, "save_figures", fail)
    with pytest.raises(OSError, match="no space left"):
        run_experiment(small_config(tmp_path, frames=20), progress=False)
    assert list((tmp_path / "droo").iterdir()) == []


def test_a_run_without_a_training_step_is_saved_and_drawn(tmp_path: Path) -> None:
    run = run_experiment(small_config(tmp_path, frames=5, preset="published"), progress=False)
    assert {file.name for file in run.iterdir()} == FILES
    assert len(load(run).cost) == 0
    assert len(figures.save_figures({"a": load(run)}, tmp_path)) == 6


def test_a_frame_in_which_nothing_can_be_achieved_counts_as_solved(tmp_path: Path) -> None:
    savemat(tmp_path / "data.mat", {"input_h": np.zeros((10, 3))})
    config = DROOConfig(data=tmp_path / "data.mat", frames=10, results=tmp_path)
    run = run_experiment(config, progress=False)
    assert load_summary(run)["normalized_rate_test"] == 1


@pytest.mark.parametrize("quantizer", ["OP", "OPN", "KNN"])
def test_every_quantizer_runs(quantizer: str, tmp_path: Path) -> None:
    config = small_config(tmp_path, frames=100, quantizer=quantizer, correlation=0.9)
    run = run_experiment(config, progress=False, draw=False)
    assert load_summary(run)["normalized_rate_test"] > 0.8


def test_recorded_frames_are_split_as_published(tmp_path: Path) -> None:
    gains = default_channel(3).sample(np.random.default_rng(0), 100)
    savemat(tmp_path / "data.mat", {"input_h": gains})

    def frames(count: int) -> tuple[list[int], int]:
        config = DROOConfig(data=tmp_path / "data.mat", frames=count)
        used, test_frames = split_frames(make_frames(config)[0], config)
        return [int(np.flatnonzero((gains == gain).all(axis=1))[0]) for gain in used], test_frames

    assert frames(100) == (list(range(100)), 20)
    assert frames(50) == ([*range(40), *range(80, 90)], 10)
    # More frames than recorded: the training part again, then every test frame once.
    assert frames(200) == ([*range(80), *range(80), *range(20), *range(80, 100)], 20)


def test_a_run_that_exists_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_commit", lambda: "abc")
    configs = [small_config(tmp_path, frames=20, seed=seed) for seed in (0, 1)]

    def folders(configs: Sequence[DROOConfig]) -> list[Path]:
        return run_all(configs, jobs=1, draw=False)

    first = folders(configs)
    assert folders([*configs, replace(configs[0], seed=2)])[:2] == first
    assert len(list((tmp_path / "droo").iterdir())) == 3
    (first[0] / "config.json").write_text("damaged")
    assert folders(configs)[0] != first[0]
    monkeypatch.setattr(provenance, "_commit", lambda: "abc+changes")
    assert folders(configs[:1]) != first[:1]


def test_other_data_make_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_commit", lambda: "abc")
    config = DROOConfig(data=tmp_path / "data.npz", frames=20, hidden=(8,), results=tmp_path)
    runs = set()
    for seed in (0, 0, 1):
        gains = default_channel(3).sample(np.random.default_rng(seed), 20)
        np.savez(tmp_path / "data.npz", input_h=gains)
        runs |= set(run_all([config], jobs=1, draw=False))
    assert len(runs) == 2


def test_a_sweep_prints_each_seed_and_the_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"num_devices": 3, "frames": 300, "preset": "published", "results": tmp_path}
    sweep.main(SweepConfig(**settings, seeds=(3, 4), jobs=2))  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()[1:3]] == ["3", "4"]
    assert re.search(
        r"^rate \(test\) +0\.9\d+ \[0\.9\d+, 0\.9\d+\] +0\.9\d+ +0\.9\d+$", printed, re.MULTILINE
    )


def test_figures_are_drawn_again_and_overlaid(run: Path, tmp_path: Path) -> None:
    other = run_experiment(small_config(tmp_path, seed=1), progress=False, draw=False)
    done = python_m("experiments.plot", run, other, "--output", tmp_path / "figures")
    again = python_m("experiments.plot", run, run, "--labels", "a", "a", "--output", tmp_path)
    assert "labels must differ" in again.stderr
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(list((tmp_path / "figures").iterdir())) == 6
    assert all(file.stat().st_size > 5000 for file in (tmp_path / "figures").iterdir())
    for (panel,) in SCHEMA.figures.values():
        ax = Figure().subplots()
        assert figures.draw_panel({"a": load(run), "b": load(other)}, panel, ax) is ax
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]  # type: ignore[union-attr]


def test_the_rolling_statistics_use_what_there_is() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 0.0])
    assert figures.rolling(values, 3, np.nanmean).tolist() == pytest.approx([1, 1.5, 2, 3, 7 / 3])
    assert figures.rolling(values, 3, np.nanmin).tolist() == [1, 1, 1, 2, 0]
    assert figures.rolling(values, 3, np.nanmin, slice(0, None, 2)).tolist() == [1, 1, 0]


@pytest.mark.parametrize(("frames", "window"), [(1, 50), (3999, 50), (30_000, 50), (10**6, 50)])
def test_a_curve_is_drawn_at_many_frames_whose_windows_cover_all(frames: int, window: int) -> None:
    shown = np.arange(frames)[figures.frames_shown(frames, window)]
    assert shown[-1] == frames - 1
    assert len(shown) >= min(frames, figures.POINTS)
    assert np.diff(shown, prepend=-1).max() <= window


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "absent.mat"], "No such file or directory: 'absent.mat'"),
        (["--data", "README.md"], "README.md must end in .mat or .npz"),
        (["--frames", "0"], "frames must be at least 1, got 0"),
        (["--num-candidates", "0"], "num_candidates must be at least 1, got 0"),
        (["--seed", "-1"], "seed must be at least 0, got -1"),
        (["--learning-rate", "nan"], "learning_rate must be positive and finite, got nan"),
        (["--line-of-sight", "2"], "line_of_sight must be finite and in [0, 1]"),
        (["--data", "a.mat", "--correlation", "0.5"], "drop --data"),
        (["--quantizer", "XX"], "XX"),
    ],
)
def test_a_wrong_argument_gets_one_line(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["droo", "run", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    assert exit_info.value.code
    assert message in str(exit_info.value.code) + capsys.readouterr().err


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"is not a run folder: it has no frames.csv"):
        load(tmp_path)
    for name in ("frames.csv", "cost.csv"):
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match=r"frames.csv must have the columns rate, optimal_rate"):
        load(tmp_path)
    with pytest.raises(ValueError, match="runs must name at least one run folder"):
        PlotConfig(())


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 10))]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_published_frames_are_solved_with_published_settings(seed: int, tmp_path: Path) -> None:
    data = published("data/data_10.mat")
    config = DROOConfig(data=data, preset="published", results=tmp_path, seed=seed)
    summary = load_summary(run_experiment(config, progress=False, draw=False))
    assert summary["normalized_rate_test"] >= 0.9998
    assert summary["optimal_decision_fraction_test"] >= 0.96


@pytest.mark.parametrize("seed", SEEDS)
def test_the_published_frames_are_solved_from_the_first_on(seed: int, tmp_path: Path) -> None:
    config = DROOConfig(data=published("data/data_10.mat"), results=tmp_path, seed=seed)
    summary = load_summary(run_experiment(config, progress=False, draw=False))
    assert summary["frames_to_0_999"] == 200  # the first full window
    assert summary["normalized_rate_first_200"] >= 0.999
    assert summary["normalized_rate_test"] >= 0.99999
    # Refinement alone would reach that; what the policy has learned shows in these.
    assert summary["own_normalized_rate_test"] >= 0.9995
    assert summary["own_decision_fraction_test"] >= 0.9
    assert summary["mean_scored"] <= 5


@pytest.mark.parametrize("seed", SEEDS)
def test_thirty_devices_are_solved_from_the_first_frame_on(seed: int, tmp_path: Path) -> None:
    config = DROOConfig(num_devices=30, frames=2000, results=tmp_path, seed=seed)
    summary = load_summary(run_experiment(config, progress=False, draw=False))
    assert summary["frames_to_0_999"] <= 400
    assert summary["normalized_rate_first_200"] >= 0.999
    assert summary["normalized_rate_test"] >= 0.9999
    assert summary["own_normalized_rate_test"] >= 0.999
    assert summary["mean_scored"] <= 20


def test_a_policy_that_learns_nothing_leaves_the_work_to_refinement(tmp_path: Path) -> None:
    # The negative control of the two tests above.
    config = DROOConfig(num_devices=30, frames=500, learning_rate=1e-30, results=tmp_path)
    summary = load_summary(run_experiment(config, progress=False, draw=False))
    assert summary["normalized_rate_test"] >= 0.9999
    assert summary["own_normalized_rate_test"] < 0.95
    assert summary["own_decision_fraction_test"] == 0
    assert summary["mean_scored"] > 60
