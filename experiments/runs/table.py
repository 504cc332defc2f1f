"""The column table of a run. A schema a problem: all files, curves and figures are made from it."""

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
        name: in the table, in exports and in frames.csv; there the mean over the devices of real
            numbers has `mean_` before its name, and decisions are text such as 0110.
        title: for axes and tables.
        unit: "1" if it has none.
        read: how the recorder reads it from a step; None if it is computed.
        compute: how it follows from other columns; None if it is read, or set by the experiment.
        per_device: one value a device `[T, N]`, not one a frame `[T]`.
        dtype: of the values, `np.float64` or `np.int64`.
        of_agent: only agents have it, schemes do not.
        csv: whether it is in frames.csv.
        curve: whether TensorBoard shows it.
        mat: its variables in .mat files as published; none takes the name.
        stored: whether the files of a run hold it; others are restored for exports.
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
        """Its title with the unit, for an axis."""
        title = self.title or self.name.replace("_", " ").capitalize()
        return title if self.unit == "1" else f"{title} ({self.unit})"

    @property
    def variables(self) -> tuple[str, ...]:
        """Its names in .mat files."""
        return self.mat or (self.name,)

    @property
    def exported(self) -> bool:
        """Whether it is in exports: whether it is in the files of a run."""
        return self.csv or self.per_device


@dataclass(frozen=True)
class Panel:
    """How one column is drawn against the frames, for one run or several.

    Attributes:
        column: its name; "cost" is the training loss.
        title: above the Axes; {window} stands for the frames of the rolling mean.
        label: of the vertical axis; by default the column's.
        band: range of the last frames, or of the devices where there is one run, as a band; None.
        shortfall: draw what is missing to 1, on a logarithmic scale.
        raw: draw the values themselves too, faint.
        windows: frames of the rolling mean, as a multiple of the figure's window.
        steps: training steps of the loss's rolling mean; by default the figure's window.
        bottom: lower end of the vertical axis.
        reference: a setting of the runs to draw as a dashed line, if it is the same in all.
        legend: where it is.
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
    """The columns of a problem's runs, and how they are shown.

    Attributes:
        quantity: the column that decisions maximise, such as "rate"; the columns optimal_,
            normalized_, own_ and own_normalized_ of it go with it.
        columns: in the order of frames.csv, where the decision comes last.
        figures: file name -> the panels that it holds, two in a row.
        watched: columns in the progress bar, by the words there.
        places: number of places that a decision chooses from; 2 are here and the edge server.
        window: frames of the figures' rolling means.
        constants: values of a run `[N]` that are no columns: name -> variable in .mat files.
        texts: column, or "cost" -> the text file of the published scripts that holds it.
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
        """Whether frames.csv does not hold all, so that a run has a result.mat too."""
        return any(column.averaged and column.stored for column in self.columns)


class Table:
    """The frames of a run, column by column.

    Args:
        schema: of the columns.
        columns: name -> values `[T]` or `[T, N]`.
        agent: whether an agent decided.
        constants: of the run, those of the schema and any that its computed columns need.
        settings: those of the run, as config.json has them.

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
        """Whether the column is there, or can be computed."""
        try:
            self[name]
        except KeyError:
            return False
        return True

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column, computed at its first use where it follows from others.

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
        """N, the number of devices."""
        return int(self.columns["decision"].shape[1])

    @property
    def normalized(self) -> Floats:
        """Achieved over optimal quantity `[T]`; 1 where nothing can be achieved."""
        return self[f"normalized_{self.schema.quantity}"]

    def per_frame(self, name: str) -> NDArray[Any]:
        """Return a column, averaged over the devices `[T]`; the errors are those of indexing."""
        values = self[name]
        return values.mean(axis=1) if values.ndim == 2 else values

    def frames(self, frames: slice) -> "Table":
        """Return some of the frames; columns that are computed are computed anew for them."""
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
        """Set frames, from 1, and losses of the training steps."""
        cost_frame, cost = np.array(costs, dtype=np.float64).reshape(-1, 2).T
        self.cost_frame, self.cost = cost_frame.astype(np.int64), cost

    def means(self, curves: bool = False) -> Iterator[tuple[Column, Floats]]:
        """Yield the columns of frames.csv, or of curves, a value a frame `[T]`."""
        for column in self.schema.of(agent=self.agent):
            if (column.curve if curves else column.csv) and column.name in self:
                values = self[column.name]
                yield column, values.mean(axis=1) if column.averaged else values


def ratio(achieved: Floats, optimal: Floats) -> Floats:
    """Return achieved over optimal `[T]`; 1 where nothing can be achieved."""
    nothing = optimal == 0
    return np.where(nothing, 1.0, achieved / np.where(nothing, 1.0, optimal))


# Columns that every problem has, `quantity` being that which decisions maximise.


def optimal(quantity: str, unit: str) -> Column:
    """Return the column of a certified upper bound of each frame's optimum."""
    return Column(f"optimal_{quantity}", unit=unit)


def normalized(quantity: str, title: str) -> Column:
    """Return the column of the achieved over the optimal quantity."""
    return Column(
        f"normalized_{quantity}",
        title,
        compute=lambda table: ratio(table[quantity], table[f"optimal_{quantity}"]),
        curve=True,
    )


def own(quantity: str, unit: str, *, normalized_curve: bool = False) -> tuple[Column, Column]:
    """Return the columns of the policy's own rounded decision alone, as it is and normalized.

    Args:
        quantity: that which decisions maximise.
        unit: of it.
        normalized_curve: whether TensorBoard shows the latter, or the former.
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
"""Number of candidates that were asked for."""
BEST_CANDIDATE = Column(
    "best_candidate",
    read=lambda step: step.choice.candidate if step.choice else 0,
    dtype=np.int64,
    of_agent=True,
)
"""Index of the best decision among those scored, from 0."""
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
"""The decision carried out."""
