"""Checkpoints: earlier formats load; newer formats and damaged files are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from agent import DROO, MemoryDNN
from agent.checkpoint import FORMAT, Meta, Tensors

N = 4


def play(droo: DROO, first: int, last: int) -> list[float]:
    rewards = []
    for t in range(first, last):
        state = np.random.default_rng(t).exponential(size=N)
        choice = droo.decide(state, lambda x, s=state: (x * (s - 1)).sum(axis=1))  # type: ignore[misc]
        rewards.append(choice.reward)
    return rewards


def saved(file: Path, frames: int = 45) -> DROO:
    agent = MemoryDNN([N, 16, N], training_interval=5, memory_size=32, seed=0)
    droo = DROO(agent, adapt_every=16, refine_every=4)
    play(droo, 0, frames)
    droo.save(file)
    return droo


def read(file: Path) -> tuple[Tensors, dict[str, str]]:
    with safe_open(file, framework="pt") as opened:
        return {name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata()  # noqa: SIM118


@pytest.mark.parametrize("name", ["place", "rank"])
def test_the_first_format_loads_and_continues(name: str, tmp_path: Path) -> None:
    droo = saved(tmp_path / "new")
    assert droo.progress.rank > 0
    tensors, header = read(tmp_path / "new")
    meta = json.loads(header[f"droo-{FORMAT}"])
    meta["progress"][name] = meta["progress"].pop("rank")
    save_file(tensors, tmp_path / "old", {"droo-1": json.dumps(meta)})
    old = DROO.load(tmp_path / "old")
    assert old.progress == droo.progress
    assert play(old, 45, 90) == play(droo, 45, 90)
    assert (old.agent.memory == droo.agent.memory).all()


@pytest.mark.parametrize("load", [MemoryDNN.load, DROO.load])
def test_a_newer_format_is_refused_naming_its_version(
    load: Callable[[Path], Any], tmp_path: Path
) -> None:
    saved(tmp_path / "new")
    tensors, header = read(tmp_path / "new")
    (meta,) = header.values()
    save_file(tensors, tmp_path / "newer", {"droo-7": meta})
    with pytest.raises(ValueError, match=rf"newer has checkpoint format 7, .* up to {FORMAT}"):
        load(tmp_path / "newer")
    save_file(tensors, tmp_path / "both", {"droo-7": "?", f"droo-{FORMAT}": meta})
    load(tmp_path / "both")


class Content(NamedTuple):
    tensors: Tensors
    meta: Meta


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda content: content.tensors.update({"optimizer.0.exp_avg": torch.zeros(1, 1)}),
            r"optimizer\.0\.exp_avg must be \(16, 4\), is \(1, 1\)",
        ),
        (
            lambda content: content.tensors.update({"optimizer.99.exp_avg": torch.zeros(1)}),
            "IndexError",
        ),
        (
            lambda content: content.tensors.update({"memory": torch.zeros(31, 8)}),
            r"memory must be \(32, 8\), is \(31, 8\)",
        ),
        (
            lambda content: content.tensors.update({"model.0.weight": torch.zeros(16, 3)}),
            "size mismatch",
        ),
        (
            lambda content: content.meta.update(memory_counter=-1),
            "memory_counter must be an integer of at least 0, is -1",
        ),
        (
            lambda content: content.meta.update(updates=1.5),
            "updates must be an integer of at least 0, is 1.5",
        ),
        (lambda content: content.meta.pop("noise_rng"), "noise_rng"),
        (
            lambda content: content.meta["progress"].update(k="4"),
            "k must be an integer of at least 0, is '4'",
        ),
        (lambda content: content.meta["progress"].update(luck=1), "luck"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    damage: Callable[[Content], object], message: str, tmp_path: Path
) -> None:
    saved(tmp_path / "whole")
    tensors, header = read(tmp_path / "whole")
    content = Content(tensors, json.loads(header[f"droo-{FORMAT}"]))
    damage(content)
    header = {f"droo-{FORMAT}": json.dumps(content.meta)}
    save_file(content.tensors, tmp_path / "damaged", header)
    with pytest.raises(ValueError, match=rf"(?s)damaged does not hold .*{message}"):
        DROO.load(tmp_path / "damaged")
