"""Draw the figures of saved runs again, without running anything.

`python -m experiments.plot --help` lists its settings.
"""

from pathlib import Path

from experiments import figures, results
from experiments.cli import run_module
from experiments.configs import PlotConfig


def main(config: PlotConfig) -> None:
    """Draw, and print where the figures are."""
    labels = config.labels or tuple(run.resolve().name for run in config.runs)
    if len(set(labels)) < len(labels):
        raise ValueError(f"labels must differ, to tell the curves apart, got {', '.join(labels)}")
    histories = {label: results.load(run) for label, run in zip(labels, config.runs, strict=True)}
    alone = config.runs[0] if len(config.runs) == 1 else Path("figures")
    for file in figures.save_figures(histories, config.output or alone, config.window):
        print(file)


if __name__ == "__main__":
    run_module(PlotConfig, main)
