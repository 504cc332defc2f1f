"""Folders written by an earlier version, in old/, are drawn, exported and loaded as by it."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat

from agent import DROO
from env import QueueingCritic, QueueingFrame
from experiments import export, plot
from experiments.configs import ExportConfig, PlotConfig
from experiments.running.run import load
from experiments.studies.catalogue import STUDIES

OLD = Path(__file__).parent / "old"
RUNS = {"best": "droo", "published": "droo", "queueing": "lydroo", "exact": "lydroo"}
PICTURES = {"droo": ["cost", "normalized_rate", "k"], "lydroo": ["queues"]}
STUDY_FOLDERS = sorted(folder.name for folder in (OLD / "studies").iterdir())
DECIDED = json.loads((OLD / "decided.json").read_text())


def columns_of(file: Path) -> dict[str, list[str]]:
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_loaded(name: str) -> None:
    folder = OLD / "runs" / name
    table, text = load(folder), columns_of(folder / "frames.csv")
    assert table.agent == (name != "exact")
    assert text.pop("frame") == [str(frame) for frame in range(1, 61)]
    assert ["".join(map(str, row)) for row in table["decision"]] == text.pop("decision")
    for column, values in text.items():
        found = table[column.removeprefix("mean_")]
        found = found.mean(axis=1) if column.startswith("mean_") else found
        assert (found == np.array(values, np.float64)).all(), column
    costs = columns_of(folder / "cost.csv") if name != "exact" else {"frame": [], "cost": []}
    assert table.cost_frame.tolist() == list(map(int, costs["frame"]))
    assert table.cost.tolist() == list(map(float, costs["cost"]))
    if RUNS[name] == "lydroo":
        mat = loadmat(folder / "result.mat")
        assert (table["gain"] == mat["input_h"]).all()
        assert (table["rate"] == mat["data_rate"]).all()
        assert (table["energy"] == mat["energy_consumption"]).all()
        critic = QueueingCritic(table.constants["weights"])
        queues = table["data_queue"][5], table["energy_queue"][5]
        frame = QueueingFrame(critic, table["gain"][5], *queues)
        (score,) = frame.score(table["decision"][5][None])
        assert table["objective"][5] == pytest.approx(score, rel=1e-9)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_drawn(name: str, tmp_path: Path) -> None:
    files = plot.draw(PlotConfig((OLD / "runs" / name,)), tmp_path)
    pictures = PICTURES[RUNS[name]]
    assert [file.name for file in files if file.suffix == ".png"] == [f"{p}.png" for p in pictures]
    assert all(file.stat().st_size > 5000 for file in files)


@pytest.mark.parametrize("names", [("best", "published"), ("queueing", "exact")])
def test_runs_are_drawn_over_one_another(names: tuple[str, str], tmp_path: Path) -> None:
    folders = tuple(OLD / "runs" / name for name in names)
    files = plot.draw(PlotConfig(folders, window=10), tmp_path)
    assert len(files) == 2 * len(PICTURES[RUNS[names[0]]])


def assert_same(ours: Any, theirs: Any, where: str) -> None:
    """Check that contents of .mat files are equal, including structs."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), where
        for name, value in theirs.items():
            assert_same(ours[name], value, f"{where}.{name}")
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=where)
        assert np.shape(ours) == np.shape(theirs), where


@pytest.mark.parametrize("name", ["best", "queueing"])
def test_a_mat_file_holds_what_the_old_version_put_there(name: str, tmp_path: Path) -> None:
    (file,) = export.export(ExportConfig(OLD / "runs" / name, "mat", tmp_path / "out"))
    for simplify in (True, False):  # True compares structs, False all dimensions
        ours, theirs = (
            loadmat(each, simplify_cells=simplify) for each in (file, OLD / f"exported/{name}.mat")
        )
        variables = {each for each in theirs if not each.startswith("__")}
        assert variables == {each for each in ours if not each.startswith("__")}
        for variable in variables:
            if simplify or theirs[variable].dtype.names is None:
                assert_same(ours[variable], theirs[variable], variable)


def test_csv_and_text_files_are_those_of_the_old_version(tmp_path: Path) -> None:
    _, frames = export.export(ExportConfig(OLD / "runs/best", "csv", tmp_path / "csv"))
    assert frames.read_bytes() == (OLD / "exported/best.csv").read_bytes()
    files = export.export(ExportConfig(OLD / "runs/best", "txt", tmp_path / "txt"))
    expected = sorted((OLD / "exported/best_txt").iterdir())
    assert [file.name for file in files] == [file.name for file in expected]
    for ours, theirs in zip(files, expected, strict=True):
        assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", ["queueing", "exact"])
def test_a_csv_file_of_a_run_with_queues_holds_the_published_variables(
    name: str, tmp_path: Path
) -> None:
    _, frames = export.export(ExportConfig(OLD / "runs" / name, "csv", tmp_path / "csv"))
    cells = np.genfromtxt(frames, delimiter=",", names=True)
    mat = loadmat(OLD / "runs" / name / "result.mat")
    for column, variable in (("data_queue", "data_queue"), ("decision", "off_mode")):
        of_devices = [cells[f"{column}_{device}"] for device in (1, 2, 3)]
        assert (np.stack(of_devices, axis=1) == mat[variable]).all()
    assert (cells["objective"] == mat["objective"][0]).all()


def test_there_is_a_study_of_each_kind() -> None:
    kinds = {type(STUDIES[name]).__name__ for name in STUDY_FOLDERS}
    assert kinds == {"CurveStudy", "AgainstStudy", "OwnStudy"}


@pytest.mark.parametrize("name", STUDY_FOLDERS)
def test_a_study_is_drawn_and_exported(name: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(OLD / "studies" / name, tmp_path / name))
    files = plot.draw(PlotConfig((folder,)), tmp_path / "figures")
    picture = "study" if name == "quantizers" else name
    assert [file.name for file in files] == [f"{picture}.png", f"{picture}.pdf"]
    assert files[0].stat().st_size > 20_000
    for file in export.export(ExportConfig(folder, "csv")):
        assert file.read_bytes() == (folder / file.name).read_bytes()
    (mat,) = export.export(ExportConfig(folder, "mat"))
    runs, saved = columns_of(folder / "runs.csv"), loadmat(mat, simplify_cells=True)["runs"]
    assert saved.keys() == runs.keys()
    numbers = [column for column in runs if np.asarray(saved[column]).dtype.kind == "f"]
    assert len(numbers) >= 2
    for column in numbers:
        expected = [float(value or "nan") for value in runs[column]]
        np.testing.assert_array_equal(np.atleast_1d(saved[column]), expected)


@pytest.mark.parametrize("name", DECIDED)
def test_a_checkpoint_is_loaded_and_its_agent_continues(name: str) -> None:
    told = DECIDED[name]
    droo = DROO.load(OLD / "runs" / name / "checkpoint.safetensors")
    agent = droo.agent
    assert (droo.k, agent.memory_counter, agent.updates) == (
        told["k"],
        told["rows"],
        told["updates"],
    )
    assert (list(agent.net), agent.policy) == (told["net"], told["policy"])
    state = np.linspace(0.2, 1.5, agent.net[0])
    assert agent.relaxed_decision(state) == pytest.approx(told["relaxed"], rel=1e-5)
    assert agent.decode(state, 3).tolist() == told["candidates"]
    agent.learn()  # on rows that the old version's generator would have drawn
    assert agent.cost_his[-1] == pytest.approx(told["loss_of_a_further_step"], rel=1e-5)
