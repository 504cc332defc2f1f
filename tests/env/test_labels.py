"""Labelled frames: `env.labels`, `droo dataset` and `droo check`."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from env import WPMECCritic, WPMECFrame, default_channel, default_weights
from env.datasets import Dataset, read_dataset, read_gains
from env.labels import check_labels, label
from env.schemes import full_enumeration
from env.wpmec.kernels import search
from experiments import check, cli, dataset
from experiments.configs import CheckConfig, DatasetConfig, DROOConfig
from experiments.problems.wpmec.frames import make_frames
from tests.conftest import published


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


def test_the_check_finds_changed_decisions_and_rates(labelled: Dataset) -> None:
    decision, rate = labelled.decision.copy(), labelled.computation_rate.copy()
    decision[3] ^= 1
    rate[5] *= 1.01
    spoilt = replace(labelled, decision=decision, computation_rate=rate)
    checked = check_labels(spoilt, WPMECCritic(default_weights(6)))
    assert np.flatnonzero(checked.shortfall > 1e-6).tolist() == [3]
    assert np.flatnonzero(checked.rate_error > 1e-6).tolist() == [3, 5]
    assert checked.rate_error[5] == pytest.approx(0.01, rel=1e-6)
    assert checked.doubt.max() <= 1.01e-10


def test_the_check_finds_infeasible_allocations(labelled: Dataset) -> None:
    critic = WPMECCritic(default_weights(6))
    assert check_labels(labelled, critic).allocation_error.max() <= 1e-12
    offload_time, energy_time = labelled.offload_time.copy(), labelled.energy_time.copy()
    busy = int(labelled.offload_time[7].argmax())
    offload_time[7, busy] *= 0.9
    energy_time[9] = min(energy_time[9] + 0.1, 1.0)
    spoilt = replace(labelled, offload_time=offload_time, energy_time=energy_time)
    wrong = np.flatnonzero(check_labels(spoilt, critic).allocation_error > 1e-3)
    assert wrong.tolist() == [7, 9]


def test_a_label_not_proven_in_time_is_doubtful_not_wrong() -> None:
    # Near-equal devices: local search finds the optimum at once, but its certificate takes long.
    rng = np.random.default_rng(0)
    critic = WPMECCritic(rng.uniform(0.99, 1.01, 40))
    hard = label(1e-5 * rng.uniform(0.99, 1.01, (1, 40)), critic, time_limit=0.0)
    checked = check_labels(hard, critic, time_limit=0.0)
    assert checked.shortfall.tolist() == [0]
    assert checked.doubt[0] > 1e-3


def test_labels_of_several_processes_are_the_same(labelled: Dataset) -> None:
    again = label(labelled.gain, WPMECCritic(default_weights(6)), jobs=2)
    for name, value in vars(again).items():
        assert (value == getattr(labelled, name)).all()


def test_another_number_of_devices_is_refused(labelled: Dataset) -> None:
    with pytest.raises(ValueError, match="dataset must have 5 devices, got 6"):
        check_labels(labelled, WPMECCritic(default_weights(5)))


def test_frames_without_gain_are_labelled() -> None:
    critic = WPMECCritic([1.0, 1.5])
    silent = label(np.zeros((2, 2)), critic)
    assert silent.computation_rate.tolist() == [0, 0]
    assert check_labels(silent, critic).shortfall.tolist() == [0, 0]


@pytest.mark.parametrize("suffix", [".mat", ".npz"])
def test_the_command_writes_what_its_config_says(suffix: str, tmp_path: Path) -> None:
    weights = (0.5, 1.0, 2.0, 0.7)
    config = DatasetConfig(
        output=tmp_path / f"data{suffix}", frames=600, weights=weights, correlation=0.9, jobs=2
    )
    dataset.main(config)
    written = read_dataset(config.output)
    assert written.gain.shape == (600, 4)
    assert (written.gain == make_frames(config)[0]).all()
    assert written.gap is not None
    assert 0 <= written.gap.max() <= config.gap
    assert tuple(written.weights) == weights  # type: ignore[arg-type]
    # A check and a run take the weights from the file.
    assert check.check_file(CheckConfig(data=config.output, jobs=1)).shortfall.max() <= 2e-9
    gains, used = make_frames(DROOConfig(data=config.output))
    assert (gains == written.gain).all()
    assert tuple(used) == weights


def test_recorded_gains_are_labelled(tmp_path: Path) -> None:
    gains = default_channel(3).sample(np.random.default_rng(0), 20)
    savemat(tmp_path / "gains.mat", {"input_h": gains})
    assert read_gains(tmp_path / "gains.mat")[1] is None
    config = DatasetConfig(output=tmp_path / "out.npz", data=tmp_path / "gains.mat", jobs=1)
    dataset.main(config)
    assert (read_dataset(config.output).gain == gains).all()
    with pytest.raises(FileExistsError, match=r"out\.npz exists: remove it or name another file"):
        dataset.main(config)
    first = replace(config, output=tmp_path / "first.npz", frames=5)
    assert len(dataset.make_dataset(first).gain) == 5
    with pytest.raises(ValueError, match="frames must be at most 20 as in"):
        dataset.make_dataset(replace(first, frames=21))


def test_the_published_labels_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    check.main(CheckConfig(data=published("data/data_10.mat"), jobs=2))
    printed = capsys.readouterr().out
    assert "decision is not optimal (by more than 3e-06): 15\n" in printed
    assert "not that of their decision (by more than 3e-06): 0\n" in printed
    assert "neither confirmed nor refuted within the time limit: 0\n" in printed
    assert "frame  19650: by 1.82e-03" in printed


def interrupted_plainly() -> None:
    raise KeyboardInterrupt


def interrupted_inside_a_kernel() -> None:
    inner = SystemError("_numba_unpickle returned a result with an exception set")
    inner.__cause__ = KeyboardInterrupt()
    raise SystemError("the kernel returned a result with an exception set") from inner


@pytest.mark.parametrize("interrupt", [interrupted_plainly, interrupted_inside_a_kernel])
def test_an_interrupted_command_leaves_no_file(
    interrupt: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "data.npz"
    frames_left = iter(range(50))

    branch_and_bound = search.branch_and_bound

    def solve(*arguments: Any) -> Any:
        if next(frames_left, None) is None:
            interrupt()
        return branch_and_bound(*arguments)

    monkeypatch.setattr(search, "branch_and_bound", solve)
    monkeypatch.setattr(
        sys, "argv", ["droo", "dataset", "--frames", "100", "--jobs", "1", f"{path}"]
    )
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    assert exit_info.value.code == 130
    assert "interrupted; unfinished results are not saved" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dataset", "absent/a.mat"], "there is no folder absent for a.mat"),
        (["dataset", "a.txt"], "a.txt must end in .mat or .npz"),
        (
            ["dataset", "a.mat", "--weights", "1", "--num-devices", "2"],
            "weights must have one entry per device, 2",
        ),
        (["dataset", "a.mat", "--weights", "1", "-1"], "weights must be finite and in (0, inf]"),
        (["dataset", "a.mat", "--gap", "0"], "gap must be finite and in [1e-12, 1]"),
        (["dataset", "a.mat", "--time-limit", "-1"], "time_limit must be finite and in [0, inf]"),
        (["dataset", "a.mat", "--frames", "0"], "frames must be at least 1, got 0"),
        (["dataset", "."], ". must end in .mat or .npz"),
        (["dataset", "a.mat", "--jobs", "0"], "jobs must be at least 1, or -1 for all cores"),
        (["check", "absent.mat"], "No such file or directory: 'absent.mat'"),
        (["check", "a.mat", "--tolerance", "nan"], "tolerance must be at least 0, got nan"),
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
    monkeypatch.setattr(sys, "argv", ["droo", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    assert message in str(exit_info.value.code) + capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
