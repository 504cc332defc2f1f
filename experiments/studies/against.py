"""Studies of key figures against one setting, for several deciders and several seeds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.configs import RunConfig, ScaledConfig
from experiments.problems import named
from experiments.runs.cells import table_of
from experiments.runs.folder import load_summary
from experiments.runs.provenance import provenance
from experiments.studies.catalogue import AGAINST, DEVICES, AgainstStudy, Settings
from experiments.studies.figures import save_against
from experiments.studies.folder import (
    collect,
    frames_of,
    publish,
    read_rows,
    run_missing,
    seeds_of,
)
from experiments.studies.metrics import METRICS


def run(name: str, study: AgainstStudy, config: ScaledConfig) -> Path:
    """Run the study's missing runs; return the folder with the table, the data and the figure."""
    came_from = provenance(config)
    tasks = [
        (label, value, run_config(study, config, {**of_value, **of_label}, seed))
        for value, of_value in values_of(study, config).items()
        for label, of_label in study.labels.items()
        for seed in seeds_of(config, study.seeds)
    ]
    folders = run_missing(name, config, [settings for *_, settings in tasks])
    column, varied = study.columns
    rows = [
        {column: label, varied: value, **load_summary(folder), "run": folder.name}
        for (label, value, _), folder in zip(tasks, folders, strict=True)
    ]
    grouped: dict[tuple[str, ...], list[Path]] = {}
    for (label, value, _), folder in zip(tasks, folders, strict=True):
        grouped.setdefault((f"{value:g}", label), []).append(folder)
    header = ("N" if study.varied == DEVICES else plain(study.varied), column)
    table = table_of(named(study.experiment).key_figures, grouped, header)
    return publish(name, config, came_from, rows, table, draw, described={"kind": "against"})


def values_of(study: AgainstStudy, config: ScaledConfig) -> Mapping[float, Settings]:
    """Return value of the varied setting -> settings of its runs."""
    asked = getattr(config, "num_devices", None)
    if asked is not None:
        return {n: {"num_devices": n} for n in asked}
    if config.scale == "smoke":
        return {value: study.values[value] for value in study.smoke}
    return study.values


def run_config(
    study: AgainstStudy, config: ScaledConfig, setting: Settings, seed: int
) -> RunConfig:
    """Return the settings of one run."""
    settings: dict[str, Any] = {"frames": frames_of(config, study.frames), "seed": seed, **setting}
    of_run: RunConfig = named(study.experiment).config(**settings, results=config.results)
    return of_run


def draw(study: Path, output: Path, described: Mapping[str, Any]) -> list[Path]:
    """Draw the figure of a saved study into another folder; return the files.

    Args:
        study: folder of the study.
        output: folder for the files.
        described: entry "study" of the study's config.json.
    """
    name = described["name"]
    entry = AGAINST[name]
    rows = read_rows(study / "runs.csv", (*entry.columns, *entry.metrics))
    values = collect(rows, entry.columns[0], tuple(entry.metrics), entry.columns[1])
    for metric, labels in entry.only.items():
        for label in values.keys() - set(labels):
            for runs in values[label].values():
                runs.pop(metric, None)
    metrics = {metric: METRICS[metric] for metric in entry.metrics}
    return save_against(values, metrics, output / name, entry.varied, entry.limits)


def plain(label: str) -> str:
    """Return a figure's label without TeX commands, for a terminal."""
    return label.replace("$", "").replace("\\", "")
