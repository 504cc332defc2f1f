"""Columns and figures of a run of wireless powered MEC: `rate`, `own_rate`, ... in frames.csv."""

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

RATE = "bit/s"
OWN_RATE, OWN_NORMALIZED_RATE = own("rate", RATE, normalized_curve=True)

SCHEMA = Schema(
    quantity="rate",
    columns=(
        Column("rate", "Computation rate", RATE, read=lambda step: step.reward),
        OWN_RATE,
        optimal("rate", RATE),
        normalized("rate", "Normalized computation rate"),
        OWN_NORMALIZED_RATE,
        K,
        BEST_CANDIDATE,
        SCORED,
        DECISION,
        Column("gain", per_device=True, csv=False, mat=("input_h",), stored=False),
        Column("weight", per_device=True, csv=False, mat=("frame_weights",), stored=False),
    ),
    figures={
        "cost": (Panel("cost", "Loss of each training step, and its mean over {window} steps"),),
        "normalized_rate": (
            Panel(
                "normalized_rate",
                "Mean and range over {window} frames; 1 is the optimum",
                band="range",
                legend="lower right",
            ),
        ),
        "k": (
            Panel(
                "k",
                "Number of candidates asked for, and its mean over {window} frames",
                raw=True,
                windows=10,  # K is a step function, so that a short mean would not be smooth
                bottom=0,
            ),
        ),
    },
    watched={"rate": "rate", "own": "own_rate"},
    constants={"weights": "weights"},
    texts={
        "k": "K_his",
        "cost": "cost_his",
        "best_candidate": "k_idx_his",
        "decision": "mode_his",
        "normalized_rate": "rate_his_ratio",
    },
)
