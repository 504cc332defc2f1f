"""TensorBoard's event files of a run: curves while it runs, its figures afterwards."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.image import imread

from droo_core.extras import require
from experiments.consumers.recorder import Block
from experiments.runs.files import write_json
from experiments.runs.folder import load_summary, new_folder, run_name
from experiments.runs.table import Table

FLUSH_SECONDS = 5  # short, so that TensorBoard shows the curves while the run goes on
LOGGED = 200  # minimum number of frames averaged into a point of a curve


def check(folder: Path | None) -> None:
    """Check that TensorBoard is installed, if event files are wanted.

    Raises:
        MissingExtraError: if TensorBoard is not installed.
    """
    if folder is not None:
        require("torch.utils.tensorboard", "tensorboard")


def announce(folder: Path | None) -> None:
    """Print the command that shows the event files, if they are wanted; raises as `check`."""
    check(folder)
    if folder is not None:
        print(f"Curves: tensorboard --logdir {folder}", flush=True)


class EventLog:
    """The event files of one run.

    Args:
        folder: folder that holds nothing else.
        config: provenance of the run.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        module = require("torch.utils.tensorboard", "tensorboard")
        self._config = config
        self._writer = module.SummaryWriter(str(folder), flush_secs=FLUSH_SECONDS)
        self._logged: dict[tuple[int, int], set[str]] = {}  # begin and end -> curves with a point
        # TensorBoard renders Markdown, which keeps indented text verbatim.
        text = json.dumps(config, indent=2).replace("\n", "\n    ")
        self._writer.add_text("config", f"    {text}")

    def scalars(self, frame: int, values: Mapping[str, float]) -> None:
        """Add a point to each of these curves at a frame, counted from 1."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, frame)

    def follow(self, blocks: Iterable[Block], table: Table) -> Iterator[Block]:
        """Yield the blocks unchanged, and add a point to each curve every `LOGGED` frames.

        Columns that are known only after the run get their points from `complete`.
        """
        begin, losses = 0, list[float]()
        for block in blocks:
            losses += [loss for _, loss in block.costs]
            if block.end - begin >= LOGGED or block.end == len(table):
                points = self._means(table, begin, block.end)
                self._logged[begin, block.end] = set(points)
                cost = {"cost": float(np.mean(losses))} if losses else {}
                self.scalars(block.end, points | cost)
                begin, losses = block.end, []
            yield block

    def complete(self, table: Table) -> None:
        """Add the points of the columns that are known only after the run."""
        for (begin, end), logged in self._logged.items():
            points = self._means(table, begin, end)
            self.scalars(end, {name: points[name] for name in points if name not in logged})

    def finish(self, run: Path) -> None:
        """Add a saved run's folder, its summary with the settings, and its figures."""
        self._writer.add_text("folder", str(run))
        numbers = {
            f"summary/{name}": float(value)
            for name, value in load_summary(run).items()
            if isinstance(value, int | float)
        }
        settings = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in self._config["config"].items()
        }
        self._writer.add_hparams(settings, numbers, run_name=".")
        for file in sorted(run.glob("*.png")):
            self._writer.add_image(file.stem, imread(file), dataformats="HWC")

    def close(self) -> None:
        """Write what is still buffered."""
        self._writer.close()

    def _means(self, table: Table, begin: int, end: int) -> dict[str, float]:
        """Return the means over frames `begin` to `end` - 1 of the columns that are curves."""
        means = table.frames(slice(begin, end)).means(curves=True)
        return {column.header: float(values.mean()) for column, values in means}


@contextlib.contextmanager
def opened(
    parent: Path | None, config: Mapping[str, Any], num_devices: int
) -> Iterator[EventLog | None]:
    """Open a run's log in a new folder, and close it afterwards; None if there is no parent.

    Args:
        parent: the folder that holds the logs of all runs, or None.
        config: provenance of the run.
        num_devices: N.
    """
    if parent is None:
        yield None
        return
    name = run_name(num_devices, config["seed"])
    # The folder must not be empty: another run's folder could be renamed onto an empty one.
    folder = new_folder(parent, name, lambda new: write_json(new / "config.json", config))
    with contextlib.closing(EventLog(folder, config)) as log:
        yield log
