"""A script written for the published `MemoryDNN` runs if only its import line is changed."""

import inspect
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.io

import agent
from agent import MemoryDNN
from tests.conftest import ROOT

PUBLISHED_IMPORT = "from memoryPyTorch import MemoryDNN"

# A script in the manner of the published ones: K is a NumPy integer, the window leaves out the
# newest frame, candidates are counted modulo K, results go to text and .mat files, and the model is
# called directly.
SCRIPT = """
import numpy as np
import scipy.io as sio
import torch
from memoryPyTorch import MemoryDNN

N = 5
K = N
Delta = 8
channel = np.random.default_rng(0).exponential(size=(100, INPUTS))
mem = MemoryDNN(net = [INPUTS, 120, 80, N],
                learning_rate = 0.01,
                training_interval=10,
                batch_size=128,
                memory_size=64
                )
k_idx_his, K_his, mode_his = [], [], []
for i in range(100):
    if i > 0 and i % Delta == 0:
        K = min(max(np.array(k_idx_his[-Delta:-1]) % K) + 2, N)
    h = channel[i, :]
    m_list = mem.decode(h, K, MODE)
    r_list = []
    for m in m_list:
        off = np.where(m == 1)[0]
        r_list.append(np.sum(h[off]) / (1 + len(off)))
    k_idx_his.append(np.argmax(r_list))
    mem.encode(h, m_list[k_idx_his[-1]])
    mode_his.append(m_list[np.argmax(r_list)])
    K_his.append(K)
mem.plot_cost()
sio.savemat('result.mat', {'off_mode': mode_his, 'memory': mem.memory})
with open('cost_his.txt', 'w') as f:
    for cost in mem.cost_his:
        f.write("%s \\n" % cost)
relaxed = mem.model(torch.Tensor(h[np.newaxis, :])).detach().numpy()
first = mem.knm(relaxed[0], 1)[0]
"""


@pytest.mark.parametrize("mode", ["OP", "OPN", "KNN"])
@pytest.mark.parametrize("inputs", [5, 15])
def test_a_script_runs_with_its_import_line_changed(
    mode: str, inputs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert SCRIPT.count(PUBLISHED_IMPORT) == 1
    names: dict[str, Any] = {"MODE": mode, "INPUTS": inputs}
    exec(SCRIPT.replace(PUBLISHED_IMPORT, "from agent import MemoryDNN"), names)
    assert plt.get_fignums()  # plot_cost has drawn where plt.savefig and plt.show find it
    plt.close("all")
    saved = scipy.io.loadmat("result.mat")
    assert saved["off_mode"].shape == (100, 5)
    np.testing.assert_array_equal(saved["memory"][:36, inputs:], saved["off_mode"][64:])
    losses = np.loadtxt("cost_his.txt")
    assert len(losses) == 10
    assert np.isfinite(losses).all()
    np.testing.assert_array_equal(names["first"], names["mem"].decode(names["h"])[0])
    assert all(1 <= k <= 5 for k in names["K_his"])


class Published:
    """A stand-in with only the arguments, methods and attributes of the published class."""

    METHODS = ("remember", "encode", "learn", "decode", "knm", "knn", "opn", "plot_cost")
    ATTRIBUTES = ("net", "lr", "training_interval", "batch_size", "memory_size", "memory")
    RESULTS = ("memory_counter", "cost", "cost_his", "model")

    def __init__(
        self,
        net: list[int],
        learning_rate: float = 0.01,
        training_interval: int = 10,
        batch_size: int = 100,
        memory_size: int = 1000,
        output_graph: bool = False,
    ) -> None:
        self._inner = MemoryDNN(
            net, learning_rate, training_interval, batch_size, memory_size, output_graph, seed=0
        )

    def __getattr__(self, name: str) -> Any:
        if name not in self.METHODS + self.ATTRIBUTES + self.RESULTS:
            raise AttributeError(f"the published MemoryDNN has no {name}")
        return getattr(self._inner, name)

    def decode(self, h: np.ndarray[Any, Any], k: int = 1, mode: str = "OP") -> list[Any]:
        return list(self._inner.decode(h, k, mode))


def test_the_example_uses_only_members_of_the_published_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(agent, "MemoryDNN", Published)
    source = (ROOT / "examples" / "published_script.py").read_text()
    names: dict[str, Any] = {"__name__": "example"}
    exec(source.replace("FRAMES = 2000", "FRAMES = 500"), names)
    assert names["MemoryDNN"] is Published
    assert names["FRAMES"] == 500
    names["main"]()
    plt.close("all")
    with pytest.raises(AttributeError, match="has no propose"):
        _ = Published([2, 2]).propose


def test_the_stand_in_has_the_arguments_of_the_published_class() -> None:
    parameters = list(inspect.signature(MemoryDNN).parameters)[:6]
    assert list(inspect.signature(Published).parameters) == parameters
