"""Policies as ONNX files, run by ONNX Runtime, against the agent that wrote them."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from agent import DROO, MemoryDNN, checkpoint
from agent.networks import POLICIES
from agent.quantization import likeliest, order_preserving
from droo_core.extras import MissingExtraError
from tests.agent.test_policies import ANY_N, FEATURES, new_agent, play, random_state
from tests.conftest import ROOT

N = 5
PLACES = {"loss": "categorical", "num_places": 3}


def run(path: Path, states: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    session = onnxruntime.InferenceSession(path)
    inputs = {"state": states.astype(np.float32)}
    relaxed, logits = session.run(["relaxed_decision", "logits"], inputs)
    return relaxed, logits


def states_of(batch: int, num_devices: int = N, *, masked: bool = True) -> NDArray[np.float64]:
    rng = np.random.default_rng(batch)
    masks = (rng.random((batch, num_devices)) < 0.7) | (not masked)
    return np.array([random_state(rng, num_devices, mask.astype(float)) for mask in masks])


def trained(policy: str, **options: Any) -> MemoryDNN:
    agent = new_agent(policy, **options)
    rng = np.random.default_rng(0)
    for state in states_of(20):
        agent.encode(state, rng.integers(agent.num_places, size=N))
    assert agent.updates == 4
    return agent


@pytest.fixture(scope="module", params=[*POLICIES, "three places"])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[MemoryDNN, Path]:
    places = request.param == "three places"
    agent = trained("attention", **PLACES) if places else trained(request.param)
    path = tmp_path_factory.mktemp("onnx") / "policy.onnx"
    agent.export_onnx(path)
    return agent, path


@pytest.mark.parametrize("batch", [1, 7])
def test_the_file_is_the_policy(exported: tuple[MemoryDNN, Path], batch: int) -> None:
    agent, path = exported
    states = states_of(batch)
    relaxed, logits = run(path, states)
    wanted = np.array([agent.relaxed_decision(state) for state in states])
    np.testing.assert_allclose(relaxed, wanted, rtol=0, atol=1e-6)
    assert relaxed.dtype == np.float64
    assert logits.dtype == np.float32
    with torch.no_grad():
        by_torch = agent.network(torch.from_numpy(states.astype(np.float32)))
    np.testing.assert_allclose(logits, by_torch, rtol=1e-5, atol=1e-5)
    assert wanted.std() > 0.01, "the policy tells states apart"


def test_quantized_the_file_decides_as_the_agent(exported: tuple[MemoryDNN, Path]) -> None:
    agent, path = exported
    states = states_of(20)
    relaxed, _ = run(path, states)
    active = states[:, -N:] > 0
    for state, of_state, there in zip(states, relaxed, active, strict=True):
        if agent.num_places == 2:
            ours, theirs = order_preserving(of_state, N + 1), agent.decode(state, N + 1)
        else:
            ours, theirs = likeliest(of_state, N + 1), agent.decode(state, N + 1, "KNN")
        once = dict.fromkeys(map(tuple, (ours * there).tolist()))
        assert list(once) == list(map(tuple, theirs.tolist()))


def test_the_file_has_the_metadata_of_its_policy(exported: tuple[MemoryDNN, Path]) -> None:
    agent, path = exported
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about["features"].split(",") == list(FEATURES)
    assert about["policy"] == agent.policy
    assert about["num_places"] == str(agent.num_places)
    assert about["num_devices"] == ("any" if agent.policy in ANY_N else "5")
    assert list(path.parent.iterdir()) == [path]
    assert str(ROOT).encode() not in path.read_bytes()


@pytest.mark.parametrize("policy", ANY_N)
@pytest.mark.parametrize("num_devices", [1, 12])
def test_the_file_is_for_any_number_of_devices(
    policy: str, num_devices: int, tmp_path: Path
) -> None:
    agent = trained(policy)
    agent.export_onnx(tmp_path / "policy.onnx")
    states = states_of(3, num_devices)
    relaxed, _ = run(tmp_path / "policy.onnx", states)
    other = agent.for_devices(num_devices)
    wanted = [other.relaxed_decision(state) for state in states]
    np.testing.assert_allclose(relaxed, wanted, rtol=0, atol=1e-6)


def test_a_file_for_one_number_of_devices_refuses_others(tmp_path: Path) -> None:
    new_agent("mlp").export_onnx(tmp_path / "policy.onnx")
    with pytest.raises(Exception, match="invalid dimensions"):
        run(tmp_path / "policy.onnx", states_of(1, N + 1))


def test_entries_that_single_precision_would_round_keep_their_order(tmp_path: Path) -> None:
    agent = MemoryDNN([3, 3], seed=0)
    with torch.no_grad():
        weight, bias = agent.network.parameters()
        weight.copy_(torch.eye(3))
        bias.zero_()
    agent.export_onnx(tmp_path / "policy.onnx")
    state = np.array([[20.0, 25.0, 30.0]])
    relaxed, logits = run(tmp_path / "policy.onnx", state)
    assert (np.diff(relaxed[0]) > 0).all()
    assert len(np.unique(relaxed.astype(np.float32))) < 3
    np.testing.assert_array_equal(logits, state)


def test_writing_changes_nothing_in_the_agent(tmp_path: Path) -> None:
    agents = [trained("mlp"), trained("mlp")]
    before = torch.get_rng_state()
    agents[0].export_onnx(tmp_path / "policy.onnx")
    assert torch.equal(torch.get_rng_state(), before)
    for agent in agents:
        play(DROO(agent, mode="OPN"), 30)
    (ours, our_meta), (theirs, their_meta) = map(checkpoint.pack, agents)
    assert our_meta == their_meta
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


class Own(nn.Module):
    """A module with dropout and a submodule in another mode; exporting must change neither."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 2))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(states)
        return logits


def test_a_custom_module_is_exported(tmp_path: Path) -> None:
    torch.manual_seed(0)
    policy = Own()
    agent = MemoryDNN([4, 2], policy=policy, seed=0)
    policy.layers[2].train()
    agent.export_onnx(tmp_path / "policy.onnx")
    assert [module.training for module in policy.layers] == [False, False, True, False]
    policy.eval()
    state = np.arange(4.0)
    relaxed, _ = run(tmp_path / "policy.onnx", state[None])
    np.testing.assert_allclose(relaxed[0], agent.relaxed_decision(state), rtol=0, atol=1e-6)


class Branching(nn.Linear):
    """A module with a branch, of which a trace records only one side."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return super().forward(states if states.sum() > 0 else -states)


class OneState(nn.Linear):
    """A module that depends on the number of states, which a trace records as a constant."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return torch.stack([super(OneState, self).forward(state) for state in states])


class Special(nn.Linear):
    """A module with a function that ONNX does not have."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.special.bessel_j0(states))


@pytest.mark.parametrize("policy", [Branching, OneState, Special])
def test_policies_that_cannot_be_exported_are_refused(
    policy: type[nn.Linear], tmp_path: Path
) -> None:
    agent = MemoryDNN([4, 2], policy=policy(4, 2), seed=0)
    with pytest.raises(ValueError, match="policy"):
        agent.export_onnx(tmp_path / "policy.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_diverged_is_refused(tmp_path: Path) -> None:
    agent = new_agent("mlp")
    with torch.no_grad():
        next(agent.network.parameters()).fill_(torch.nan)
    with pytest.raises(ArithmeticError, match="diverged"):
        agent.export_onnx(tmp_path / "policy.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        new_agent("mlp").export_onnx(tmp_path / "nowhere" / "policy.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"droo\[onnx\]"):
        new_agent("mlp").export_onnx(tmp_path / "policy.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_agent_of_a_checkpoint_can_be_written(tmp_path: Path) -> None:
    DROO(trained("equivariant")).save(tmp_path / "checkpoint.safetensors")
    DROO.load(tmp_path / "checkpoint.safetensors").agent.export_onnx(str(tmp_path / "policy.onnx"))
    relaxed, _ = run(tmp_path / "policy.onnx", states_of(2))
    assert relaxed.shape == (2, N)


EXAMPLE = ROOT / "examples" / "onnx_policy.py"


@pytest.mark.slow
def test_in_the_example_the_file_decides_as_the_agent(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "equal decisions: 100.0% of 1,000 frames" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["equivariant", "mlp"])
def test_a_program_in_cpp_decides_as_the_agent(policy: str, tmp_path: Path) -> None:
    runtime, compiler = os.environ.get("ONNXRUNTIME_DIR"), shutil.which("g++")
    if runtime is None or compiler is None:
        pytest.skip("needs g++, and in ONNXRUNTIME_DIR the folder of ONNX Runtime for C++")
    program, libraries = tmp_path / "onnx_policy", f"{runtime}/lib"
    flags = ["-std=c++17", "-I", f"{runtime}/include", "-L", libraries, f"-Wl,-rpath,{libraries}"]
    source = ROOT / "examples" / "onnx_policy.cpp"
    subprocess.run([compiler, *flags, "-o", program, source, "-lonnxruntime"], check=True)

    agent, states = trained(policy), states_of(50)
    agent.export_onnx(tmp_path / "policy.onnx")
    done = subprocess.run(
        [program, tmp_path / "policy.onnx"],
        input="".join(" ".join(map(str, state)) + "\n" for state in states.tolist()),
        capture_output=True,
        text=True,
        check=True,
    )
    for line, state in zip(done.stdout.splitlines(), states, strict=True):
        decisions = agent.decode(state, N + 1).tolist()
        assert line.split() == ["".join(map(str, decision)) for decision in decisions]
    broken = subprocess.run([program, source], capture_output=True, text=True, check=False)
    assert broken.returncode == 1
    assert broken.stderr.startswith("onnx_policy: ")
