"""A run's curves while it goes on, and its figures afterwards, as TensorBoard reads them."""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from matplotlib.image import imread

from droo_core.extras import require
from experiments.runs import results

FLUSH_SECONDS = 5  # so that curves are live
LOGGED = 200  # frames, at least, that a point of a curve is the mean of


class Counted(Protocol):
    """What was played since the last time."""

    @property
    def frames(self) -> int:
        """How many frames were played until now."""


Item = TypeVar("Item", bound=Counted)


def check(folder: Path | None) -> None:
    """Check that TensorBoard is there, if event files are wanted.

    Raises:
        MissingExtraError: if it is not installed.
    """
    if folder is not None:
        require("torch.utils.tensorboard", "tensorboard")


def announce(folder: Path | None) -> None:
    """Tell how to look at event files, if they are wanted; the errors are those of `check`."""
    check(folder)
    if folder is not None:
        print(f"Curves: tensorboard --logdir {folder}", flush=True)


class EventLog:
    """The event files of one run.

    Args:
        folder: theirs alone.
        config: what `provenance` returned.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        module = require("torch.utils.tensorboard", "tensorboard")
        self._config = config
        self._writer = module.SummaryWriter(str(folder), flush_secs=FLUSH_SECONDS)
        # Markdown shows what is indented as it stands.
        text = json.dumps(config, indent=2).replace("\n", "\n    ")
        self._writer.add_text("config", f"    {text}")

    def scalars(self, frame: int, values: Mapping[str, float]) -> None:
        """Add a point to each of some curves, at a frame, from 1."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, frame)

    def follow(
        self,
        played: Iterable[Item],
        num_frames: int,
        means: Callable[[Sequence[Item], slice], Mapping[str, float]],
    ) -> Iterator[Item]:
        """Pass on what is played, and add a point to each curve for every block of frames.

        Args:
            played: in its order.
            num_frames: T, how many frames there will be.
            means: called with what was played in a block, and its frames; returns the points.
        """
        begin, block = 0, list[Item]()
        for item in played:
            block.append(item)
            if item.frames - begin >= LOGGED or item.frames == num_frames:
                self.scalars(item.frames, means(block, slice(begin, item.frames)))
                begin, block = item.frames, []
            yield item

    def finish(self, run: Path) -> None:
        """Add what a saved run came to: its folder, its summary with the settings, its figures."""
        self._writer.add_text("folder", str(run))
        summary = results.load_summary(run)
        numbers = {
            f"summary/{name}": float(value)
            for name, value in summary.items()
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
        """Write what is not written yet."""
        self._writer.close()


@contextlib.contextmanager
def opened(
    parent: Path | None, config: Mapping[str, Any], num_devices: int
) -> Iterator[EventLog | None]:
    """Open a run's log in a new folder, and close it whatever happens; None if there is no parent.

    Args:
        parent: the folder of several runs' logs, or None.
        config: what `provenance` returned.
        num_devices: N.
    """
    if parent is None:
        yield None
        return
    name = results.run_name(num_devices, config["seed"])
    # Not left empty: another run's folder could be renamed onto an empty one.
    folder = results.new_folder(
        parent, name, lambda new: results.write_json(new / "config.json", dict(config))
    )
    with contextlib.closing(EventLog(folder, config)) as log:
        yield log
