"""Export of a policy to an ONNX file, which other programs run without Python.

The page docs/howto/onnx.md describes what such a program has to do.
"""

import copy
import os
import tempfile
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.checkpoint import write_whole
from agent.networks import Layout, takes_any_n
from droo_core.extras import require

STATE = "state"
OUTPUTS = ("relaxed_decision", "logits")

TOLERANCE = 1e-4  # absolute and relative: single precision, summed in another order


class Relaxing(nn.Module):
    """A copy of a policy, in evaluation mode, that returns its relaxed decision and its logits.

    The former is in double precision, where entries that single precision would round to the same
    0 or 1 keep their order.
    """

    def __init__(self, policy: nn.Module, num_places: int) -> None:
        super().__init__()
        self.policy = copy.deepcopy(policy)
        self.num_places = num_places
        self.eval()

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return relaxed decisions and logits, `[B, N]` or `[B, N, P]`, of states `[B, inputs]`."""
        logits = self.policy(states)
        precise = logits.double()
        return precise.sigmoid() if self.num_places == 2 else precise.softmax(dim=-1), logits


def write(
    path: str | os.PathLike[str], network: nn.Module, inputs: int, layout: Layout, name: str
) -> None:
    """Write a policy to an ONNX file and hold it to the policy, as `MemoryDNN.export_onnx` does.

    Args:
        path: the file.
        network: the policy, from states `[B, inputs]` to logits.
        inputs: the size of a state.
        layout: devices, features and places.
        name: the policy's name, for the file's metadata.
    """
    onnx = require("onnx", "onnx")
    require("onnxruntime", "onnx")
    module, any_n = Relaxing(network, layout.num_places), takes_any_n(network)
    metadata = {
        "features": ",".join(layout.features),
        "num_devices": "any" if any_n else str(layout.num_devices),
        "num_places": str(layout.num_places),
        "policy": name,
        "droo_version": _project_version(),
    }
    with torch.random.fork_rng(devices=[]):  # a module of the caller's own may draw from it
        model = onnx.load_from_string(_trace(module, inputs, any_n=any_n))
        onnx.helper.set_model_props(model, metadata)
        content = model.SerializeToString()
        _check(content, module, inputs)
        if any_n:
            num_devices = layout.num_devices
            _check(content, module, inputs // num_devices * (num_devices + 1))
    write_whole(path, content)


def _project_version() -> str:
    try:
        return version("droo")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"


def _trace(module: Relaxing, inputs: int, *, any_n: bool) -> bytes:
    """Return a policy as ONNX.

    By torch's older, deprecated exporter: the newer one is ten times slower, needs one more
    package, and refuses attention without heads. Its warnings, that a trace may miss branches, are
    ignored, since `_check` compares the result.

    Raises:
        ValueError: if torch cannot export it.
    """
    axes = {name: {0: "batch"} for name in (STATE, *OUTPUTS)}
    if any_n:
        axes[STATE][1] = "inputs"
        for name in OUTPUTS:
            axes[name][1] = "devices"
    example = torch.zeros(1, inputs, dtype=torch.float32)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        file = Path(folder) / "policy.onnx"
        try:
            torch.onnx.export(
                module,
                (example,),
                file,
                input_names=[STATE],
                output_names=list(OUTPUTS),
                dynamic_axes=axes,
                dynamo=False,
            )
        except RuntimeError as error:
            raise ValueError(f"policy cannot be written as ONNX: {error}") from error
        return file.read_bytes()


def _check(content: bytes, module: Relaxing, inputs: int) -> None:
    """Compare the ONNX of a policy with the policy, on batches of one and three random states.

    Raises:
        ValueError: if they differ, or ONNX Runtime cannot run it.
        ArithmeticError: if an output of the policy is not finite.
    """
    onnxruntime = require("onnxruntime", "onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as exceptions anyway
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((size, inputs)).astype(np.float32) for size in (1, 3)]
    try:
        session = onnxruntime.InferenceSession(content, options)
        found = [session.run(list(OUTPUTS), {STATE: states}) for states in batches]
    except Exception as error:  # ONNX Runtime's errors have no other base
        raise ValueError(f"policy cannot be run as ONNX: {error}") from error
    for states, outputs in zip(batches, found, strict=True):
        _compare(module, states, outputs)


def _compare(module: Relaxing, states: NDArray[np.float32], found: list[NDArray[Any]]) -> None:
    with torch.no_grad():
        wanted = [output.numpy() for output in module(torch.from_numpy(states))]
    for name, ours, theirs in zip(OUTPUTS, wanted, found, strict=True):
        if not np.isfinite(ours).all():
            raise ArithmeticError("the policy diverged in training: its outputs are not finite")
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, TOLERANCE, TOLERANCE):
            raise ValueError(
                f"policy must be a function that a trace can hold: {name} differs as ONNX for "
                f"{len(states)} states"
            )
