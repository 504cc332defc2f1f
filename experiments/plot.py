"""Draw the figures of saved runs or of a study again.

`python -m experiments.plot --help` lists its settings.
"""

from pathlib import Path

from experiments import studies
from experiments.cli import run_module
from experiments.configs import PlotConfig
from experiments.running.run import load
from experiments.runs import figures
from experiments.runs.folder import described_study


def main(config: PlotConfig) -> None:
    """Draw, and print the files of the figures."""
    alone = config.runs[0] if len(config.runs) == 1 else Path("figures")
    for file in draw(config, config.output or alone):
        print(file)


def draw(config: PlotConfig, output: Path) -> list[Path]:
    """Draw into a folder, and return the files."""
    first = config.runs[0]
    if described_study(first) is not None:
        if len(config.runs) > 1 or config.labels or config.window is not None:
            raise ValueError(f"{first} is a study: draw it alone, without labels and window")
        return studies.draw(first, output)
    labels = config.labels or tuple(run.resolve().name for run in config.runs)
    if len(set(labels)) < len(labels):
        raise ValueError(f"labels must differ, to tell the curves apart, got {', '.join(labels)}")
    tables = {label: load(run) for label, run in zip(labels, config.runs, strict=True)}
    if len({table.schema.quantity for table in tables.values()}) > 1:
        raise ValueError("runs must be of one problem, got runs of several problems")
    return figures.save_figures(tables, output, config.window)


if __name__ == "__main__":
    run_module(PlotConfig, main)
