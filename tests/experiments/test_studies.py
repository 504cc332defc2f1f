"""The studies at the scale smoke, and their parts."""

import csv
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from agent import DROO
from env import WirelessPoweredMEC, WPMECCritic, WPMECFrame, default_channel, default_weights
from env.schemes import certified_optimum, full_enumeration
from experiments import plot, studies
from experiments.commands import STUDIES
from experiments.configs import (
    DROOConfig,
    PlotConfig,
    SizesConfig,
    StudyConfig,
)
from experiments.problems.wpmec.frames import apply_scenario, make_frames
from experiments.running.run import load
from experiments.running.run import run as run_experiment
from experiments.runs import provenance, statistics
from experiments.studies import catalogue, comparison, transfer
from experiments.studies import figures as study_figures
from experiments.studies.catalogue import CURVES, REPRODUCED, CurveStudy
from tests.conftest import ROOT, command, python_m


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


# One or two of each kind: steady, with a scenario, over several N, with queues.
SOME = ("learning_rate", "on_off", "comparison")
SHORT = ("transfer", "queueing_policies", "tradeoff")  # no test asks what they learned

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def reproduce(run: Run, folder: Path, *arguments: str) -> dict[str, Path]:
    """Run `droo reproduce --scale smoke`; return each study's folder by its name."""
    done = run("experiments.reproduce", *arguments, "--scale", "smoke", "--results", folder)
    assert done.returncode == 0, done.stderr
    saved = [Path(path) for path in re.findall(r"^Saved in (.+)$", done.stdout, re.MULTILINE)]
    return {path.parent.name: path for path in saved}


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("results")
    some = reproduce(python_m, folder, *SOME, "--jobs", "1")
    return some | reproduce(python_m, folder, *SHORT, "--jobs", "1", "--frames", "100")


def test_a_study_leaves_its_files(reproduced: Mapping[str, Path]) -> None:
    assert tuple(reproduced) == SOME + SHORT
    check_files(reproduced)


@pytest.mark.slow
def test_every_study_is_reproduced(tmp_path: Path) -> None:
    every = reproduce(command, tmp_path)
    assert tuple(every) == REPRODUCED
    check_files(every)


def check_files(studies: Mapping[str, Path]) -> None:
    for name, folder in studies.items():
        files = {file.name for file in folder.iterdir()}
        picture = name if name not in CURVES or len(CURVES[name].curves) > 1 else "study"
        assert {"config.json", "runs.csv", "table.txt", f"{picture}.png", f"{picture}.pdf"} <= files
        assert json.loads((folder / "config.json").read_text())["config"]["scale"] == "smoke"
        assert (folder / f"{picture}.png").stat().st_size > 20_000


def test_every_study_is_a_command_that_the_page_on_studies_names() -> None:
    page = (ROOT / "docs/studies.md").read_text()
    for name in REPRODUCED:
        assert STUDIES[name].help
        assert f"`{name}`" in page


def test_a_study_saves_every_run_and_curve(reproduced: Mapping[str, Path]) -> None:
    runs = rows_of(reproduced["learning_rate"] / "runs.csv")
    labels = ["0.0003", "0.001", "0.003", "0.01", "0.03", "0.1"]
    assert [row["setting"] for row in runs] == [label for label in labels for _ in range(2)]
    assert [row["seed"] for row in runs] == ["0", "1"] * 6
    parent = reproduced["learning_rate"].parent.parent / "droo"
    for row in runs:
        history = load(parent / row["run"])
        test = history["normalized_rate"][320:]
        assert float(row["normalized_rate_test"]) == pytest.approx(test.mean(), rel=1e-12)
        config = json.loads((parent / row["run"] / "config.json").read_text())["config"]
        assert config["learning_rate"] == float(row["setting"])

    curves = rows_of(reproduced["learning_rate"] / "curves.csv")
    last = [row for row in curves if row["setting"] == "0.01"][-1]
    histories = [load(parent / row["run"]) for row in runs if row["setting"] == "0.01"]
    ends = [history["normalized_rate"][-200:].mean() for history in histories]
    assert last["frame"] == "400"
    assert float(last["mean"]) == pytest.approx(np.mean(ends), rel=1e-12)
    assert min(ends) - 1e-12 <= float(last["low"]) <= float(last["high"]) <= max(ends) + 1e-12


def test_no_scheme_is_above_the_certified_optimum(reproduced: Mapping[str, Path]) -> None:
    rows = rows_of(reproduced["comparison"] / "runs.csv")
    assert len(rows) == 2 * 2 * 9
    for row in rows:
        assert float(row["largest_normalized_rate"]) <= 1 + 1e-12
        assert float(row["normalized_rate"]) <= float(row["largest_normalized_rate"])
    by_scheme = {row["scheme"]: float(row["normalized_rate"]) for row in rows}
    assert by_scheme["Certified optimum"] >= 1 - 1e-9
    assert by_scheme["Coordinate descent"] >= by_scheme["DROO"] - 1e-12
    assert by_scheme["DROO"] > by_scheme["DROO, published settings"] > by_scheme["Random"]
    assert by_scheme["All offloading"] > by_scheme["All local"]


def test_the_comparison_uses_the_frames_of_the_run(tmp_path: Path) -> None:
    config = DROOConfig(num_devices=4, frames=100, seed=3, hidden=(8,), results=tmp_path)
    folder = run_experiment(config, progress=False, draw=False)
    rows = {row["scheme"]: row for row in comparison.compare_run(config, folder)}
    history = load(folder)
    assert rows["Certified optimum"]["rate"] == pytest.approx(history["optimal_rate"][-20:].mean())
    assert rows["DROO"]["rate"] == pytest.approx(history["rate"][-20:].mean(), rel=1e-12)


def test_a_policy_used_at_another_number_of_devices_learns_nothing_there(tmp_path: Path) -> None:
    config = DROOConfig(num_devices=4, frames=200, hidden=(8,), results=tmp_path)
    folder = run_experiment(config, progress=False, draw=False)
    row = transfer.use(config, folder, 6, transfer.bounds_of(config.seed, 6, 30))
    # The same by hand, with the optimum by enumeration.
    agent = DROO.load(folder / "checkpoint.safetensors").agent.for_devices(6)
    weights = default_weights(6)
    used = replace(config, num_devices=6, seed=config.seed + transfer.SEED_OFFSET, frames=30)
    best, own = [], []
    for gain in make_frames(used)[0]:
        frame = WPMECFrame(WPMECCritic(weights), gain)
        state = np.concatenate([np.log(gain * 1e6), weights, np.ones(6)])
        rates = frame.score(agent.decode(state, 6))
        optimal = frame.score(full_enumeration(frame)[None])[0]
        best.append(rates.max() / optimal)
        own.append(rates[0] / optimal)
    assert row["normalized_rate"] == pytest.approx(np.mean(best), rel=1e-9)
    assert row["own_normalized_rate"] == pytest.approx(np.mean(own), rel=1e-9)
    assert (row["trained"], row["used"], row["policy"]) == (4, 6, "equivariant")


def test_runs_are_shared_between_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(provenance, "_commit", lambda: "abc")
    config = StudyConfig(scale="smoke", frames=20, seeds=(0,), jobs=1, results=tmp_path)
    faster = {"learning_rate": 0.1}
    ones: dict[str, dict[str, Any]] = {"one": {"a": {}, "b": faster}, "two": {"c": faster}}
    for name, settings in ones.items():
        entry = CurveStudy("", name, settings, "droo")
        for table in (CURVES, catalogue.STUDIES):
            monkeypatch.setitem(table, name, entry)
        studies.carry_out(name, config)
    assert len(list((tmp_path / "droo").iterdir())) == 2
    assert "c  " in capsys.readouterr().out


def test_weights_are_swapped_and_swapped_back() -> None:
    gains, weights = np.ones((100, 4)), np.array([1.0, 1.5, 1.0, 2.0])
    same, weights_from = apply_scenario("alternating-weights", gains, weights)
    assert same is gains
    assert {at: new.tolist() for at, new in weights_from.items()} == {
        0: [1.0, 1.5, 1.0, 2.0],
        60: [2.0, 1.5, 2.0, 1.0],
        80: [1.0, 1.5, 1.0, 2.0],
    }
    default = default_weights(5)
    assert apply_scenario("alternating-weights", np.ones((100, 5)), default)[1][60].tolist() == [
        *(1.5, 1.0, 1.5, 1.0, 1.5)
    ]


def test_devices_switch_off_and_on_as_published() -> None:
    gains, weights_from = apply_scenario("on-off", np.ones((100, 10)), np.ones(10))
    active = gains.sum(axis=1)
    assert list(weights_from) == [0]
    changes = np.flatnonzero(np.diff(active)) + 1
    assert changes.tolist() == [60, 65, 70, 75, 80, 85, 90, 95]
    assert active[[0, *changes]].tolist() == [10, 9, 8, 7, 6, 7, 8, 10, 8]
    assert (gains[76] == [1] * 6 + [0] * 4).all()
    with pytest.raises(ValueError, match="num_devices must be at least 5 for on-off, got 4"):
        apply_scenario("on-off", np.ones((100, 4)), np.ones(4))


def test_a_run_follows_its_scenario(tmp_path: Path) -> None:
    config = DROOConfig(
        num_devices=6, frames=200, hidden=(8,), scenario="alternating-weights", results=tmp_path
    )
    history = load(run_experiment(config, progress=False, draw=False))
    for_channel, _ = np.random.SeedSequence(0).spawn(2)
    gains = default_channel(6).sample(np.random.default_rng(for_channel), 200)
    weights = default_weights(6)
    swapped = 2.5 - weights
    for t, used in ((119, weights), (120, swapped), (159, swapped), (160, weights)):
        frame = WPMECFrame(WPMECCritic(used), gains[t])
        assert history["rate"][t] == pytest.approx(frame.score(history["decision"][t][None])[0])
        assert history["optimal_rate"][t] == certified_optimum(frame).upper_bound


def test_the_weights_of_an_environment_change_from_the_coming_frame_on() -> None:
    env = WirelessPoweredMEC(2)
    env.reset(seed=0)
    env.weights = np.array([1.0, 4.0])
    frame = WPMECFrame(WPMECCritic([1.0, 4.0]), env.gain)
    assert env.score([[0, 1]])[0] == frame.score([[0, 1]])[0]
    assert env.weights.tolist() == [1.0, 4.0]
    with pytest.raises(ValueError, match=r"weights must have shape \[2\], got \[3\]"):
        env.weights = np.ones(3)
    with pytest.raises(ValueError, match="weights must be finite"):
        env.weights = np.zeros(2)


def test_intervals_cover_the_mean_they_are_for() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        mean, low, high = statistics.mean_and_interval(rng.normal(3, 1, 5))
        assert low < mean < high
        covered += low <= 3 <= high
    assert covered / 200 == pytest.approx(0.85, abs=0.06)  # as the docstring says
    assert statistics.mean_and_interval([[1.0, 2.0]]).tolist() == [[1, 2]] * 3
    assert statistics.mean_and_interval([2.0, 2.0]).tolist() == [2, 2, 2]
    assert statistics.interval_text([0.5, None, None]) == "never in 2 of 3"
    assert statistics.interval_text([2.5, 2.5]) == "2.5"


def test_study_figures_draw_on_the_axes_handed_in() -> None:
    ax, other = Figure().subplots(), Figure().subplots()
    curve = np.arange(1.0, 4.0), np.full((3, 3), 0.9)
    assert study_figures.draw_learning_curves({"a": curve}, [2], ax, "rate") is ax
    assert ax.get_ylabel() == "1 - normalized rate"
    ends = {"a": np.array([0.1, 0.2])}
    assert study_figures.draw_shortfalls(ends, other, "objective").get_xscale() == "log"
    assert other.get_xlabel() == "1 - normalized objective, test frames"
    assert study_figures.draw_against({"a": {5: [1.0, 2.0], 10: [3.0]}}, ax) is ax


def test_studies_are_drawn_again(reproduced: Mapping[str, Path], tmp_path: Path) -> None:
    for name in ("on_off", "comparison", "transfer"):
        output = tmp_path / name
        plot.main(PlotConfig((reproduced[name],), output=output))
        (picture,) = output.glob("*.png")
        assert picture.read_bytes() == (reproduced[name] / picture.name).read_bytes()
    with pytest.raises(ValueError, match="is a study: draw it alone, without labels and window"):
        plot.main(PlotConfig((reproduced["on_off"], reproduced["comparison"])))


def test_bad_arguments_are_named() -> None:
    unknown = python_m("experiments.reproduce", "nosuch")
    assert unknown.returncode != 0
    assert "nosuch" in unknown.stderr
    assert "quantizers" in unknown.stderr
    for frames in (0, -1):
        with pytest.raises(ValueError, match="frames must be at least 1"):
            StudyConfig(frames=frames)
    for devices in ((), (5, 5)):
        with pytest.raises(ValueError, match="num_devices must be distinct and at least one"):
            SizesConfig(num_devices=devices)
    for seeds in ((), (1, 1)):
        with pytest.raises(ValueError, match="seeds must be distinct and at least one"):
            StudyConfig(seeds=seeds)
    with pytest.raises(ValueError, match="num_devices must be at least 1"):
        SizesConfig(num_devices=(0,))
