"""Which policy learns how fast and how well, at which N?

All train whenever their own decision was not the best. None gets refined candidates, which would
hide what the policy is worth. `python -m experiments.studies.policies --help` lists its settings.
"""

from pathlib import Path

from agent.networks import POLICIES
from experiments.cli import run_module
from experiments.configs import DROOConfig, SizesConfig
from experiments.runs import results
from experiments.runs.provenance import provenance
from experiments.studies.figures import Panel, save_against, shortfall
from experiments.studies.folder import (
    collect,
    frames_of,
    publish,
    read_rows,
    run_missing,
    seeds_of,
    show,
    summary_table,
)

FRAMES = 3000
SEEDS = 10
DEVICES = {"smoke": (5, 10), "full": (5, 10, 20, 30, 50)}
PANELS = {
    "normalized_rate_first_200": Panel(
        "1 - normalized rate, first 200 frames", shortfall, {"yscale": "log"}
    ),
    "normalized_rate_test": Panel("1 - normalized rate, test frames", shortfall, {"yscale": "log"}),
    "microseconds_per_frame": Panel("Time per frame, learning (us)", limits={"yscale": "log"}),
}
MORE = {"microseconds_per_frame": "us per frame", "parameters": "parameters"}


def main(config: SizesConfig) -> None:
    """Carry the study out, and print what came of it."""
    show(run(config))


def run(config: SizesConfig) -> Path:
    """Run what was not run yet, and return the folder with the table, the data and the figure."""
    came_from = provenance(config)
    runs = [
        DROOConfig(
            num_devices=n,
            policy=policy,
            refine_every=0,
            seed=seed,
            frames=frames_of(config, FRAMES),
            results=config.results,
        )
        for n in config.num_devices or DEVICES[config.scale]
        for policy in POLICIES
        for seed in seeds_of(config, SEEDS)
    ]
    folders = run_missing("policies", config, runs)
    grouped: dict[tuple[str, ...], list[Path]] = {}
    for of_run, folder in zip(runs, folders, strict=True):
        grouped.setdefault((str(of_run.num_devices), str(of_run.policy)), []).append(folder)
    rows = [
        {"policy": of_run.policy, **results.load_summary(folder), "run": folder.name}
        for of_run, folder in zip(runs, folders, strict=True)
    ]
    table = summary_table(grouped, ("N", "policy"), MORE)
    return publish("policies", config, came_from, rows, table, draw)


def draw(study: Path, output: Path) -> list[Path]:
    """Draw the figure of a saved study into another folder; return the files."""
    rows = read_rows(study / "runs.csv", ("policy", "num_devices", *PANELS))
    return save_against(collect(rows, "policy", tuple(PANELS)), PANELS, output / "policies")


if __name__ == "__main__":
    run_module(SizesConfig, main)
