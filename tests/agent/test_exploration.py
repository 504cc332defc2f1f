"""Random changes keep a policy from learning nothing but its own decisions."""

from pathlib import Path

import numpy as np
import pytest

from agent import DROO, MemoryDNN, checkpoint
from agent.quantization import Candidates, with_probe
from env import WirelessPoweredMEC
from env.schemes import certified_optimum

FEATURES = ("log_gain", "weight", "active")


def normalized_rates(
    num_devices: int, frames: int, seed: int, explore: bool | None = None
) -> list[float]:
    """Return the normalized rewards `[T]` of an agent without refinement."""
    mec = WirelessPoweredMEC(num_devices, features=FEATURES)
    net = [3 * num_devices, 32, 32, num_devices]
    agent = MemoryDNN(net, batch_size=32, policy="equivariant", features=FEATURES, seed=seed)
    droo = DROO(agent, learn_when_wrong=True, explore=explore)
    mec.reset(seed=seed)
    rates = []
    for _ in range(frames):
        optimum = certified_optimum(mec).computation_rate
        choice = droo.decide(mec.state, mec.score)
        rates.append(choice.reward / optimum)
        mec.step(choice.decision)
    return rates


@pytest.mark.parametrize("seed", [1, 5])
def test_a_hundred_devices_are_learned_without_refinement(seed: int) -> None:
    assert np.mean(normalized_rates(100, 1200, seed)[-100:]) > 0.97


def test_without_exploration_a_policy_imitates_its_own_decision() -> None:
    """The negative control: the untrained policy orders devices wrongly, so that all local wins."""
    assert np.mean(normalized_rates(100, 1200, 1, explore=False)[-100:]) < 0.8


def test_a_policy_that_is_sure_and_upside_down_is_turned_by_exploration_alone() -> None:
    """All logits are far below 0, in the reverse order of the gains: even K = N does not help."""
    n = 20

    def play(*, explore: bool) -> float:
        agent = MemoryDNN([n, 8, n], policy="equivariant", features=("gain",), seed=0)
        rng = np.random.default_rng(0)
        for _ in range(300):
            gain = rng.uniform(size=(64, n)).astype(np.float32)
            agent.learner.train_on(gain, (gain < 0.1).astype(np.float32))
        for _ in range(50):
            gain = rng.uniform(size=(64, n)).astype(np.float32)
            agent.learner.train_on(gain, np.zeros_like(gain))
        droo = DROO(agent, adapt_every=None, learn_when_wrong=True, explore=explore)
        right = []
        for _ in range(1500):
            state = rng.uniform(size=n)
            droo.decide(state, lambda x, g=state: (x * (g - 0.8)).sum(axis=1))  # type: ignore[misc]
            right.append(((agent.decode(state)[0] > 0) == (state > 0.8)).mean())
        return float(np.mean(right[-100:]))

    assert play(explore=False) < 0.85
    assert play(explore=True) > 0.97


def test_a_probe_changes_one_active_device_at_random_and_is_no_duplicate() -> None:
    rng = np.random.default_rng(0)
    own = np.array([[2, 0, 1, 0]])
    active = np.array([True, False, True, True])
    seen = set()
    for _ in range(200):
        found = with_probe(Candidates(own, np.array([0])), 3, active, rng)
        assert found.ranks.tolist() == [0, 0]
        (changed,) = np.flatnonzero(found.decisions[1] != own[0])
        seen.add((int(changed), int(found.decisions[1, changed])))
    assert seen == {(0, 0), (0, 1), (2, 0), (2, 2), (3, 1), (3, 2)}
    both = Candidates(np.array([[0], [1]]), np.array([0, 1]))
    assert with_probe(both, 2, None, rng) is both
    assert with_probe(both, 2, np.array([False]), rng) is both


def test_a_probe_that_wins_trains_and_leaves_k_to_the_quantizer() -> None:
    agent = MemoryDNN([4, 8, 4], training_interval=1000, seed=0)
    droo = DROO(agent, adapt_every=8, num_candidates=1, learn_when_wrong=True)
    for frame in range(1, 9):
        choice = droo.decide(np.ones(4), lambda x: np.arange(len(x)))
        assert choice.num_candidates == 2
        assert agent.updates == frame
    assert droo.k == 2


@pytest.mark.parametrize(
    ("settings", "explores"),
    [
        ({}, False),
        ({"learn_when_wrong": True}, True),
        ({"learn_when_wrong": True, "refine_every": 32}, False),
        ({"learn_when_wrong": True, "explore": False}, False),
        ({"explore": True}, True),
    ],
)
def test_it_explores_where_labels_have_no_other_source(
    settings: dict[str, int], explores: bool, tmp_path: Path
) -> None:
    file = tmp_path / "droo.safetensors"
    DROO(MemoryDNN([4, 4], seed=0), **settings).save(file)  # type: ignore[arg-type]
    assert DROO.load(file).explore == explores
    tensors, meta = checkpoint.restore(file, lambda tensors, meta: (tensors, meta))
    del meta["droo"]["explore"]
    checkpoint.write(file, tensors, meta)
    assert not DROO.load(file).explore
