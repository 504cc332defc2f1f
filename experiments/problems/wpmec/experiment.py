"""The main experiment: DROO online on wireless powered MEC."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from agent import DROO, Fleet, MemoryDNN
from droo_core.arrays import Floats
from env import WirelessPoweredMEC
from experiments.configs import DROOConfig
from experiments.consumers.recorder import Block
from experiments.problems.experiment import (
    Experiment,
    Task,
    agent_seed,
    build_agent,
    build_droo,
)
from experiments.problems.wpmec.certificates import Certificates
from experiments.problems.wpmec.compiled import CompiledWPMEC
from experiments.problems.wpmec.frames import EVENTS, frames_of_run, make_env
from experiments.problems.wpmec.restored import restored_frames
from experiments.problems.wpmec.schema import SCHEMA
from experiments.runs.cells import frames_until, mean_of, shortfall_of, worst_of
from experiments.runs.table import Table
from experiments.simulation import Step

T = TypeVar("T")


@dataclass(eq=False)
class WPMECTask(Task[DROOConfig]):
    """A run whose channel gains are known in advance.

    Attributes:
        gains: channel gains `[T, N]`, the recording that `problem` plays.
        weights_from: first frame, from 0, -> the weights `[N]` from that frame on; 0 is among the
            keys.
        certificates: the optimum of each frame.
    """

    problem: WirelessPoweredMEC
    _: KW_ONLY
    gains: Floats
    weights_from: Mapping[int, Floats]
    certificates: Certificates

    def simulate(self) -> Iterator[Step]:
        """Yield the frames of the run, whose weights change between frames."""
        return with_weights(super().simulate(), [self])

    def compiled(self) -> CompiledWPMEC:
        """Return the frames for the compiled loop."""
        return CompiledWPMEC(self.gains[: self.num_frames], self.weights_from)


class WPMECExperiment(Experiment[DROOConfig]):
    """DROO on wireless powered MEC."""

    name = "droo"
    title = "DROO"
    config = DROOConfig
    schema = SCHEMA
    key_figures = (
        ("1 - rate, test", shortfall_of("normalized_rate_test")),
        ("worst", worst_of("normalized_rate_test")),
        ("1 - rate, first 200", shortfall_of("normalized_rate_first_200")),
        ("worst", worst_of("normalized_rate_first_200")),
        ("1 - rate, 200 after a change", shortfall_of("normalized_rate_200_after_change")),
        ("worst", worst_of("normalized_rate_200_after_change")),
        ("1 - rate, own decision", shortfall_of("own_normalized_rate_test")),
        ("frames to 0.99", frames_until("frames_to_0_99")),
        ("to 0.999", frames_until("frames_to_0_999")),
        ("scored per frame", mean_of("mean_scored")),
        ("gradient steps", mean_of("gradient_steps")),
        ("parameters", mean_of("parameters")),
        ("us per frame", mean_of("microseconds_per_frame")),
    )

    def prepare(self, config: DROOConfig) -> WPMECTask:
        """Return a run's agent and frames."""
        torch.set_num_threads(1)  # more threads slow down networks of this size
        return task_of(config, *frames_of_run(config))

    def begin(self, task: Task[DROOConfig]) -> None:
        """Certify the optimum of each frame while the frames are played."""
        assert isinstance(task, WPMECTask)
        task.certificates.begin()

    def play_with(
        self, fleet: Fleet, tasks: Sequence[Task[DROOConfig]], tables: Sequence[Table]
    ) -> Iterator[list[Block]]:
        """Play runs with the fleet of their agents, whose weights change between frames."""
        of_tasks = [task for task in tasks if isinstance(task, WPMECTask)]
        return with_weights(super().play_with(fleet, tasks, tables), of_tasks)

    def complete(self, task: Task[DROOConfig], table: Table) -> None:
        """Set the certified optimum of each frame."""
        assert isinstance(task, WPMECTask)
        bounds, facts = task.certificates.results
        table.columns["optimal_rate"] = bounds[: len(table)]
        task.facts = {**task.facts, **facts}

    def changes(self, config: DROOConfig, num_frames: int) -> list[int]:
        """Return the numbers of frames after which weights or devices change."""
        return [at * num_frames // 100 for at in EVENTS[config.scenario]]

    def rows(self, summary: Mapping[str, Any]) -> dict[str, object]:
        """Return the lines of a run's summary."""
        never = "not reached"
        return {
            "Devices N": summary["num_devices"],
            "Frames (test frames)": (f"{summary['frames']:,} ({summary['test_frames']:,})"),
            "Normalized rate, test frames": f"{summary['normalized_rate_test']:.6f}",
            "Optimal decisions, test frames": f"{summary['optimal_decision_fraction_test']:.2%}",
            "Frames until 0.99 / 0.999 (mean of 200)": (
                f"{summary['frames_to_0_99'] or never} / {summary['frames_to_0_999'] or never}"
            ),
            "Own decision alone, test frames": f"{summary['own_normalized_rate_test']:.6f}",
        }

    def restore(self, came_from: Mapping[str, Any], table: Table) -> None:
        """Set the channel gains and the weights of every frame of a saved run."""
        table.columns["gain"], table.columns["weight"] = restored_frames(came_from, table)
        table.constants["weights"] = table["weight"][0]


def task_of(
    config: DROOConfig, gains: Floats, weights_from: Mapping[int, Floats], test_frames: int = 0
) -> WPMECTask:
    """Return a run with a new agent, without the optimum of its frames.

    Args:
        config: settings of the run, resolved.
        gains: channel gains `[T, N]`.
        weights_from: first frame, from 0, -> the weights `[N]` from that frame on; 0 is among the
            keys.
        test_frames: number of test frames at the end.

    Raises:
        ValueError: if a setting is out of range, or gains and weights are not for the same devices.
        FileNotFoundError: if the file `warm_start` does not exist.
    """
    return WPMECTask(
        config,
        build(config, gains.shape[1], agent_seed(config.seed)),
        make_env(gains, weights_from[0], config.features),
        len(gains),
        test_frames,
        constants={"weights": weights_from[0]},
        gains=gains,
        weights_from=weights_from,
        certificates=Certificates(gains, weights_from, config.optimum_time_limit),
    )


def build(config: DROOConfig, num_devices: int, seed: np.random.SeedSequence) -> DROO:
    """Return an agent with these resolved settings.

    Raises:
        ValueError: if a setting is out of range, or the policy in `warm_start` does not fit.
        FileNotFoundError: if the file `warm_start` does not exist.
    """
    agent = build_agent(config, num_devices, seed, config.training_interval)
    if config.warm_start is not None:
        agent.start_from(MemoryDNN.load(config.warm_start))
    return build_droo(config, agent)


def with_weights(frames: Iterable[T], tasks: Sequence[WPMECTask]) -> Iterator[T]:
    """Yield frames unchanged; set the weights of the tasks' problems before and between them."""
    for task in tasks:
        task.problem.weights = task.weights_from[0]
    for number, frame in enumerate(frames, start=1):
        yield frame
        for task in tasks:
            if number in task.weights_from:
                task.problem.weights = task.weights_from[number]
