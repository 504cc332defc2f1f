"""Recorded frames, in and out: the published .mat layout, and the same in .npz."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, savemat
from scipy.sparse import issparse

from droo_core.validation import binary, in_range, not_binary

Floats = NDArray[np.float64]

# The fields of `Dataset`, and what the published files call them; the last two are not published.
NAMES = {
    "gain": "input_h",
    "decision": "output_mode",
    "energy_time": "output_a",
    "offload_time": "output_tau",
    "computation_rate": "output_obj",
    "gap": "output_gap",
    "weights": "weights",
}
OPTIONAL = ("gap", "weights")
VECTORS = {"energy_time", "computation_rate", "gap", "weights"}  # columns, or a row, in the files


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled frames.

    Attributes:
        gain: channel gains `[T, N]`.
        decision: offloading decisions `[T, N]`, zeros and ones.
        energy_time: a `[T]`, fractions of the frame.
        offload_time: tau `[T, N]`, fractions of the frame.
        computation_rate: weighted sum computation rates `[T]`, bit/s.
        gap: certified relative gaps of the decisions to the optimum `[T]`; None if unknown.
        weights: of the devices `[N]`, positive; None if unknown, as in the published files.

    Raises:
        TypeError: if a field holds no real numbers.
        ValueError: if a shape differs, a decision is not binary, or a number is negative, NaN or
            infinite.
    """

    gain: Floats
    decision: NDArray[np.int64]
    energy_time: Floats
    offload_time: Floats
    computation_rate: Floats
    gap: Floats | None = None
    weights: Floats | None = None

    def __post_init__(self) -> None:
        """Check the fields against one another, and convert them."""
        gain = in_range("gain", self.gain, 0, np.inf, ("T", "N"))
        frames, devices = gain.shape
        decision = binary("decision", self.decision, (frames, devices))
        if not np.isin(decision, (0, 1)).all():
            raise not_binary("decision", decision)
        checked = {
            "gain": gain,
            "decision": decision,
            "energy_time": in_range("energy_time", self.energy_time, 0, 1, (frames,)),
            "offload_time": in_range("offload_time", self.offload_time, 0, 1, gain.shape),
            "computation_rate": in_range(
                "computation_rate", self.computation_rate, 0, np.inf, (frames,)
            ),
        }
        if self.gap is not None:
            checked["gap"] = in_range("gap", self.gap, 0, np.inf, (frames,))
        if self.weights is not None:
            checked["weights"] = in_range(
                "weights", self.weights, 0, np.inf, (devices,), open_low=True
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value.copy())  # the way past frozen


def read_gains(path: str | os.PathLike[str]) -> tuple[Floats, Floats | None]:
    """Read channel gains `[T, N]` and, if there are, weights `[N]` of a .mat or .npz file.

    They are its variables `input_h` and `weights`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, holds no `input_h`, or that is not a matrix of non-negative,
            finite numbers, or the weights are not N positive ones.
    """
    gain_name, weights_name = NAMES["gain"], NAMES["weights"]
    found = read_variables(Path(path), [gain_name], [weights_name])
    gains = in_range(f"{gain_name} of {path}", found[gain_name], 0, np.inf, ("T", "N"))
    return gains, _weights(path, found, gains.shape[1])


def _weights(
    path: str | os.PathLike[str], found: Mapping[str, NDArray[Any]], num_devices: int
) -> Floats | None:
    """Return the weights `[N]` among variables of a file, None if there are none."""
    weights = found.get(NAMES["weights"])
    if weights is None:
        return None
    name = f"{NAMES['weights']} of {path}"
    return in_range(name, weights.reshape(-1), 0, np.inf, (num_devices,), open_low=True)


def read_recording(path: str | os.PathLike[str]) -> tuple[Floats, Floats, Floats | None]:
    """Read channel gains and arrivals (Mbit) `[T, N]`, and weights `[N]` if there are.

    They are the variables `input_h`, `data_arrival` and `weights` of a .mat or .npz file, the first
    two as LyDROO's result files have them.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, lacks one of the first two, or they are not matrices of one
            shape of non-negative, finite numbers, or the weights are not N positive ones.
    """
    found = read_variables(Path(path), ["input_h", "data_arrival"], ["weights"])
    gains = in_range(f"input_h of {path}", found["input_h"], 0, np.inf, ("T", "N"))
    name = f"data_arrival of {path}"
    arrivals = in_range(name, found["data_arrival"], 0, np.inf, gains.shape)
    return gains, arrivals, _weights(path, found, gains.shape[1])


def read_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Read labelled frames from a .mat or .npz file in the published layout.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, lacks a variable, or the variables do not agree.
    """
    optional = [NAMES[field] for field in OPTIONAL]
    required = [name for name in NAMES.values() if name not in optional]
    variables = read_variables(Path(path), required, optional)
    fields = {field: variables[name] for field, name in NAMES.items() if name in variables}
    for field in VECTORS & fields.keys():
        fields[field] = fields[field].reshape(-1)
    try:
        return Dataset(**fields)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_dataset(path: str | os.PathLike[str], dataset: Dataset) -> None:
    """Write labelled frames, whole or not at all, as .mat or .npz in the published layout.

    Raises:
        ValueError: if the name ends in neither .mat nor .npz.
        OSError: if the file cannot be written there.
    """
    path = Path(path)
    check_output(path)
    variables: dict[str, Any] = {
        name: value
        for field, name in NAMES.items()
        if (value := getattr(dataset, field)) is not None
    }
    variables["output_mode"] = dataset.decision.astype(np.uint8)
    for name in {"output_a", "output_obj", "output_gap"} & variables.keys():
        variables[name] = variables[name][:, None]  # as published
    partial = path.with_name(f".{os.getpid()}.partial.{path.name}")  # numpy insists on the suffix
    try:
        if path.suffix == ".mat":
            savemat(partial, variables, do_compression=True)
        else:
            np.savez_compressed(partial, **variables)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def check_output(path: str | os.PathLike[str]) -> None:
    """Check that a dataset could be written there.

    Raises:
        ValueError: if the name ends in neither .mat nor .npz.
        OSError: if there is no such folder, or none to write into, or a folder of that name.
    """
    path = Path(path)
    _check_suffix(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} for {path.name}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"the folder {path.parent} cannot be written into")


def _check_suffix(path: Path) -> None:
    if path.suffix not in (".mat", ".npz"):
        raise ValueError(f"{path} must end in .mat or .npz")


def read_variables(
    path: Path, required: list[str], optional: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Return variables of a .mat or .npz file by name, those required and what there is of others.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, lacks one that is required, or holds one that is not of
            numbers.
    """
    names = [*required, *optional]
    _check_suffix(path)
    with path.open("rb") as file:
        try:
            if path.suffix == ".mat":
                found = loadmat(file, variable_names=names)  # type: ignore[arg-type]  # takes files
            else:
                with np.load(file, allow_pickle=False) as archive:
                    found = {name: archive[name] for name in names if name in archive}
        except NotImplementedError as error:
            raise ValueError(f"{path} is of MATLAB 7.3: save it with the option -v7") from error
        except Exception as error:  # on a damaged file the readers raise nearly anything
            hint = " or saved without the option -v7" if path.suffix == ".mat" else ""
            raise ValueError(f"{path} cannot be read, it may be damaged{hint}: {error}") from error
    missing = [name for name in required if name not in found]
    if missing:
        raise ValueError(f"{path} must hold {', '.join(required)}; it lacks {', '.join(missing)}")
    found = {
        name: found[name].toarray() if issparse(found[name]) else found[name]
        for name in names
        if name in found
    }
    for name in found:
        if found[name].dtype.kind not in "fiub":
            raise ValueError(f"{name} of {path} must hold real numbers, got {found[name].dtype}")
    return found
