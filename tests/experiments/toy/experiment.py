"""The experiment of the toy problem."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from env import RecordedChannel
from env.channel import rayleigh
from experiments.problems.experiment import (
    Experiment,
    Task,
    agent_seed,
    build_agent,
    build_droo,
)
from experiments.runs.cells import mean_of, shortfall_of
from experiments.runs.table import Table
from tests.experiments.toy.configs import ToyConfig
from tests.experiments.toy.environment import ToyMEC, best_decision
from tests.experiments.toy.schema import SCHEMA


class ToyExperiment(Experiment[ToyConfig]):
    """The toy problem."""

    name = "toy"
    title = "Toy"
    config = ToyConfig
    schema = SCHEMA
    key_figures = (
        ("1 - total", shortfall_of("normalized_total_test")),
        ("scored", mean_of("mean_scored", "{:.1f}")),
    )

    def prepare(self, config: ToyConfig) -> Task[ToyConfig]:
        """Return a run's agent and environment."""
        env = self._environment(config)
        seed = agent_seed(config.seed)
        agent = build_agent(config, env.num_devices, seed, config.training_interval)
        return Task(
            config,
            build_droo(config, agent),
            env,
            config.frames,
            test_frames=config.frames // 5,
        )

    def _environment(self, config: ToyConfig) -> ToyMEC:
        """Return an environment that plays the frames of a run."""
        (stream,) = np.random.SeedSequence(config.seed).spawn(1)
        channel = rayleigh(np.ones(config.num_devices or 10))
        gains = channel.sample(np.random.default_rng(stream), config.frames)
        features = config.features or ("gain",)
        return ToyMEC(channel=RecordedChannel(gains), features=features)

    def complete(self, task: Task[ToyConfig], table: Table) -> None:
        """Set the optimum of each frame."""
        env = self._environment(task.config)
        env.reset()
        best = np.empty(len(table))
        for t in range(len(table)):
            decision = best_decision(env)
            best[t] = env.score(decision[None])[0]
            env.step(decision)
        table.columns["optimal_total"] = best

    def rows(self, summary: Mapping[str, Any]) -> dict[str, object]:
        """Return the lines of a run's summary."""
        return {"Sum over optimum": f"{summary['normalized_total_test']:.4f}"}
