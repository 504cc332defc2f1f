"""Draw the figures of saved runs or of a study again.

`python -m experiments.plot --help` lists its settings.
"""

import importlib
from pathlib import Path

from experiments.cli import run_module
from experiments.configs import PlotConfig
from experiments.problems.queueing import figures as queueing_figures
from experiments.problems.queueing import history as queueing_history
from experiments.runs import figures, results


def main(config: PlotConfig) -> None:
    """Draw, and print where the figures are."""
    alone = config.runs[0] if len(config.runs) == 1 else Path("figures")
    for file in draw(config, config.output or alone):
        print(file)


def draw(config: PlotConfig, output: Path) -> list[Path]:
    """Draw into a folder, and return the files."""
    first = config.runs[0]
    study = results.study_module(first)
    if study is not None:
        if len(config.runs) > 1 or config.labels or config.window is not None:
            raise ValueError(f"{first} is a study: draw it alone, without labels and window")
        files: list[Path] = importlib.import_module(f"experiments.studies.{study}").draw(
            first, output
        )
        return files
    labels = config.labels or tuple(run.resolve().name for run in config.runs)
    if len(set(labels)) < len(labels):
        raise ValueError(f"labels must differ, to tell the curves apart, got {', '.join(labels)}")
    labelled = dict(zip(labels, config.runs, strict=True))
    with_queues = [(run / queueing_history.RESULT_FILE).exists() for run in config.runs]
    if not any(with_queues):
        histories = {label: results.load(run) for label, run in labelled.items()}
        return figures.save_figures(histories, output, config.window or figures.WINDOW)
    for run in config.runs:
        if not run.is_dir():
            raise FileNotFoundError(f"there is no folder {run}")
    if not all(with_queues):
        raise ValueError("runs must be of one problem, with queues or without")
    return queueing_figures.save_run(
        {label: queueing_history.load(run) for label, run in labelled.items()},
        queueing_figures.common_budget(config.runs),
        output,
        config.window or queueing_figures.WINDOW,
    )


if __name__ == "__main__":
    run_module(PlotConfig, main)
