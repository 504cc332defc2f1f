"""Runs of the main experiment for tests that play them in several ways."""

from agent import DROO
from experiments.configs import DROOConfig, resolve
from experiments.problems.wpmec.experiment import WPMECTask, task_of
from experiments.problems.wpmec.frames import apply_scenario, make_frames


def task_with(config: DROOConfig) -> tuple[WPMECTask, DROO]:
    """Return a run whose optimum is not computed, and its agent."""
    gains, weights = make_frames(config)
    task = task_of(resolve(config), *apply_scenario(config.scenario, gains, weights))
    assert isinstance(task.decider, DROO)
    return task, task.decider
