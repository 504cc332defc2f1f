"""A policy trained at one N, used at another N without further training.

In use the agent proposes N candidates by order-preserving quantization, without refinement.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agent import DROO
from droo_core.arrays import Floats
from env import WPMECCritic
from env.schemes import certify_frames
from experiments.configs import DROOConfig, SizesConfig, resolve
from experiments.problems.wpmec.frames import make_env, make_frames
from experiments.runs.provenance import provenance
from experiments.runs.statistics import aligned, lack, lack_text
from experiments.studies import figures
from experiments.studies.folder import grid, publish, read_rows, run_missing, spread

Row = dict[str, Any]

FRAMES = 3000  # of the training
SEEDS = 10
USED_FRAMES = {"smoke": 50, "full": 1000}
POLICIES: tuple[str, ...] = ("equivariant", "attention", "bigru_attention")
DRAWN = "equivariant"
TRAINED = {"smoke": (5, 10), "full": (5, 10, 20, 30)}
USED = {"smoke": (5, 20), "full": (5, 10, 20, 30, 50, 100)}
SEED_OFFSET = 1000  # frames in use have other seeds than frames in training


def run(config: SizesConfig) -> Path:
    """Run the study's missing runs, and return the folder with the table, the data and the figure.

    `config.num_devices` are the numbers of devices in training.
    """
    came_from = provenance(config)
    settings = [{"policy": policy} for policy in POLICIES]
    runs = grid(config, DROOConfig, settings, TRAINED, FRAMES, SEEDS)
    folders = run_missing("transfer", config, runs)
    pairs = sorted({(of_run.seed, n) for of_run in runs for n in USED[config.scale]})
    used_on = [(*pair, USED_FRAMES[config.scale]) for pair in pairs]
    bounds = dict(zip(pairs, spread("optima", bounds_of, used_on, config.jobs), strict=True))
    tasks = [
        (of_run, folder, n, bounds[of_run.seed, n])
        for of_run, folder in zip(runs, folders, strict=True)
        for n in USED[config.scale]
    ]
    used = spread("uses", use, tasks, config.jobs)
    return publish("transfer", config, came_from, used, table(used), draw)


def frames_used(seed: int, num_devices: int, num_frames: int) -> tuple[Floats, Floats]:
    """Return channel gains `[T, N]` and weights `[N]`; the gains are new to the agents."""
    return make_frames(
        DROOConfig(num_devices=num_devices, seed=seed + SEED_OFFSET, frames=num_frames)
    )


def bounds_of(seed: int, num_devices: int, num_frames: int) -> Floats:
    """Return the certified upper bounds of the optimal rates in `frames_used` `[T]`."""
    gains, weights = frames_used(seed, num_devices, num_frames)
    return certify_frames(WPMECCritic(weights), gains).upper_bounds


def use(trained: DROOConfig, folder: Path, num_devices: int, bounds: Floats) -> Row:
    """Return a row of runs.csv: the rates of a trained policy at another N.

    Args:
        trained: settings of the training.
        folder: the run folder of the training.
        num_devices: the other N.
        bounds: of the optimal rates, as by `bounds_of` `[T]`.
    """
    gains, weights = frames_used(trained.seed, num_devices, len(bounds))
    agent = DROO.load(folder / "checkpoint.safetensors").agent.for_devices(num_devices, seed=0)
    env = make_env(gains, weights, agent.features)
    env.reset()
    best, own = np.empty(len(bounds)), np.empty(len(bounds))
    for t, bound in enumerate(bounds):
        candidates = agent.decode(env.state, num_devices)
        rates = env.score(candidates)
        best[t] = rates.max() / bound
        own[t] = rates[0] / bound
        env.step(candidates[rates.argmax()])
    return {
        "policy": resolve(trained).policy,
        "trained": trained.num_devices,
        "used": num_devices,
        "seed": trained.seed,
        "normalized_rate": float(best.mean()),
        "own_normalized_rate": float(own.mean()),
    }


def draw(study: Path, output: Path, described: Mapping[str, Any]) -> list[Path]:  # noqa: ARG001
    """Draw the figure of a saved study into another folder; return the files."""
    of_cell: dict[tuple[int, int], list[float]] = {}
    for row in read_rows(study / "runs.csv", ("policy", "trained", "used", "normalized_rate")):
        if row["policy"] == DRAWN:
            cell = of_cell.setdefault((int(row["trained"]), int(row["used"])), [])
            cell.append(float(row["normalized_rate"]))
    trained, used = (sorted(set(sizes)) for sizes in zip(*of_cell, strict=True))
    rates = np.array([[np.mean(of_cell[n, m]) for m in used] for n in trained])
    title = f"1 - normalized rate of {DRAWN}, not trained at the new $N$"
    return figures.save_transfer(rates, trained, used, title, output)


def table(rows: Iterable[Row]) -> str:
    """Return the table: mean over seeds and worst seed, for each policy and pair of N."""
    cells: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        label = (row["policy"], str(row["trained"]), str(row["used"]))
        cells.setdefault(label, []).append(row)
    lines = [
        ["policy", "trained at N", "used at N", "1 - rate, best of N", "worst", "own decision"]
    ]
    for label, of_cell in cells.items():
        best = [row["normalized_rate"] for row in of_cell]
        own = [row["own_normalized_rate"] for row in of_cell]
        lines.append([*label, lack_text(best), lack(min(best)), lack_text(own)])
    return aligned(lines)
