"""An experiment: the problem-specific part of running, saving, drawing and exporting runs."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from agent import DROO, Fleet, MemoryDNN
from agent.refinement import Climb
from env import PlayableProblem
from experiments.compiled.playing import CompiledProblem, can_be_compiled, play_compiled
from experiments.configs import AgentConfig, PolicyConfig, RunConfig
from experiments.consumers.recorder import Block, record, record_fleet
from experiments.runs import summary
from experiments.runs.cells import KeyFigures
from experiments.runs.table import Schema, Table
from experiments.simulation import Decider, Step, check_agrees, simulate, simulate_fleet

Config = TypeVar("Config", bound=RunConfig)


@dataclass(eq=False)
class Task(Generic[Config]):
    """A run, ready to be played.

    Attributes:
        config: settings of the run, resolved.
        decider: an agent or a scheme.
        problem: the environment in which it decides.
        num_frames: number of frames T.
        test_frames: number of test frames, which are the last of the run.
        options: options for the problem's `reset`.
        climb: the problem's own refinement, for `DROO.decide`; None refines by its score.
        constants: constants of the table.
        facts: entries of summary.json that are computed neither from the frames nor from times.
    """

    config: Config
    decider: Decider
    problem: PlayableProblem
    num_frames: int
    test_frames: int
    options: dict[str, Any] | None = None
    climb: Climb | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_devices(self) -> int:
        """N, the number of devices."""
        return self.problem.num_devices

    def simulate(self) -> Iterator[Step]:
        """Yield the frames of the run."""
        return simulate(
            self.decider, self.problem, self.num_frames, options=self.options, climb=self.climb
        )

    def compiled(self) -> CompiledProblem | None:
        """Return the frames for the compiled loop; None if the problem has no kernels for it."""
        return None

    def new_table(self, schema: Schema) -> Table:
        """Return a table for the frames."""
        agent = isinstance(self.decider, DROO)
        shape = self.num_frames, self.num_devices
        return Table.empty(schema, *shape, agent=agent, constants=self.constants)


class Experiment(ABC, Generic[Config]):
    """The experiment of one problem: a base class, whose subclasses are registered in `problems`.

    Attributes:
        name: name of the experiment and of its results folder.
        title: name of its agent in legends.
        config: class of the settings.
        schema: schema of the tables of runs.
        key_figures: columns of tables that summarize several runs.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    config: type[Config]
    schema: ClassVar[Schema]
    key_figures: ClassVar[KeyFigures]

    @abstractmethod
    def prepare(self, config: Config) -> Task[Config]:
        """Return a run's decider, problem and frames.

        Args:
            config: settings of the run, resolved.

        Raises:
            ValueError: if a setting is out of range, or the data file is damaged.
            FileNotFoundError: if the data file does not exist.
        """

    @abstractmethod
    def rows(self, summary: Mapping[str, Any]) -> dict[str, object]:
        """Return name -> value of each line that a run's command prints."""

    def learns(self, config: Config) -> bool:  # noqa: ARG002 (subclasses use it)
        """Whether an agent decides in a run with these settings, not a scheme."""
        return True

    def play(self, task: Task[Config], table: Table) -> Iterator[Block]:
        """Play the frames of a run into a table, and yield the blocks written.

        They are played in compiled code, if that supports agent and problem.

        Raises:
            ValueError: if the agent does not fit the problem.
            ArithmeticError: if training made the network's parameters non-finite, or an allocation
                could not be solved.
        """
        if isinstance(task.decider, DROO):
            check_agrees(task.decider, task.problem)
            problem = task.compiled()
            if problem is not None and can_be_compiled(task.decider, problem, table):
                return play_compiled(task.decider, problem, table)
        return record(task.simulate(), table)

    def play_together(
        self, tasks: Sequence[Task[Config]], tables: Sequence[Table], device: str
    ) -> Iterator[list[Block]]:
        """Play runs whose agents form a fleet, and yield the blocks of the runs `[B]`."""
        fleet = Fleet([task.decider for task in tasks if isinstance(task.decider, DROO)], device)
        try:
            yield from self.play_with(fleet, tasks, tables)
        finally:
            fleet.release()

    def play_with(
        self, fleet: Fleet, tasks: Sequence[Task[Config]], tables: Sequence[Table]
    ) -> Iterator[list[Block]]:
        """Play runs with the fleet of their agents, and yield the blocks of the runs `[B]`."""
        frames = simulate_fleet(
            fleet,
            [task.problem for task in tasks],
            tasks[0].num_frames,
            options=[task.options for task in tasks],
            climbs=[task.climb for task in tasks],
        )
        return record_fleet(frames, tables)

    def changes(self, config: Config, num_frames: int) -> list[int]:  # noqa: ARG002 (of subclasses)
        """Return the numbers of frames after which the problem changes in a run of this length."""
        return []

    def begin(self, task: Task[Config]) -> None:
        """Start in the background the work for `complete` that does not depend on the frames."""

    def complete(self, task: Task[Config], table: Table) -> None:
        """Set the columns that are known only after the last frame, such as the optimum.

        May set `task.facts` too.
        """

    def summarize(self, task: Task[Config], table: Table) -> dict[str, Any]:
        """Return the entries of summary.json that are computed from the frames."""
        changes = self.changes(task.config, task.num_frames)
        return summary.summarize(table, task.test_frames, changes)

    def warning(self, summary: Mapping[str, Any]) -> str | None:  # noqa: ARG002 (subclasses use it)
        """Return a warning about a run; None if there is nothing to warn about."""
        return None

    def restore(self, came_from: Mapping[str, Any], table: Table) -> None:
        """Set the columns of a saved run that its files do not hold.

        Args:
            came_from: content of the run's config.json.
            table: frames of the run; the columns are set in it.

        Raises:
            ValueError: if it cannot be verified that the columns are those of the run.
            OSError: if a data file cannot be read.
        """


def agent_seed(seed: int) -> np.random.SeedSequence:
    """Return the agent's random stream of a run's seed; the first stream is the channel's."""
    _, for_agent = np.random.SeedSequence(seed).spawn(2)
    return for_agent


def build_agent(
    config: PolicyConfig,
    num_devices: int,
    seed: np.random.SeedSequence,
    training_interval: int = 10,
) -> MemoryDNN:
    """Return an agent with these resolved settings.

    Args:
        config: settings of the policy and its training, resolved.
        num_devices: number of devices N.
        seed: seed of the initial weights and of the agent's random draws.
        training_interval: number of frames between training steps.

    Raises:
        ValueError: if a setting is out of range.
    """
    assert config.policy is not None  # `resolve` has filled these in
    assert config.features is not None
    assert config.hidden is not None
    return MemoryDNN(
        [len(config.features) * num_devices, *config.hidden, num_devices],
        config.learning_rate,
        training_interval,
        config.batch_size,
        config.memory_size,
        policy=config.policy,
        features=config.features,
        loss=config.loss,
        rebuild_optimizer=config.rebuild_optimizer,
        seed=seed,
    )


def build_droo(config: AgentConfig, agent: MemoryDNN) -> DROO:
    """Return a DROO of an agent with these resolved settings.

    Raises:
        ValueError: if a setting is out of range.
    """
    assert config.quantizer is not None  # `resolve` has filled it in
    return DROO(
        agent,
        mode=config.quantizer,
        num_candidates=config.num_candidates,
        adapt_every=config.adapt_every,
        refine_every=config.refine_every or None,
        refine_from_local=bool(config.refine_from_local),
        learn_when_wrong=bool(config.learn_when_wrong),
        explore=config.explore,
    )
