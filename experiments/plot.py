"""Draw the figures of saved runs again, without running anything.

`python -m experiments.plot --help` lists its settings.
"""

from pathlib import Path

from experiments import plots, results
from experiments.cli import run_module
from experiments.configs import PlotConfig


def main(config: PlotConfig) -> None:
    """Draw, and print where the figures are."""
    histories = {run.resolve().name: results.load(run) for run in config.runs}
    if len(histories) < len(config.runs):
        raise ValueError("runs must have different folder names: they tell the curves apart")
    alone = config.runs[0] if len(config.runs) == 1 else Path("figures")
    for file in plots.save_figures(histories, config.output or alone, config.window):
        print(file)


if __name__ == "__main__":
    run_module(PlotConfig)
