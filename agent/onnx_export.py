"""A policy as an ONNX file, to be run without Python: its relaxed decision and its logits.

The page docs/howto/onnx.md tells what a program that embeds it has to do.
"""

import copy
import os
import tempfile
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent import checkpoint
from agent.networks import Attention, BiGRUAttention, Equivariant
from droo_core.extras import require

if TYPE_CHECKING:
    from agent.memory_dnn import MemoryDNN

STATE = "state"
OUTPUTS = ("relaxed_decision", "logits")
ANY_N = (Equivariant, Attention, BiGRUAttention)
"""The policies whose file is for any number of devices."""

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


def write(path: str | os.PathLike[str], agent: "MemoryDNN") -> None:
    """Do what `MemoryDNN.export_onnx` does."""
    onnx = require("onnx", "onnx")
    require("onnxruntime", "onnx")
    inputs, num_devices = agent.net[0], agent.net[-1]
    module, any_n = Relaxing(agent.network, agent.num_places), type(agent.network) in ANY_N
    with torch.random.fork_rng(devices=[]):  # a module of the caller's may draw from it
        model = onnx.load_from_string(_trace(module, inputs, any_n=any_n))
        onnx.helper.set_model_props(model, _about(agent, any_n=any_n))
        content = model.SerializeToString()
        _check(content, module, inputs)
        if any_n:
            _check(content, module, inputs // num_devices * (num_devices + 1))
    checkpoint.write_whole(path, content)


def _about(agent: "MemoryDNN", *, any_n: bool) -> dict[str, str]:
    """Return what the file tells of itself."""
    try:
        project = version("droo")
    except PackageNotFoundError:  # run from a checkout
        project = "unknown"
    return {
        "features": ",".join(agent.features or ()),
        "num_devices": "any" if any_n else str(agent.net[-1]),
        "num_places": str(agent.num_places),
        "policy": agent.policy,
        "droo_version": project,
    }


def _trace(module: Relaxing, inputs: int, *, any_n: bool) -> bytes:
    """Return a policy as ONNX.

    By torch's older exporter, deprecated as it is: the newer one takes seconds for what this does
    in tenths, needs one package more, and refuses attention without heads. What its warnings are
    about, that a trace may miss something, `_check` sees.

    Raises:
        ValueError: if torch cannot.
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
    """Hold the ONNX of a policy to the policy, on one random state and on three.

    Raises:
        ValueError: if they differ, or ONNX Runtime cannot run it.
        ArithmeticError: if the policy returns what is not finite.
    """
    onnxruntime = require("onnxruntime", "onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong comes as an exception too
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((size, inputs)).astype(np.float32) for size in (1, 3)]
    try:
        session = onnxruntime.InferenceSession(content, options)
        found = [session.run(list(OUTPUTS), {STATE: states}) for states in batches]
    except Exception as error:  # its errors have no other base
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
