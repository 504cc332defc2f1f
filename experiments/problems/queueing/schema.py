"""Columns and figures of a run of MEC with queues: `mean_data_queue`, ... in frames.csv."""

from dataclasses import replace

from droo_core.arrays import Floats
from experiments.runs.table import (
    BEST_CANDIDATE,
    DECISION,
    SCORED,
    Column,
    K,
    Panel,
    Schema,
    Table,
    normalized,
    optimal,
    own,
)

DRIFT = "Mbit^2"  # of drift plus penalty
OWN_OBJECTIVE, OWN_NORMALIZED_OBJECTIVE = own("objective", DRIFT)
LOSS_STEPS = 20  # training steps of the loss's rolling mean


def drift_plus_penalty(table: Table) -> Floats:
    """Return the objective `[T]` that the run achieved, in Mbit^2 (LyDROO, problem P4)."""
    parameters = table.constants["parameters"]
    worth = table["data_queue"] + parameters.tradeoff * table.constants["weights"]
    price = parameters.energy_price * table["energy_queue"]
    objective: Floats = (worth * table["rate"] - price * table["energy"]).sum(axis=1)
    return objective


SCHEMA = Schema(
    quantity="objective",
    columns=(
        Column(
            "gain",
            "Channel gain",
            read=lambda step: step.before["channel_gain"],
            per_device=True,
            csv=False,
            mat=("input_h",),
        ),
        Column(
            "arrival",
            "Arrivals",
            "Mbit",
            read=lambda step: step.info["arrival"],
            per_device=True,
            csv=False,
            mat=("data_arrival",),
        ),
        Column(
            "data_queue",
            "Data queue",
            "Mbit",
            read=lambda step: step.before["data_queue"],
            per_device=True,
            curve=True,
        ),
        Column(
            "energy_queue",
            "Virtual energy queue",
            read=lambda step: step.before["energy_queue"],
            per_device=True,
            curve=True,
        ),
        Column(
            "energy",
            "Energy",
            "J a frame",
            read=lambda step: step.info["energy"],
            per_device=True,
            curve=True,
            mat=("energy_consumption",),
        ),
        Column(
            "rate",
            "Computed data",
            "Mbit a frame",
            read=lambda step: step.info["rate"],
            per_device=True,
            curve=True,
            mat=("rate", "data_rate"),  # the published files hold it under both names
        ),
        Column(
            "objective",
            "Drift plus penalty",
            DRIFT,
            compute=drift_plus_penalty,
            curve=True,
        ),
        optimal("objective", DRIFT),
        normalized("objective", "Objective over optimum"),
        OWN_OBJECTIVE,
        OWN_NORMALIZED_OBJECTIVE,
        K,
        BEST_CANDIDATE,
        SCORED,
        replace(DECISION, mat=("off_mode",)),
    ),
    figures={
        "queues": (
            Panel(
                "data_queue",
                "Data queue over the last {window} frames: mean of the devices",
                band="devices",
                bottom=0,
            ),
            Panel(
                "energy",
                "Energy over the last {window} frames; dashed: the budget",
                bottom=0,
                reference="energy_budget",
                legend="lower right",
            ),
            Panel(
                "normalized_objective",
                "Shortfall from the optimum over the last {window} frames",
                label="1 - objective / optimum",
                shortfall=True,
            ),
            Panel(
                "cost",
                "Loss of each training step, and its mean over {window} steps",
                steps=LOSS_STEPS,
            ),
        ),
    },
    watched={"queue": "data_queue"},
    window=100,
    constants={"weights": "weights"},
)
