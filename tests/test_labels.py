"""Labelled frames: `env.labels`, `droo dataset` and `droo check`."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from env import WPMECCritic, WPMECFrame, default_channel, default_weights
from env.datasets import Dataset, read_dataset, read_weights, write_dataset
from env.labels import check_labels, label
from env.schemes import full_enumeration
from experiments import check, cli, dataset
from experiments.configs import CheckConfig, DatasetConfig, DROOConfig
from experiments.frames import make_frames
from tests.conftest import ROOT, published


@pytest.fixture(scope="module")
def labelled() -> Dataset:
    gains = default_channel(6).sample(np.random.default_rng(0), 40)
    return label(gains, WPMECCritic(default_weights(6)))


def test_labels_are_optimal_and_their_allocation_earns_the_rate(labelled: Dataset) -> None:
    critic = WPMECCritic(default_weights(6))
    for t, gain in enumerate(labelled.gain):
        assert (labelled.decision[t] == full_enumeration(WPMECFrame(critic, gain))).all()
        allocation = critic.allocate(gain, labelled.decision[t])
        assert labelled.computation_rate[t] == allocation.computation_rate
        assert labelled.energy_time[t] == allocation.energy_time
        assert (labelled.offload_time[t] == allocation.offload_time).all()
    assert labelled.gap is not None
    assert labelled.gap.max() <= 1e-10
    assert labelled.weights is not None
    assert (labelled.weights == critic.weights).all()


def test_the_check_finds_what_was_spoilt(labelled: Dataset) -> None:
    decision, rate = labelled.decision.copy(), labelled.computation_rate.copy()
    decision[3] ^= 1
    rate[5] *= 1.01
    spoilt = replace(labelled, decision=decision, computation_rate=rate)
    checked = check_labels(spoilt, WPMECCritic(default_weights(6)))
    assert np.flatnonzero(checked.shortfall > 1e-6).tolist() == [3]
    assert np.flatnonzero(checked.rate_error > 1e-6).tolist() == [3, 5]
    assert checked.rate_error[5] == pytest.approx(0.01, rel=1e-6)


def test_frames_without_gain_are_labelled() -> None:
    critic = WPMECCritic([1.0, 1.5])
    silent = label(np.zeros((2, 2)), critic)
    assert silent.computation_rate.tolist() == [0, 0]
    assert check_labels(silent, critic).shortfall.tolist() == [0, 0]


def test_a_dataset_is_cut_and_joined(labelled: Dataset) -> None:
    parts = [labelled[:15], labelled[15:]]
    assert [len(part) for part in parts] == [15, 25]
    for name, value in vars(Dataset.join(parts)).items():
        assert (value == getattr(labelled, name)).all()


@pytest.mark.parametrize("suffix", [".mat", ".npz"])
def test_the_command_writes_what_its_config_says(suffix: str, tmp_path: Path) -> None:
    weights = (0.5, 1.0, 2.0, 0.7)
    config = DatasetConfig(
        output=tmp_path / f"data{suffix}", frames=600, weights=weights, correlation=0.9, jobs=2
    )
    dataset.main(config)
    written = read_dataset(config.output)
    assert written.gain.shape == (600, 4)
    assert (written.gain == make_frames(config, np.random.default_rng(0))[0]).all()
    assert written.gap is not None
    assert 0 <= written.gap.max() <= config.gap
    assert (read_weights(config.output) == weights).all()  # type: ignore[union-attr]
    # A check and a run take the weights from the file.
    assert check.check_file(CheckConfig(data=config.output, jobs=1)).shortfall.max() <= 2e-9
    gains, used = make_frames(DROOConfig(data=config.output), np.random.default_rng(1))
    assert (gains == written.gain).all()
    assert tuple(used) == weights


def test_recorded_gains_are_labelled(tmp_path: Path) -> None:
    gains = default_channel(3).sample(np.random.default_rng(0), 20)
    savemat(tmp_path / "gains.mat", {"input_h": gains})
    assert read_weights(tmp_path / "gains.mat") is None
    config = DatasetConfig(output=tmp_path / "out.npz", data=tmp_path / "gains.mat", jobs=1)
    dataset.main(config)
    assert (read_dataset(config.output).gain == gains).all()
    first = replace(config, frames=5)
    assert len(dataset.make_dataset(first)) == 5


def test_the_published_labels_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    check.main(CheckConfig(data=published("data/data_10.mat"), jobs=2))
    printed = capsys.readouterr().out
    assert "decision is not optimal (by more than 3e-06): 15\n" in printed
    assert "not what their decision earns (by more than 3e-06): 0\n" in printed
    assert "frame  19650: by 1.82e-03" in printed


def test_an_interrupted_command_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    write_dataset(path, label(np.full((1, 2), 1e-6), WPMECCritic([1.0, 1.0])))
    before = path.read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.dataset", "--frames", "1000000", "--jobs", "1", path],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(5)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "interrupted; what was not finished is not saved" in errors
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dataset", "absent/a.mat"], "there is no folder absent for a.mat"),
        (["dataset", "a.txt"], "a.txt must end in .mat or .npz"),
        (["dataset", "a.mat", "--weights", "1", "--num-devices", "2"], "as many as devices, 2"),
        (["dataset", "a.mat", "--weights", "1", "-1"], "weights must be finite and in (0, inf]"),
        (["dataset", "a.mat", "--gap", "0"], "gap must be finite and in [1e-12, 1]"),
        (["dataset", "a.mat", "--time-limit", "-1"], "time_limit must be finite and in [0, inf]"),
        (["dataset", "a.mat", "--frames", "0"], "frames must be at least 1, got 0"),
        (["check", "absent.mat"], "No such file or directory: 'absent.mat'"),
    ],
)
def test_a_wrong_argument_gets_one_line(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["droo", *arguments, "--jobs", "1"])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    assert message in str(exit_info.value.code) + capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
