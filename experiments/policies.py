"""Which policy learns how fast and how well, at which N?

All train whenever their own decision was not the best. None gets refined candidates, which would
hide what the policy is worth. `python -m experiments.policies --help` lists its settings.
"""

from pathlib import Path
from typing import get_args

from experiments import results, study_figures
from experiments.cli import run_module
from experiments.configs import DROOConfig, PolicyName, SizesConfig
from experiments.provenance import provenance
from experiments.study import COLUMNS, SCALES, summary_table
from experiments.sweep import run_all

FRAMES = 3000
SEEDS = 10
DEVICES = {"smoke": (5, 10), "full": (5, 10, 20, 30, 50)}
METRICS = ("normalized_rate_first_200", "normalized_rate_test", "microseconds_per_frame")


def main(config: SizesConfig) -> None:
    """Carry the study out, and print what came of it."""
    folder = run(config)
    print((folder / "table.txt").read_text(), end="")
    print(f"\nSaved in {folder}\n")


def run(config: SizesConfig) -> Path:
    """Run what was not run yet, and return the folder with the table, the data and the figure."""
    came_from = provenance(config)
    scale = SCALES[config.scale]
    runs = [
        DROOConfig(
            num_devices=n,
            policy=policy,
            refine_every=0,
            seed=seed,
            frames=config.frames or scale.frames or FRAMES,
            results=config.results,
        )
        for n in config.num_devices or DEVICES[config.scale]
        for policy in get_args(PolicyName)
        for seed in config.seeds or scale.seeds or range(SEEDS)
    ]
    print(f"policies: {len(runs)} runs of {runs[0].frames:,} frames")
    folders = run_all(runs, config.jobs, draw=False)
    grouped: dict[tuple[str, ...], list[Path]] = {}
    for of_run, folder in zip(runs, folders, strict=True):
        grouped.setdefault((str(of_run.num_devices), str(of_run.policy)), []).append(folder)
    rows = [
        {"policy": policy, **results.load_summary(folder), "run": folder.name}
        for (_, policy), of_label in grouped.items()
        for folder in of_label
    ]
    columns = COLUMNS | {
        "microseconds_per_frame": "us a frame",
        "parameters": "parameters",
    }

    def write(folder: Path) -> None:
        results.write_json(folder / "config.json", came_from | {"study": {"module": "policies"}})
        results.write_csv(
            folder / "runs.csv", {name: [row[name] for row in rows] for name in rows[0]}
        )
        table = summary_table(grouped, ("N", "policy"), columns)
        (folder / "table.txt").write_text(table)
        draw(folder, folder)

    return results.new_folder(
        config.results / "policies", f"{results.timestamp()}-{config.scale}", write
    )


def draw(study: Path, output: Path) -> list[Path]:
    """Draw the figure of a saved study into another folder; return the files."""
    columns = results.read_csv(study / "runs.csv", ("policy", "num_devices", *METRICS))
    values: dict[str, dict[int, dict[str, list[float]]]] = {}
    for policy, n, *metrics in zip(*columns.values(), strict=True):
        of_n = values.setdefault(policy, {}).setdefault(int(n), {name: [] for name in METRICS})
        for name, value in zip(METRICS, metrics, strict=True):
            of_n[name].append(float(value))
    return study_figures.save_policies(values, output)


if __name__ == "__main__":
    run_module(SizesConfig, main, "policies")
