"""DROO and all schemes on the same frames: how good and how fast are they?"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats
from env import WPMECCritic, WPMECFrame
from env.schemes import (
    Scheme,
    all_local,
    all_offloading,
    coordinate_descent,
    greedy,
    linear_relaxation,
    optimum,
    random_offloading,
)
from experiments.configs import DROOConfig, Preset, SizesConfig
from experiments.problems.wpmec.frames import make_frames
from experiments.running.run import load
from experiments.runs.folder import load_summary
from experiments.runs.provenance import provenance
from experiments.runs.statistics import LEAST, aligned, interval_text, lack_text, shortfall
from experiments.studies.figures import save_against
from experiments.studies.folder import collect, grid, publish, read_rows, run_missing, spread
from experiments.studies.metrics import Metric

Row = dict[str, Any]

FRAMES = 30_000  # of a run of DROO
SEEDS = 5
COMPARED = 1000  # maximum number of frames compared, which are the last of a run
DEVICES = {"smoke": (5, 10), "full": tuple(range(5, 51, 5))}
AGENTS: dict[str, Preset] = {"DROO": "best", "DROO, published settings": "published"}
SCHEMES: dict[str, Scheme] = {
    "Certified optimum": optimum,
    "Coordinate descent": coordinate_descent,
    "Greedy": greedy,
    "Linear relaxation": linear_relaxation,
    "All offloading": all_offloading,
    "All local": all_local,
}
PANELS = {
    "rate": Metric("Computation rate (Mbit/s)", lambda rate: rate / 1e6),
    "normalized_rate": Metric(
        "1 - normalized rate", shortfall, {"yscale": "log", "ylim": (LEAST, 1.0)}
    ),
    "decision_us": Metric("Time per decision (us)", limits={"yscale": "log"}),
}


def run(config: SizesConfig) -> Path:
    """Run the study's missing runs, and return the folder with the table, the data and the figure.

    First DROO learns in its runs; then the schemes decide the last test frames of these runs. The
    folder holds config.json, runs.csv (one row per scheme, N and seed), table.txt and the figure.
    """
    came_from = provenance(config)
    settings = [{"preset": preset} for preset in AGENTS.values()]
    runs = grid(config, DROOConfig, settings, DEVICES, FRAMES, SEEDS)
    folders = run_missing("comparison", config, runs)
    tasks = list(zip(runs, folders, strict=True))
    rows = [row for of_run in spread("schemes", compare_run, tasks, config.jobs) for row in of_run]
    return publish("comparison", config, came_from, rows, table(rows), draw)


def draw(comparison: Path, output: Path, described: Mapping[str, Any]) -> list[Path]:  # noqa: ARG001
    """Draw the figure of a saved comparison into another folder; return the files."""
    rows = read_rows(comparison / "runs.csv", ("scheme", "num_devices", *PANELS))
    return save_against(collect(rows, "scheme", tuple(PANELS)), PANELS, output / "comparison")


def agent_name(config: DROOConfig) -> str:
    """Return the label of a run's agent, which its preset decides."""
    (name,) = (name for name, preset in AGENTS.items() if preset == config.preset)
    return name


def compare_run(config: DROOConfig, folder: Path) -> list[Row]:
    """Return a row for DROO on the last test frames of a run; for the best preset also the schemes.

    The frames are the same for every preset, so the schemes decide them only once.
    """
    summary, table = load_summary(folder), load(folder)
    count = min(COMPARED, summary["test_frames"])
    bounds = table["optimal_rate"][-count:]
    common = {"num_devices": summary["num_devices"], "seed": config.seed}
    rate = table["rate"][-count:]
    rows = [measured(agent_name(config), rate, bounds, summary["decision_us_p50"]) | common]
    if config.preset != "best":
        return rows

    *_, for_chance = np.random.SeedSequence(config.seed).spawn(3)  # channel, agent, this
    gains, weights = make_frames(config)
    critic = WPMECCritic(weights)
    frames = [WPMECFrame(critic, gain) for gain in gains[-count:]]
    schemes = SCHEMES | {"Random": random_offloading(np.random.default_rng(for_chance))}
    for name, scheme in schemes.items():
        scheme(frames[0])  # compile
        decisions, seconds = zip(*(timed(scheme, frame) for frame in frames), strict=True)
        rate = np.array(
            [frame.score(x[None])[0] for frame, x in zip(frames, decisions, strict=True)]
        )
        rows.append(measured(name, rate, bounds, float(np.median(seconds)) * 1e6) | common)
    return rows


def timed(scheme: Scheme, frame: WPMECFrame) -> tuple[NDArray[np.int64], float]:
    """Return a scheme's decision and the seconds that it took."""
    start = time.perf_counter()
    decision = scheme(frame)
    return decision, time.perf_counter() - start


def measured(scheme: str, rate: Floats, bounds: Floats, decision_us: float) -> Row:
    """Return a row of runs.csv.

    Args:
        scheme: name of the scheme.
        rate: achieved rates `[T]`, bit/s.
        bounds: certified upper bounds of the optimal rates `[T]`, bit/s.
        decision_us: median duration of a decision, in microseconds.
    """
    return {
        "scheme": scheme,
        "normalized_rate": float(np.mean(rate / bounds)),
        "largest_normalized_rate": float(np.max(rate / bounds)),
        "rate": float(rate.mean()),
        "decision_us": decision_us,
    }


def table(rows: Sequence[Row]) -> str:
    """Return the table: means over seeds with 95 % intervals, for each N and scheme."""
    lines = [["N", "scheme", "1 - rate", "rate (kbit/s)", "us per decision"]]
    collected = collect(rows, "scheme", tuple(PANELS))
    for n in collected["DROO"]:
        for scheme, by_n in collected.items():
            values = by_n[n]
            lines.append(
                [
                    str(n),
                    scheme,
                    lack_text(values["normalized_rate"]),
                    interval_text([rate / 1e3 for rate in values["rate"]]),
                    interval_text(values["decision_us"]),
                ]
            )
    return aligned(lines)
