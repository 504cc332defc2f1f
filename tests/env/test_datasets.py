from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from scipy.sparse import csc_matrix

from env import WPMECCritic, default_channel, default_weights
from env.datasets import Dataset, read_dataset, read_gains, write_dataset
from tests.conftest import published


def small_dataset() -> Dataset:
    rng = np.random.default_rng(0)
    gain = default_channel(4).sample(rng, 5)
    decision = rng.integers(0, 2, (5, 4))
    critic = WPMECCritic(default_weights(4))
    allocations = [critic.allocate(h, x) for h, x in zip(gain, decision, strict=True)]
    return Dataset(
        gain,
        decision,
        np.array([allocation.energy_time for allocation in allocations]),
        np.array([allocation.offload_time for allocation in allocations]),
        np.array([allocation.computation_rate for allocation in allocations]),
    )


@pytest.mark.parametrize("suffix", [".mat", ".npz"])
@pytest.mark.parametrize(
    "more", [{"gap": np.arange(5) * 1e-9, "weights": np.arange(1.0, 5.0)}, {"gap": None}]
)
def test_a_written_dataset_is_read_back(suffix: str, more: dict[str, Any], tmp_path: Path) -> None:
    dataset = replace(small_dataset(), **more)
    write_dataset(tmp_path / f"data{suffix}", dataset)
    again = read_dataset(tmp_path / f"data{suffix}")
    for field in fields(Dataset):
        assert np.array_equal(getattr(again, field.name), getattr(dataset, field.name))
    assert (read_gains(tmp_path / f"data{suffix}")[0] == dataset.gain).all()
    assert len(list(tmp_path.iterdir())) == 1


def test_the_published_layout_is_written(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data.mat", small_dataset())
    ours, theirs = loadmat(tmp_path / "data.mat"), loadmat(published("data/data_10.mat"))
    for name in theirs:
        if not name.startswith("_"):
            assert ours[name].dtype == theirs[name].dtype
            assert ours[name].ndim == theirs[name].ndim
            assert ours[name].shape[1] == (4 if theirs[name].shape[1] == 10 else 1)


def test_the_published_file_is_read() -> None:
    data = read_dataset(published("data/data_10.mat"))
    assert data.gain.shape == data.decision.shape == data.offload_time.shape == (30_000, 10)
    assert data.energy_time.shape == data.computation_rate.shape == (30_000,)
    np.testing.assert_allclose(data.energy_time + data.offload_time.sum(axis=1), 1, atol=1e-5)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    for suffix in (".mat", ".npz"):
        path = tmp_path / f"data{suffix}"
        write_dataset(path, small_dataset())
        whole = path.read_bytes()
        for length in (0, 50, 200, len(whole) // 2, len(whole) - 10):
            path.write_bytes(whole[:length])
            with pytest.raises(ValueError, match=f"data{suffix} (cannot be read|must hold)"):
                read_dataset(path)


def test_missing_variables_are_named(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"input_h": np.ones((2, 3)), "output_a": np.ones((2, 1))})
    with pytest.raises(ValueError, match="it lacks output_mode, output_tau, output_obj"):
        read_dataset(tmp_path / "a.mat")
    savemat(tmp_path / "b.mat", {"channel": np.ones((2, 3))})
    with pytest.raises(ValueError, match="must hold input_h; it lacks input_h"):
        read_gains(tmp_path / "b.mat")


@pytest.mark.parametrize(
    ("gains", "message"),
    [
        (np.full((2, 3), np.nan), "input_h of .* must be finite"),
        (np.full((2, 3), -1.0), "input_h of .* must be finite and in"),
        (np.ones((2, 3)) * 1j, "input_h of .* must hold real numbers, got complex128"),
        ([["a", "b"]], "input_h of .* must hold real numbers"),
        (np.ones((2, 3, 4)), r"input_h of .* must have shape \[T, N\], got \[2, 3, 4\]"),
    ],
)
def test_bad_gains_are_named(gains: object, message: str, tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"input_h": gains})
    with pytest.raises(ValueError, match=message):
        read_gains(tmp_path / "a.mat")


def test_other_errors_of_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.mat"):
        read_gains(tmp_path / "absent.mat")
    with pytest.raises(ValueError, match=r"a\.txt must end in \.mat or \.npz"):
        read_gains(tmp_path / "a.txt")
    with pytest.raises(ValueError, match=r"a\.txt must end in \.mat or \.npz"):
        write_dataset(tmp_path / "a.txt", small_dataset())


def test_fields_that_disagree_are_named() -> None:
    good = small_dataset()
    for name, bad, message in (
        ("decision", good.decision[:3], r"decision must have shape \[5, 4\], got \[3, 4\]"),
        ("decision", good.decision + 0.5, "decision must hold zeros and ones only, got"),
        ("offload_time", good.offload_time + 1, "offload_time must be finite and in"),
        ("decision", good.decision + 1, "decision must hold zeros and ones only, got 2"),
        ("energy_time", good.energy_time + 1, "energy_time must be finite and in"),
        ("computation_rate", good.computation_rate[:2], r"computation_rate must have shape \[5\]"),
        ("gap", np.full(5, -1.0), "gap must be finite and in"),
        ("gap", np.zeros(4), r"gap must have shape \[5\], got \[4\]"),
        ("weights", np.zeros(4), "weights must be finite and in"),
    ):
        arguments = {field.name: getattr(good, field.name) for field in fields(Dataset)}
        with pytest.raises(ValueError, match=message):
            Dataset(**arguments | {name: bad})


@pytest.mark.parametrize(
    ("suffix", "writer"), [(".mat", "scipy.io.savemat"), (".npz", "numpy.savez_compressed")]
)
@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_a_failed_write_leaves_what_was_there(
    suffix: str, writer: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"data{suffix}"

    def fail(path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"half")
        raise error

    for before in (None, b"old"):
        if before is not None:
            path.write_bytes(before)
        with monkeypatch.context() as patched:
            patched.setattr(writer, fail)
            with pytest.raises(type(error)):
                write_dataset(path, small_dataset())
        assert [file.read_bytes() for file in tmp_path.iterdir()] == [before] * bool(before)


def test_an_output_that_cannot_be_written_is_refused_in_advance(tmp_path: Path) -> None:
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(IsADirectoryError, match=r"a\.npz is a folder"):
        write_dataset(tmp_path / "a.npz", small_dataset())
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*absent for a\.npz"):
        write_dataset(tmp_path / "absent" / "a.npz", small_dataset())


def test_sparse_gains_are_read(tmp_path: Path) -> None:
    gains = np.array([[1e-6, 0.0], [0.0, 2e-6]])
    savemat(tmp_path / "a.mat", {"input_h": csc_matrix(gains), "weights": [1.0, 2.0]})
    read, weights = read_gains(tmp_path / "a.mat")
    assert (read == gains).all()
    assert weights is not None
    assert weights.tolist() == [1, 2]
    savemat(tmp_path / "b.mat", {"input_h": gains, "weights": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match=r"weights of .* must have shape \[2\], got \[3\]"):
        read_gains(tmp_path / "b.mat")
