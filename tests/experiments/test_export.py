import csv
import json
import re
import shutil
import string
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from env.datasets import read_gains, read_recording
from experiments import cli, export
from experiments.configs import (
    DROOConfig,
    ExportConfig,
    LyDROOConfig,
    RunConfig,
    ScaledConfig,
    StudyConfig,
    resolve,
)
from experiments.problems.wpmec.experiment import WPMECExperiment, WPMECTask
from experiments.running.run import load
from experiments.running.run import run as run_experiment
from experiments.runs.folder import load_config, load_summary
from experiments.runs.matlab import write_mat
from experiments.studies import against, curves
from experiments.studies import folder as study_folder
from experiments.studies.catalogue import AGAINST, CurveStudy
from tests.conftest import ROOT

FRAMES, DEVICES = 60, 3


def small(tmp_path: Path, **settings: Any) -> DROOConfig:
    chosen: dict[str, Any] = {"num_devices": DEVICES, "frames": FRAMES} | settings
    return DROOConfig(**chosen, results=tmp_path)


def played(config: RunConfig) -> Path:
    return run_experiment(config, progress=False, draw=False)


def task_of(config: DROOConfig) -> WPMECTask:
    return WPMECExperiment().prepare(resolve(config))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> DROOConfig:
    return small(tmp_path_factory.mktemp("results"), scenario="alternating-weights")


@pytest.fixture(scope="module")
def run(config: DROOConfig) -> Path:
    return played(config)


@pytest.fixture(scope="module")
def queueing_run(config: DROOConfig) -> Path:
    settings = LyDROOConfig(num_devices=DEVICES, frames=FRAMES, results=config.results)
    return played(settings)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    rows = [
        {"setting": "a, b", "seed": 0, "frames_to_0_99": None, "rate": 0.1},
        {"setting": "c", "seed": 1, "frames_to_0_99": 200, "rate": 1e-30},
    ]
    settings = ScaledConfig(results=tmp_path)
    return study_folder.publish("memory_size", settings, {"config": {}}, rows, "", lambda *_: ())


def exported(folder: Path, form: Any, output: Path | None = None) -> list[Path]:
    return export.export(ExportConfig(folder, form, output))


def copied(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


def octave(script: str) -> str:
    found = shutil.which("octave-cli")
    if found is None:
        pytest.skip("needs octave-cli")
    script = f"addpath('{ROOT / 'examples'}'); {script}"
    done = subprocess.run(
        [found, "--norc", "--eval", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_mat_file_holds_the_run_exactly(run: Path, config: DROOConfig, tmp_path: Path) -> None:
    (file,) = exported(run, "mat", tmp_path / "out")
    assert file == tmp_path / "out" / "data.mat"
    mat, history = loadmat(file), load(run)
    for name in ("rate", "own_rate", "optimal_rate", "normalized_rate", "k", "best_candidate"):
        assert mat[name].shape == (FRAMES, 1)
        assert mat[name].dtype == np.float64
        assert (mat[name][:, 0] == history[name]).all(), name
    assert mat["decision"].dtype == np.uint8
    assert (mat["decision"] == history["decision"]).all()
    assert (mat["cost_frame"][:, 0] == history.cost_frame).all()
    assert (mat["cost"][:, 0] == history.cost).all()
    task = task_of(config)
    assert (mat["input_h"] == task.gains).all()
    for first, weights in task.weights_from.items():
        assert (mat["frame_weights"][first] == weights).all()
    assert (np.diff(mat["frame_weights"], axis=0) != 0).any(axis=1).sum() == 2
    assert (mat["weights"] == task.weights_from[0]).all()


def test_settings_and_summary_become_structs(run: Path, tmp_path: Path) -> None:
    (file,) = exported(run, "mat", tmp_path / "out")
    mat = loadmat(file, struct_as_record=False)
    summary, config = mat["summary"][0, 0], mat["config"][0, 0]
    for name, value in load_summary(run).items():
        found = getattr(summary, name)
        assert found.size == 0 if value is None else found == value, name
    assert config.scenario == ["alternating-weights"]
    assert config.data.shape == (0, 0)
    assert config.hidden.tolist() == [[32, 32]]
    assert [text[0] for text in config.features[0]] == ["log_gain", "weight", "active"]
    assert mat["provenance"][0, 0].versions[0, 0].numpy == [np.__version__]


def test_a_mat_file_of_a_run_with_queues_holds_the_published_variables_and_the_rest(
    queueing_run: Path, tmp_path: Path
) -> None:
    (file,) = exported(queueing_run, "mat", tmp_path / "out")
    mat, history = loadmat(file), load(queueing_run)
    for name, value in loadmat(queueing_run / "result.mat").items():
        if not name.startswith("_"):
            assert mat[name].dtype == value.dtype
            assert np.array_equal(mat[name], value), name
    assert history.agent
    for name in ("own_objective", "k", "best_candidate", "scored"):
        assert (mat[name][:, 0] == history[name]).all(), name
    assert (mat["normalized_objective"][:, 0] == history["normalized_objective"]).all()
    gains, arrivals, weights = read_recording(file)  # so that --data replays it
    assert (gains == history["gain"]).all()
    assert (arrivals == history["arrival"]).all()
    assert weights is not None
    assert (weights == history.constants["weights"]).all()


def test_text_files_are_those_of_the_published_scripts(run: Path, tmp_path: Path) -> None:
    files = {file.name: file for file in exported(run, "txt", tmp_path / "out")}
    history = load(run)
    saved = {  # by main.py of the published code, in its words
        "k_idx_his.txt": history["best_candidate"],
        "K_his.txt": history["k"],
        "cost_his.txt": history.cost,
        "rate_his_ratio.txt": history["normalized_rate"],
        "mode_his.txt": history["decision"],
    }
    assert files.keys() == saved.keys()
    for name, values in saved.items():
        assert files[name].read_text() == "".join("%s \n" % value for value in values)  # noqa: UP031
        if name != "mode_his.txt":
            assert (np.loadtxt(files[name]) == values).all()


def test_a_csv_file_has_numbers_of_one_kind_in_every_column(run: Path, tmp_path: Path) -> None:
    cost, frames = exported(run, "csv", tmp_path / "out")
    table = np.genfromtxt(frames, delimiter=",", names=True, dtype=None)
    history = load(run)
    assert (table["frame"] == np.arange(1, FRAMES + 1)).all()
    assert (table["rate"] == history["rate"]).all()
    for device in range(DEVICES):
        assert (table[f"decision_{device + 1}"] == history["decision"][:, device]).all()
    assert {table[name].dtype.kind for name in table.dtype.names or ()} == {"i", "f"}
    gains = np.stack([table[f"gain_{device + 1}"] for device in range(DEVICES)], axis=1)
    assert (gains == task_of(small(tmp_path)).gains).all()
    steps = np.genfromtxt(cost, delimiter=",", names=True, dtype=None)
    assert (steps["frame"] == history.cost_frame).all()
    assert (steps["cost"] == history.cost).all()


def test_a_csv_file_of_a_run_with_queues_has_a_column_of_each_device(
    queueing_run: Path, tmp_path: Path
) -> None:
    _, frames = exported(queueing_run, "csv", tmp_path / "out")
    table = np.genfromtxt(frames, delimiter=",", names=True, dtype=None)
    history = load(queueing_run)
    for name in ("gain", "arrival", "data_queue", "energy_queue", "decision", "rate", "energy"):
        columns = [table[f"{name}_{device + 1}"] for device in range(DEVICES)]
        assert (np.stack(columns, axis=1) == history[name]).all(), name
    assert (table["optimal_objective"] == history["optimal_objective"]).all()


def test_a_scheme_that_does_not_learn_is_exported(tmp_path: Path) -> None:
    settings = LyDROOConfig(num_devices=2, frames=30, scheme="all-local", results=tmp_path)
    run = played(settings)
    mat = loadmat(exported(run, "mat")[0])
    assert "k" not in mat
    assert mat["cost"].size == 0
    header, *rows = csv.reader(exported(run, "csv")[1].read_text().splitlines())
    assert len(rows) == 30
    assert "k" not in header
    assert "" not in {cell for row in rows for cell in row}


def test_a_study_is_exported(study: Path, tmp_path: Path) -> None:
    mat = loadmat(exported(study, "mat", tmp_path / "mat")[0], simplify_cells=True)
    assert mat["runs"]["setting"].tolist() == ["a, b", "c"]
    np.testing.assert_array_equal(mat["runs"]["frames_to_0_99"], [np.nan, 200])
    assert mat["runs"]["rate"].tolist() == [0.1, 1e-30]
    assert mat["provenance"]["study"]["name"] == "memory_size"
    (runs,) = exported(study, "csv", tmp_path / "csv")
    assert runs.read_text() == (study / "runs.csv").read_text()
    with pytest.raises(ValueError, match=r"txt needs a run of droo, .* export .* as mat or csv"):
        exported(study, "txt")


def names_in(value: object) -> list[str]:
    """Return the names in mappings within mappings."""
    if not isinstance(value, Mapping):
        return []
    return [*value, *(name for entry in value.values() for name in names_in(entry))]


def test_every_name_is_valid_in_matlab_as_it_stands(
    run: Path, queueing_run: Path, tmp_path: Path
) -> None:
    scaled: dict[str, Any] = {"scale": "smoke", "frames": 30, "seeds": (0,), "jobs": 1}
    one = CurveStudy("", "One", {"the label, 1 %": {}}, "droo")
    of_droo = curves.run("one", one, StudyConfig(**scaled, results=tmp_path))
    other = replace(AGAINST["energy_budget"], smoke=(0.08,), labels={"LyDROO": {}})
    of_queues = against.run("energy_budget", other, ScaledConfig(**scaled, results=tmp_path))
    contents = [
        *map(export.of_run, (run, queueing_run)),
        *map(export.of_study, (of_droo, of_queues)),
    ]
    for content in contents:
        names = names_in(content.variables)
        assert len(names) > 40
        assert all(re.fullmatch(r"[A-Za-z]\w{0,62}", name, re.ASCII) for name in names)
        assert not {"end", "function", "otherwise", "parfor", "switch"} & set(names)


finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(string.ascii_letters + " 1,'", min_size=1).filter(lambda text: text.strip() == text)


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=5), finite | st.booleans() | texts, min_size=1
    )
)
def test_a_mapping_comes_back_from_a_file(values: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_mat(Path(folder, "a.mat"), {"struct": values})
        assert loadmat(Path(folder, "a.mat"), simplify_cells=True)["struct"] == values


def test_a_number_that_double_precision_would_round_is_text(tmp_path: Path) -> None:
    write_mat(tmp_path / "a.mat", {"exact": 2**53, "seed": 2**53 + 1, "longer": 10**400})
    saved = loadmat(tmp_path / "a.mat", simplify_cells=True)
    assert saved["exact"] == 2.0**53
    assert saved["seed"] == "9007199254740993"
    assert int(saved["longer"]) == 10**400


def test_nothing_is_overwritten(run: Path, tmp_path: Path) -> None:
    taken = copied(run, tmp_path)
    (mine,) = exported(taken, "mat")
    assert mine == taken / "mat" / "data.mat"
    with pytest.raises(FileExistsError, match=r"mat exists: remove it or name another --output"):
        exported(taken, "mat")
    file = tmp_path / "notes"
    file.write_text("mine")
    with pytest.raises(FileExistsError, match="notes exists: remove it or name another --output"):
        exported(taken, "csv", file)
    assert file.read_text() == "mine"


def test_nothing_is_left_of_an_export_that_fails(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(content: export.Content, folder: Path) -> None:
        export.write_mat_file(content, folder)
        raise OSError("no space left")

    monkeypatch.setattr(export, "WRITERS", {"mat": fail})
    with pytest.raises(OSError, match="no space left"):
        exported(run, "mat", tmp_path / "out")
    assert not any(tmp_path.iterdir())


def cut_short(run: Path) -> None:
    lines = (run / "frames.csv").read_text().splitlines(keepends=True)
    (run / "frames.csv").write_text("".join(lines[:-10]))


def shorter_than_counted(run: Path) -> None:
    cut_short(run)
    (run / "cost.csv").write_text("frame,cost\n")


def with_another_place(run: Path) -> None:
    text = (run / "frames.csv").read_text()
    (run / "frames.csv").write_text(text[:-2] + "7\n")


def with_a_long_cell(run: Path) -> None:
    with (run / "frames.csv").open("a") as file:
        file.write("1" * 200_000 + "\n")


def with_a_long_header(run: Path) -> None:
    (run / "frames.csv").write_text("1" * 200_000 + "\n")


def without_settings(run: Path) -> None:
    (run / "config.json").write_text("{}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_short, "is damaged: .*cost.csv has frame 60, frames.csv holds 1 to 50"),
        (shorter_than_counted, "is damaged: summary.json counts 60 frames, frames.csv holds 50"),
        (without_settings, "config.json must hold the settings under config"),
        (with_another_place, "must have one or more decisions such as 0110"),
        (with_a_long_cell, "frames.csv is damaged: field larger"),
        (with_a_long_header, "frames.csv is damaged: field larger"),
        (lambda run: (run / "config.json").write_text("[]"), "config.json must hold an object"),
        (lambda run: (run / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda run: (run / "summary.json").write_text("[]"), "must hold an object, got list"),
        (lambda run: (run / "summary.json").unlink(), "No such file .*summary.json"),
        (lambda run: (run / "frames.csv").write_text("frame\n1\n"), "must have the columns rate"),
        (lambda run: (run / "frames.csv").unlink(), "is not a run folder: it has no frames.csv"),
    ],
)
def test_the_command_reports_a_damaged_run(
    damage: Any,
    message: str,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damaged = copied(run, tmp_path)
    damage(damaged)
    monkeypatch.setattr(sys, "argv", ["droo", "export", str(damaged), "--format", "mat"])
    with pytest.raises(SystemExit, match=message) as stop:
        cli.main()
    assert str(stop.value).startswith("droo: error: ")
    assert not (damaged / "mat").exists()


def test_an_unknown_format_and_a_run_with_queues_as_text_are_refused(
    queueing_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["droo", "export", str(queueing_run), "--format", "xls"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "invalid choice 'xls'" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", [*sys.argv[:-1], "txt"])
    with pytest.raises(SystemExit, match=r"export .*lydroo.* as mat or csv"):
        cli.main()


def test_recorded_frames_are_exported_only_while_their_file_is_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "frames.mat"
    gains = np.random.default_rng(0).exponential(1e-6, (100, DEVICES))
    savemat(file, {"input_h": gains})
    run = played(small(tmp_path, data=file))
    mat = loadmat(exported(run, "mat", tmp_path / "a")[0])
    assert (mat["input_h"] == np.concatenate([gains[:48], gains[80:92]])).all()
    savemat(file, {"input_h": gains[::-1]})
    assert "input_h" not in loadmat(exported(run, "mat", tmp_path / "b")[0])
    assert "frames.mat has changed since the run" in capsys.readouterr().err
    file.unlink()
    mat = loadmat(exported(run, "mat", tmp_path / "c")[0])
    assert "input_h" not in mat
    assert (mat["rate"][:, 0] == load(run)["rate"]).all()
    assert "No such file" in capsys.readouterr().err


def test_frames_that_do_not_earn_the_rates_are_left_out(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = copied(run, tmp_path)
    came_from = load_config(other)
    came_from["config"]["seed"] = 1
    (other / "config.json").write_text(json.dumps(came_from))
    _, frames = exported(other, "csv")
    assert "gain_1" not in frames.read_text()
    assert "the run's decisions do not yield its rates" in capsys.readouterr().err


def test_octave_reads_an_exported_run(run: Path, queueing_run: Path, tmp_path: Path) -> None:
    one, two = (
        exported(run, "mat", tmp_path / "a")[0],
        exported(queueing_run, "mat", tmp_path / "b")[0],
    )
    out = octave(
        f"r = load('{one}'); printf('%.17g\\n', r.rate(end), r.summary.mean_k, r.decision(1, :));"
        f"printf('%s ', class(r.decision), r.config.scenario, r.config.features{{:}});"
        f"r = load('{two}'); printf('\\n%.17g', r.data_queue(end, 1), size(r.objective));"
    ).split()
    history, with_queues = load(run), load(queueing_run)
    assert float(out[0]) == history["rate"][-1]
    assert float(out[1]) == load_summary(run)["mean_k"]
    assert [int(bit) for bit in out[2:5]] == history["decision"][0].tolist()
    assert out[5:10] == ["uint8", "alternating-weights", "log_gain", "weight", "active"]
    assert float(out[10]) == with_queues["data_queue"][-1, 0]
    assert out[11:] == ["1", str(FRAMES)]


def test_octave_draws_exported_runs(run: Path, queueing_run: Path, tmp_path: Path) -> None:
    if octave("printf('%d', numel(available_graphics_toolkits()));") == "0":
        pytest.skip("needs a graphics toolkit for octave-cli, as gnuplot")
    if shutil.which("gs") is None:
        pytest.skip("needs ghostscript, with which octave-cli makes a .png")
    files = [
        exported(run, "mat", tmp_path / "a")[0],
        exported(queueing_run, "mat", tmp_path / "b")[0],
    ]
    files.append(queueing_run / "result.mat")
    pictures = [tmp_path / f"{number}.png" for number in range(3)]
    octave(
        "".join(
            f"plot_run('{file}', '{picture}');"
            for file, picture in zip(files, pictures, strict=True)
        )
    )
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size > 10_000


def test_frames_made_in_octave_are_played_and_its_other_formats_refused(tmp_path: Path) -> None:
    names = ("frames", "queues", "text", "hdf5")
    frames, queues, text, hdf5 = (tmp_path / f"{name}.mat" for name in names)
    octave(
        f"make_dataset('{frames}', 'wpmec', 50, 4); make_dataset('{queues}', 'queues', 50, 4);"
        f"input_h = ones(2, 3); save('{text}', 'input_h'); save('-hdf5', '{hdf5}', 'input_h');"
    )
    run = played(replace(small(tmp_path, num_devices=4), data=frames))
    assert load_summary(run)["normalized_rate_test"] > 0.9
    gains, weights = read_gains(frames)
    assert gains.shape == (50, 4)
    assert weights is not None
    assert weights.tolist() == [1, 1.5, 1, 1.5]
    settings = LyDROOConfig(data=queues, scheme="exact", results=tmp_path)
    history = load(played(settings))
    assert history["arrival"].mean() == pytest.approx(3, rel=0.3)
    assert history.constants["weights"].tolist() == [1.5, 1, 1.5, 1]
    for file in (text, hdf5):
        with pytest.raises(ValueError, match=r"cannot be read, .* saved without the option -v7"):
            read_gains(file)


def test_a_file_of_matlab_7_3_is_refused(tmp_path: Path) -> None:
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    (tmp_path / "a.mat").write_bytes(header.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"a.mat is of MATLAB 7.3: save it with the option -v7"):
        read_gains(tmp_path / "a.mat")
