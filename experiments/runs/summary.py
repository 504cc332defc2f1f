"""Key figures common to the runs of all problems."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from droo_core.arrays import Floats
from experiments.runs.table import Table

FIRST = 200  # number of frames at the start, and after a change, that are summarized separately
OPTIMAL = 1 - 1e-9  # normalized quantity that counts as optimal: equal decisions differ by rounding


def summarize(table: Table, test_frames: int, changes: Sequence[int] = ()) -> dict[str, Any]:
    """Return the key figures of a run's decisions; None if a figure does not apply.

    Args:
        table: frames of the run.
        test_frames: number of test frames, which are the last of the run.
        changes: numbers of frames after which the problem changed.
    """
    quantity, normalized = table.schema.quantity, table.normalized
    test = normalized[-test_frames:]
    changed = [normalized[at : at + FIRST].mean() for at in changes if at < len(normalized)]
    return {
        "num_devices": table.num_devices,
        "frames": len(normalized),
        "test_frames": test_frames,
        f"normalized_{quantity}_test": float(test.mean()),
        "optimal_decision_fraction_test": float((test >= OPTIMAL).mean()),
        "frames_to_0_99": frames_to(normalized, 0.99),
        "frames_to_0_999": frames_to(normalized, 0.999),
        f"normalized_{quantity}_first_200": float(normalized[:FIRST].mean()),
        f"normalized_{quantity}_200_after_change": float(min(changed)) if changed else None,
        **of_learning(table, test_frames),
    }


def of_learning(table: Table, test_frames: int) -> dict[str, Any]:
    """Return the key figures of an agent; None for each of them if a scheme decided."""
    own = f"own_normalized_{table.schema.quantity}"
    if not table.agent:
        names = (f"{own}_test", "own_decision_fraction_test", "mean_k", "mean_scored")
        return dict.fromkeys((*names, "gradient_steps"))
    return {
        f"{own}_test": float(table[own][-test_frames:].mean()),
        "own_decision_fraction_test": float((table["best_candidate"][-test_frames:] == 0).mean()),
        "mean_k": float(table["k"].mean()),
        "mean_scored": float(table["scored"].mean()),
        "gradient_steps": len(table.cost),
    }


def frames_to(normalized: Floats, level: float, window: int = FIRST) -> int | None:
    """Return the first frame, from 1, at which the mean of the last `window` reaches `level`."""
    if len(normalized) < window:
        return None
    reached = sliding_window_view(normalized, window).mean(axis=1) >= level
    return int(np.argmax(reached)) + window if reached.any() else None
