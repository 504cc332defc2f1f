"""Supervised pre-training, and online runs that start from it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from agent import MemoryDNN
from agent.pretraining import evaluate, pretrain
from droo_core.arrays import Floats
from env import WPMECCritic, default_channel, default_weights
from env.datasets import write_dataset
from env.labels import label
from experiments import pretrain as experiment
from experiments.configs import DROOConfig, PretrainConfig
from experiments.running.run import run as run_experiment
from experiments.runs.folder import load_summary

FEATURES = ("gain", "weight")


def new_agent(seed: int = 0, memory_size: int = 64) -> MemoryDNN:
    return MemoryDNN(
        [8, 16, 16, 4],
        batch_size=32,
        memory_size=memory_size,
        policy="equivariant",
        features=FEATURES,
        seed=seed,
    )


def examples(count: int, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    states = np.random.default_rng(seed).normal(size=(count, 8))
    return states, (states[:, :4] > states[:, 4:]).astype(np.int64)


def test_the_best_validation_model_is_kept() -> None:
    agent, (states, decisions) = new_agent(), examples(300)
    # Label noise, which can only be memorized.
    flipped = np.random.default_rng(1).random(decisions.shape) < 0.2
    labels = decisions ^ flipped
    found = pretrain(agent, states, labels, epochs=200, patience=20, seed=0)
    assert found.best_epoch == len(found.validation_loss) - 20
    assert found.validation_loss[found.best_epoch - 1] == min(found.validation_loss)
    assert found.training_rows == 240
    rows = torch.tensor(states[240:], dtype=torch.float32)
    loss, accuracy = evaluate(agent, rows, torch.tensor(labels[240:]).float())
    assert loss == pytest.approx(min(found.validation_loss), rel=1e-6)
    assert loss != pytest.approx(found.validation_loss[-1], rel=1e-3)
    assert accuracy == found.accuracy[found.best_epoch - 1] > 0.7


def test_labels_that_follow_a_rule_are_learned() -> None:
    found = pretrain(new_agent(), *examples(300), epochs=30, seed=0)
    assert found.accuracy[found.best_epoch - 1] > 0.95


def test_training_stops_when_nothing_is_gained() -> None:
    states, decisions = examples(100)
    noise = np.random.default_rng(1).integers(0, 2, decisions.shape)  # nothing to learn
    found = pretrain(new_agent(), states, noise, epochs=500, patience=5, seed=0)
    assert len(found.validation_loss) == found.best_epoch + 5 < 500


def test_the_last_training_rows_fill_the_memory() -> None:
    agent, (states, decisions) = new_agent(), examples(100)
    pretrain(agent, states, decisions, epochs=1, seed=0)
    assert agent.memory_counter == 64
    assert agent.memory[:, :8] == pytest.approx(states[16:80].astype(np.float32))
    assert (agent.memory[:, 8:] == decisions[16:80]).all()


def test_the_same_seed_gives_the_same_policy() -> None:
    agents = [new_agent(), new_agent()]
    for agent in agents:
        pretrain(agent, *examples(100), epochs=3, seed=7)
    for p, q in zip(*(agent.model.parameters() for agent in agents), strict=True):
        assert (p == q).all()


def test_a_loss_that_stays_is_no_improvement() -> None:
    agent = MemoryDNN([8, 4], learning_rate=1e-30, seed=0)
    assert len(pretrain(agent, *examples(50), patience=5).validation_loss) == 6


def test_divergence_raises_an_error() -> None:
    agent = MemoryDNN([8, 8, 4], learning_rate=1e30, seed=0)
    with pytest.raises(ArithmeticError, match="try a smaller learning_rate"):
        pretrain(agent, *examples(50))


def test_bad_arguments_are_named() -> None:
    states, decisions = examples(10)
    with pytest.raises(ValueError, match="decisions must be as many as states, 10, got 9"):
        pretrain(new_agent(), states, decisions[1:])
    with pytest.raises(ValueError, match=r"must leave a row to train on, got 0\.2 of 1"):
        pretrain(new_agent(), states[:1], decisions[:1])
    with pytest.raises(ValueError, match=r"validation_fraction must lie in \(0, 1\), got 1.0"):
        pretrain(new_agent(), states, decisions, validation_fraction=1.0)
    with pytest.raises(ValueError, match="epochs must be at least 1"):
        pretrain(new_agent(), states, decisions, epochs=0)
    with pytest.raises(ValueError, match="decisions must hold zeros and ones only"):
        pretrain(new_agent(), states, 2 * decisions)
    with pytest.raises(ValueError, match=r"states must have shape \[8\], got \[7\]"):
        pretrain(new_agent(), states[:, 1:], decisions)


def test_from_labels_to_an_online_run_at_this_and_another_size(tmp_path: Path) -> None:
    gains = default_channel(6).sample(np.random.default_rng(5), 1000)
    write_dataset(tmp_path / "data.npz", label(gains, WPMECCritic(default_weights(6))))
    config = PretrainConfig(data=tmp_path / "data.npz", epochs=15, results=tmp_path)
    folder = experiment.run(config)
    summary = load_summary(folder)
    assert summary["own_normalized_rate"] > 0.995
    assert summary["accuracy"] > 0.97
    assert {"epochs.csv", "pretraining.png", "config.json"} <= {f.name for f in folder.iterdir()}
    for num_devices in (6, 12):
        online = DROOConfig(
            num_devices=num_devices,
            frames=300,
            refine_every=0,
            warm_start=folder / "checkpoint.safetensors",
            results=tmp_path,
        )
        run = run_experiment(online, progress=False, draw=False)
        assert load_summary(run)["normalized_rate_first_200"] > 0.9999
        assert json.loads((run / "config.json").read_text())["warm_start_sha256"]
