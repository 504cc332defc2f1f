"""The columns of a run of the toy problem, and their figures."""

from experiments.runs.table import (
    BEST_CANDIDATE,
    DECISION,
    SCORED,
    Column,
    K,
    Panel,
    Schema,
    normalized,
    optimal,
    own,
)

SCHEMA = Schema(
    quantity="total",
    columns=(
        Column("total", "Sum of the rates", "Mbit/s", read=lambda step: step.reward, curve=True),
        optimal("total", "Mbit/s"),
        normalized("total", "Sum over optimum"),
        *own("total", "Mbit/s"),
        Column("share", "Rate", "Mbit/s", read=lambda step: step.info["rate"], per_device=True),
        K,
        BEST_CANDIDATE,
        SCORED,
        DECISION,
    ),
    figures={
        "toy": (
            Panel("normalized_total", "Mean over {window} frames", shortfall=True),
            Panel("share", "Rates: mean of the devices", band="devices"),
        )
    },
    watched={"total": "normalized_total"},
)
