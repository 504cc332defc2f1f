"""Restores the frames of a saved run of the main experiment from its settings.

A run folder does not hold the channel gains: they are generated again, or read from the data file.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from droo_core.arrays import Floats
from env import WPMECCritic
from experiments.configs import DROOConfig
from experiments.problems.wpmec.frames import frames_of_run
from experiments.runs.provenance import sha256
from experiments.runs.table import Table

SETTINGS = (
    "num_devices",
    "frames",
    "seed",
    "data",
    "weights",
    "line_of_sight",
    "correlation",
    "scenario",
)
TOLERANCE = 1e-9  # relative error allowed between recorded and recomputed rates


def restored_frames(came_from: Mapping[str, Any], table: Table) -> tuple[Floats, Floats]:
    """Return the channel gains and the weights `[T, N]` of a run's frames.

    The result is verified: the data file must have the hash that the run recorded, and the run's
    decisions must yield the recorded rates.

    Args:
        came_from: content of the run's config.json.
        table: frames of the run.

    Raises:
        ValueError: if the frames are not those of the run.
        OSError: if the data file cannot be read.
    """
    settings = came_from["config"]
    missing = [name for name in SETTINGS if name not in settings]
    if missing:
        raise ValueError(f"the settings of the run lack {', '.join(missing)}")
    given = {name: settings[name] for name in SETTINGS}
    if given["data"] is not None:
        given["data"] = Path(given["data"])
        if sha256(given["data"]) != came_from.get("data_sha256"):
            raise ValueError(f"{given['data']} has changed since the run")
    if given["weights"] is not None:
        given["weights"] = tuple(given["weights"])
    gains, weights_from, _ = frames_of_run(DROOConfig(**given))
    check_rates(gains, weights_from, table)
    lengths = np.diff([*weights_from, len(gains)])
    return gains, np.repeat(list(weights_from.values()), lengths, axis=0)


def check_rates(gains: Floats, weights_from: Mapping[int, Floats], table: Table) -> None:
    """Check that a run's decisions yield its recorded rates on these frames.

    Args:
        gains: channel gains `[T, N]`.
        weights_from: first frame, from 0, -> the weights `[N]` from that frame on.
        table: frames of the run.

    Raises:
        ValueError: if a rate differs.
    """
    decisions = table["decision"]
    if gains.shape != decisions.shape:
        raise ValueError(f"frames must be {decisions.shape}, got {gains.shape}")
    rates: list[float] = []
    for first, end in itertools.pairwise([*weights_from, len(gains)]):
        critic = WPMECCritic(weights_from[first])
        frames = zip(gains[first:end], decisions[first:end], strict=True)
        rates += [critic.score(gain, decision[None])[0] for gain, decision in frames]
    if not np.allclose(rates, table["rate"], rtol=TOLERANCE, atol=0):
        raise ValueError("the run's decisions do not yield its rates on the frames of its settings")
