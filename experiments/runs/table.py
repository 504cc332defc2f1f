"""The column table of a run; each problem's schema describes its files, curves and figures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints
from experiments.simulation import Step

Nothing: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Column:
    """One quantity of every frame.

    Attributes:
        name: name in the table, in exports and in frames.csv. frames.csv holds the mean over the
            devices of real per-device values, as `mean_` + name, and decisions as text such as
            0110.
        title: title for axes and tables.
        unit: unit; "1" if there is none.
        read: function from a step to the value, for the recorder; None if it is not recorded.
        compute: function from the table to the values, if they are computed from other columns;
            None if they are recorded, or set by the experiment.
        per_device: whether there is one value per device `[T, N]`, not one per frame `[T]`.
        dtype: type of the values, `np.float64` or `np.int64`.
        of_agent: whether only runs of agents have the column, not those of schemes.
        csv: whether frames.csv holds the column.
        curve: whether TensorBoard shows the column.
        mat: published names of its variables in .mat files; empty takes `name`.
        stored: whether the run folder holds the column; otherwise exports restore it.
    """

    name: str
    title: str = ""
    unit: str = "1"
    read: Callable[[Step], Any] | None = None
    compute: "Callable[[Table], NDArray[Any]] | None" = None
    per_device: bool = False
    dtype: type = np.float64
    of_agent: bool = False
    csv: bool = True
    curve: bool = False
    mat: tuple[str, ...] = ()
    stored: bool = True

    @property
    def averaged(self) -> bool:
        """Whether frames.csv and curves hold its mean over the devices."""
        return self.per_device and self.dtype is np.float64

    @property
    def header(self) -> str:
        """Its name in frames.csv and TensorBoard."""
        return f"mean_{self.name}" if self.averaged else self.name

    @property
    def label(self) -> str:
        """Its title and unit, for an axis."""
        title = self.title or self.name.replace("_", " ").capitalize()
        return title if self.unit == "1" else f"{title} ({self.unit})"

    @property
    def variables(self) -> tuple[str, ...]:
        """Its names in .mat files."""
        return self.mat or (self.name,)

    @property
    def exported(self) -> bool:
        """Whether exports hold it."""
        return self.csv or self.per_device


@dataclass(frozen=True)
class Panel:
    """How one column is drawn against the frames, for one run or several.

    Attributes:
        column: name of the column; "cost" is the training loss.
        title: title above the Axes; {window} stands for the number of frames of the rolling mean.
        label: label of the vertical axis; by default that of the column.
        band: draws a band: "range" over the frames of the window, "devices" over the devices (if
            there is one run); None draws no band.
        shortfall: whether to draw 1 minus the values, on a logarithmic scale.
        raw: whether to draw the values themselves too, faintly.
        windows: frames of the rolling mean, as a multiple of the figure's window.
        steps: training steps of the loss's rolling mean; by default the figure's window.
        bottom: lower limit of the vertical axis.
        reference: setting of the runs to draw as a dashed line, if it is equal in all runs.
        legend: position of the legend.
    """

    column: str
    title: str
    label: str | None = None
    band: Literal["range", "devices"] | None = None
    shortfall: bool = False
    raw: bool = False
    windows: int = 1
    steps: int | None = None
    bottom: float | None = None
    reference: str | None = None
    legend: Literal["lower right", "upper right"] = "upper right"


@dataclass(frozen=True)
class Schema:
    """The columns of a problem's runs, and their figures.

    Attributes:
        quantity: name of the column that decisions maximise, such as "rate"; it is accompanied by
            the columns optimal_, normalized_, own_ and own_normalized_ + quantity.
        columns: the columns in the order of frames.csv, except that there the decision comes last.
        figures: file name -> panels of the figure, two per row.
        watched: label in the progress bar -> column shown there.
        places: number of places among which a decision chooses; 2 for the device and the server.
        window: number of frames of the figures' rolling means.
        constants: name of a per-run constant `[N]` -> its variable in .mat files.
        texts: column, or "cost" -> text file in which the published scripts save it.
    """

    quantity: str
    columns: tuple[Column, ...]
    figures: Mapping[str, tuple[Panel, ...]] = field(hash=False)
    watched: Mapping[str, str] = field(hash=False)
    places: int = 2
    window: int = 50
    constants: Mapping[str, str] = field(default_factory=dict, hash=False)
    texts: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __getitem__(self, name: str) -> Column:
        """Return a column by its name."""
        return next(column for column in self.columns if column.name == name)

    def __iter__(self) -> Iterator[Column]:
        """Iterate over the columns."""
        return iter(self.columns)

    def of(self, *, agent: bool) -> list[Column]:
        """Return the columns that a run has, of an agent or of a scheme."""
        return [column for column in self.columns if agent or not column.of_agent]

    @property
    def in_csv(self) -> list[Column]:
        """The columns of frames.csv, the decision last."""
        columns = [column for column in self.columns if column.csv]
        return sorted(columns, key=lambda column: column.name == "decision")

    @property
    def needs_mat(self) -> bool:
        """Whether a run has a result.mat, because frames.csv holds only means over the devices."""
        return any(column.averaged and column.stored for column in self.columns)


class Table:
    """The frames of a run, column by column.

    Args:
        schema: description of the columns.
        columns: name -> values `[T]` or `[T, N]`.
        agent: whether an agent decided, not a scheme.
        constants: constants of the run: those of the schema, and those that computed columns need.
        settings: settings of the run as in config.json.

    Attributes:
        schema: the argument.
        columns: the argument.
        agent: the argument.
        constants: the argument.
        settings: the argument.
        cost_frame: frames of the training steps `[U]`, from 1.
        cost: training losses `[U]`.
    """

    def __init__(
        self,
        schema: Schema,
        columns: dict[str, NDArray[Any]],
        *,
        agent: bool = True,
        constants: Mapping[str, Any] = Nothing,
        settings: Mapping[str, Any] = Nothing,
    ) -> None:
        self.schema, self.columns, self.agent = schema, columns, agent
        self.constants, self.settings = dict(constants), settings
        self.cost_frame: Ints = np.empty(0, np.int64)
        self.cost: Floats = np.empty(0)

    @classmethod
    def empty(
        cls,
        schema: Schema,
        num_frames: int,
        num_devices: int,
        *,
        agent: bool = True,
        constants: Mapping[str, Any] = Nothing,
    ) -> Self:
        """Return a table with room for the columns that a recorder reads."""
        shapes = {False: (num_frames,), True: (num_frames, num_devices)}
        columns: dict[str, NDArray[Any]] = {
            column.name: np.empty(shapes[column.per_device], column.dtype)
            for column in schema.of(agent=agent)
            if column.read is not None
        }
        return cls(schema, columns, agent=agent, constants=constants)

    def __contains__(self, name: str) -> bool:
        """Whether the table has the column, or can compute it."""
        try:
            self[name]
        except KeyError:
            return False
        return True

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column; computed columns are computed at their first use.

        Raises:
            KeyError: if the run has no such column.
        """
        if name not in self.columns:
            column = next((each for each in self.schema if each.name == name), None)
            if column is None or column.compute is None or (column.of_agent and not self.agent):
                raise KeyError(name)
            self.columns[name] = column.compute(self)
        return self.columns[name]

    def __len__(self) -> int:
        """Return the number of frames T."""
        return len(self.columns["decision"])

    @property
    def num_devices(self) -> int:
        """The number of devices N."""
        return int(self.columns["decision"].shape[1])

    @property
    def normalized(self) -> Floats:
        """Achieved over optimal quantity `[T]`; 1 if the optimum is 0."""
        return self[f"normalized_{self.schema.quantity}"]

    def per_frame(self, name: str) -> NDArray[Any]:
        """Return a column, averaged over the devices `[T]`; the errors are those of indexing."""
        values = self[name]
        return values.mean(axis=1) if values.ndim == 2 else values

    def frames(self, frames: slice) -> "Table":
        """Return a table of some of the frames, in which computed columns are computed again."""
        recorded = {
            name: values[frames]
            for name, values in self.columns.items()
            if self.schema[name].compute is None
        }
        return Table(
            self.schema,
            recorded,
            agent=self.agent,
            constants=self.constants,
            settings=self.settings,
        )

    def set_costs(self, costs: Sequence[tuple[int, float]]) -> None:
        """Set the training losses, from pairs (frame, loss); frames count from 1."""
        cost_frame, cost = np.array(costs, dtype=np.float64).reshape(-1, 2).T
        self.cost_frame, self.cost = cost_frame.astype(np.int64), cost

    def means(self, curves: bool = False) -> Iterator[tuple[Column, Floats]]:
        """Yield the columns of frames.csv, or of curves, with one value per frame `[T]`."""
        for column in self.schema.of(agent=self.agent):
            if (column.curve if curves else column.csv) and column.name in self:
                values = self[column.name]
                yield column, values.mean(axis=1) if column.averaged else values


def ratio(achieved: Floats, optimal: Floats) -> Floats:
    """Return achieved over optimal quantity `[T]`; 1 if the optimum is 0."""
    nothing = optimal == 0
    return np.where(nothing, 1.0, achieved / np.where(nothing, 1.0, optimal))


# Columns that every problem has. `quantity` is the name of the column that decisions maximise.


def optimal(quantity: str, unit: str) -> Column:
    """Return the column of a certified upper bound of each frame's optimum."""
    return Column(f"optimal_{quantity}", unit=unit)


def normalized(quantity: str, title: str) -> Column:
    """Return the column of the achieved quantity over the optimal one."""
    return Column(
        f"normalized_{quantity}",
        title,
        compute=lambda table: ratio(table[quantity], table[f"optimal_{quantity}"]),
        curve=True,
    )


def own(quantity: str, unit: str, *, normalized_curve: bool = False) -> tuple[Column, Column]:
    """Return the columns of the policy's own decision: the quantity, and normalized.

    Args:
        quantity: name of the column that decisions maximise.
        unit: unit of the quantity.
        normalized_curve: whether TensorBoard shows the normalized column, not the quantity.
    """
    return (
        Column(
            f"own_{quantity}",
            unit=unit,
            read=lambda step: step.choice.own_reward if step.choice else np.nan,
            of_agent=True,
            curve=not normalized_curve,
        ),
        Column(
            f"own_normalized_{quantity}",
            compute=lambda table: ratio(table[f"own_{quantity}"], table[f"optimal_{quantity}"]),
            of_agent=True,
            csv=False,
            curve=normalized_curve,
        ),
    )


K = Column(
    "k",
    "$K$",
    read=lambda step: step.k,
    dtype=np.int64,
    of_agent=True,
    curve=True,
)
"""Number of candidates K that the quantizer was asked for."""
BEST_CANDIDATE = Column(
    "best_candidate",
    read=lambda step: step.choice.candidate if step.choice else 0,
    dtype=np.int64,
    of_agent=True,
)
"""Index of the best decision among those scored, from 0; 0 is the policy's own decision."""
SCORED = Column(
    "scored",
    "Decisions scored",
    read=lambda step: step.choice.num_candidates if step.choice else 0,
    dtype=np.int64,
    of_agent=True,
    curve=True,
)
"""Number of decisions scored, refinement included."""
DECISION = Column(
    "decision",
    read=lambda step: step.decision,
    per_device=True,
    dtype=np.int64,
)
"""The decision that was carried out."""
