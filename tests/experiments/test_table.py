"""The column table of a run: files, and everything that follows from its schema."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.io import loadmat
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from env import QueueingParameters
from experiments import export
from experiments.configs import DROOConfig, ExportConfig, LyDROOConfig
from experiments.problems import named
from experiments.problems.queueing.schema import SCHEMA as QUEUEING
from experiments.problems.wpmec.schema import SCHEMA as WPMEC
from experiments.running.run import load
from experiments.running.run import run as run_experiment
from experiments.runs import figures, store
from experiments.runs.table import Column, Panel, Schema, Table, ratio

T, N = 30, 3


def filled(schema: Schema, *, agent: bool) -> Table:
    """Return a table of random numbers, complete as after a run."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(1, 2, N)
    constants = {"weights": weights, "parameters": QueueingParameters()}
    table = Table.empty(schema, T, N, agent=agent, constants=constants)
    for values in table.columns.values():
        fraction = rng.random(values.shape) if values.dtype == np.float64 else 0
        values[:] = rng.integers(0, 2, values.shape) + fraction
    table.columns[f"optimal_{schema.quantity}"] = table[schema.quantity] + rng.random(T)
    if agent:
        table.set_costs([(frame, float(rng.random())) for frame in (10, 20, 30)])
    return table


@pytest.mark.parametrize("agent", [True, False])
@pytest.mark.parametrize("schema", [WPMEC, QUEUEING])
def test_a_table_written_and_read_back_is_the_same(
    schema: Schema, agent: bool, tmp_path: Path
) -> None:
    table = filled(schema, agent=agent)
    store.write_table(tmp_path, table)
    again = store.read_table(tmp_path, schema)
    assert (again.agent, len(again), again.num_devices) == (agent, T, N)
    assert len(again.columns) >= (8 if agent else 4)
    for column in schema.of(agent=agent):
        if column.stored:
            assert np.array_equal(again[column.name], table[column.name]), column.name
            assert again[column.name].dtype == table[column.name].dtype
    assert ("k" in again) == agent
    assert (again.cost_frame == table.cost_frame).all()
    assert (again.cost == table.cost).all()
    if schema.needs_mat:
        assert (again.constants["weights"] == table.constants["weights"]).all()


@pytest.mark.parametrize("agent", [True, False])
@pytest.mark.parametrize("schema", [WPMEC, QUEUEING])
def test_frames_csv_has_the_columns_of_the_schema(
    schema: Schema, agent: bool, tmp_path: Path
) -> None:
    table = filled(schema, agent=agent)
    store.write_table(tmp_path, table)
    with (tmp_path / "frames.csv").open() as file:
        header, *rows = csv.reader(file)
    wanted = [column for column in schema.in_csv if agent or not column.of_agent]
    assert header == ["frame", *(column.header for column in wanted)]
    assert header[-1] == "decision"
    for column, values in zip(wanted, list(zip(*rows, strict=True))[1:], strict=True):
        if column.name == "decision":
            assert [list(map(int, row)) for row in values] == table["decision"].tolist()
        else:
            expected = table[column.name]
            expected = expected.mean(axis=1) if column.per_device else expected
            assert (np.array(values, np.float64) == expected).all(), column.name


def test_the_columns_are_the_published_ones() -> None:
    of_agent = ["k", "best_candidate", "scored", "decision"]
    assert [column.header for column in WPMEC.in_csv] == [
        "rate",
        "own_rate",
        "optimal_rate",
        "normalized_rate",
        *of_agent,
    ]
    assert [column.header for column in QUEUEING.in_csv] == [
        *("mean_data_queue", "mean_energy_queue", "mean_energy", "mean_rate"),
        *("objective", "optimal_objective", "normalized_objective", "own_objective"),
        *of_agent,
    ]
    variables = {name for column in store.stored_in_mat(QUEUEING) for name in column.variables}
    assert variables == {
        *("input_h", "data_arrival", "data_queue", "energy_queue", "off_mode"),
        *("rate", "data_rate", "energy_consumption", "objective"),
    }


def test_a_computed_column_follows_from_the_others_of_the_same_frames() -> None:
    table = filled(QUEUEING, agent=True)
    parameters, weights = table.constants["parameters"], table.constants["weights"]
    for t in range(T):
        worth = table["data_queue"][t] + parameters.tradeoff * weights
        price = parameters.energy_price * table["energy_queue"][t]
        expected = worth @ table["rate"][t] - price @ table["energy"][t]
        assert table["objective"][t] == pytest.approx(expected, rel=1e-12)
    part = table.frames(slice(10, 20))
    assert (part["objective"] == table["objective"][10:20]).all()
    assert (part.normalized == table["normalized_objective"][10:20]).all()
    with pytest.raises(KeyError, match="height"):
        table["height"]
    with pytest.raises(KeyError, match="own_normalized_objective"):
        filled(QUEUEING, agent=False)["own_normalized_objective"]


def test_a_frame_in_which_nothing_can_be_achieved_has_the_ratio_one() -> None:
    assert ratio(np.array([0.0, 1.0]), np.array([0.0, 4.0])).tolist() == [1.0, 0.25]


MORE = (
    Column("twice", "Twice the reward", read=lambda step: 2 * step.reward, curve=True),
    Column(
        "share",
        "Decision as a number",
        "1/2",
        read=lambda step: step.decision / 2,
        per_device=True,
        curve=True,
        mat=("published_share",),
    ),
    Column("thrice", compute=lambda table: 1.5 * table["twice"], curve=True),
)
"""One column of each kind: per frame, per device, and computed."""
CONFIGS: dict[str, Callable[..., Any]] = {
    "droo": lambda **more: DROOConfig(num_devices=N, frames=T, **more),
    "droo, compiled": lambda **more: DROOConfig(
        num_devices=N, frames=T, preset="published", **more
    ),
    "lydroo": lambda **more: LyDROOConfig(num_devices=N, frames=T, **more),
    "lydroo, a scheme": lambda **more: LyDROOConfig(
        num_devices=N, frames=T, scheme="exact", **more
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_column_added_to_the_schema_is_everywhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment: Any = named(name.partition(",")[0])
    panel = Panel("share", "Share over {window} frames", band="devices")
    before: Schema = experiment.schema
    schema = replace(before, columns=(*before.columns, *MORE), figures={"more": (panel,)})
    monkeypatch.setattr(type(experiment), "schema", schema)
    folder = run_experiment(CONFIGS[name](results=tmp_path, tensorboard=True), progress=False)

    table = load(folder)
    quantity = table[schema.quantity]
    expected = {"twice": 2 * quantity, "thrice": 3 * quantity, "share": table["decision"] / 2}
    for column, values in expected.items():
        np.testing.assert_allclose(table[column], values, rtol=1e-12, err_msg=column)

    header = (folder / "frames.csv").read_text().partition("\n")[0].split(",")
    assert [column for column in header if column not in headers(before, table)] == [
        *("twice", "mean_share", "thrice"),
    ]
    assert (loadmat(folder / "result.mat")["published_share"] == table["share"]).all()
    assert (folder / "more.png").is_file()
    ax = Figure().subplots()
    figures.draw_panel({"a": table}, panel, ax)
    assert ax.get_ylabel() == "Decision as a number (1/2)"

    (events,) = (tmp_path / "tensorboard").iterdir()
    curves = EventAccumulator(str(events))
    curves.Reload()
    for curve, values in (("twice", expected["twice"]), ("mean_share", expected["share"])):
        (point,) = curves.Scalars(curve)
        assert point.value == pytest.approx(values.mean(), rel=1e-6)

    (mat,) = export.export(ExportConfig(folder, "mat"))
    exported = loadmat(mat)
    assert (exported["twice"][:, 0] == table["twice"]).all()
    assert (exported["published_share"] == table["share"]).all()
    _, frames = export.export(ExportConfig(folder, "csv"))
    cells = np.genfromtxt(frames, delimiter=",", names=True)
    for device in range(N):
        assert (cells[f"share_{device + 1}"] == table["share"][:, device]).all()
    assert (cells["thrice"] == table["thrice"]).all()


def headers(schema: Schema, table: Table) -> set[str]:
    """Return the columns of a run's frames.csv."""
    columns = [column for column in schema.of(agent=table.agent) if column.csv]
    return {"frame", *(column.header for column in columns)}
