"""Variables in .mat and .npz files, read and written by name."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from droo_core.files import replaced


def read_variables(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Return the required variables of a .mat or .npz file, and the optional ones that it holds.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or lacks a required variable, or a variable holds
            anything but real numbers.
    """
    _check_suffix(path)
    found = _load(path, [*required, *optional])
    missing = [name for name in required if name not in found]
    if missing:
        raise ValueError(f"{path} must hold {', '.join(required)}; it lacks {', '.join(missing)}")
    for name in found:
        if scipy.sparse.issparse(found[name]):
            found[name] = found[name].toarray()
        if found[name].dtype.kind not in "fiub":
            raise ValueError(f"{name} of {path} must hold real numbers, got {found[name].dtype}")
    return found


def _load(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return the variables of these names that a file holds."""
    with path.open("rb") as file:
        try:
            if path.suffix == ".npz":
                with np.load(file, allow_pickle=False) as archive:
                    return {name: archive[name] for name in names if name in archive}
            loaded = scipy.io.loadmat(file, variable_names=[*names])  # type: ignore[arg-type]  # takes files
        except NotImplementedError as error:
            raise ValueError(f"{path} is of MATLAB 7.3: save it with the option -v7") from error
        except Exception as error:  # on a damaged file the readers raise nearly anything
            hint = " or saved without the option -v7" if path.suffix == ".mat" else ""
            raise ValueError(f"{path} cannot be read, it may be damaged{hint}: {error}") from error
    return {name: loaded[name] for name in names if name in loaded}


def write_variables(path: Path, variables: Mapping[str, Any]) -> None:
    """Write variables to a .mat or .npz file, whole or not at all.

    Raises:
        ValueError: if the name ends in neither .mat nor .npz.
        OSError: if the file cannot be written there.
    """
    check_output(path)
    with replaced(path) as partial:
        if path.suffix == ".mat":
            scipy.io.savemat(partial, dict(variables), do_compression=True)
        else:
            np.savez_compressed(partial, **variables)


def check_output(path: str | os.PathLike[str]) -> None:
    """Check that a file can be written.

    Raises:
        ValueError: if the name ends in neither .mat nor .npz.
        OSError: if the folder is missing or not writable, or the path is a folder.
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
