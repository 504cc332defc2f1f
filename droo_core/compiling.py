"""Announces on stderr that kernels are compiled, which takes up to half a minute, once."""

import functools
import sys

from numba.core.event import Event, Listener, register
from tqdm import tqdm


class Announcement(Listener):
    """Writes one line when the first kernel is compiled; the cache's are only loaded."""

    def __init__(self) -> None:
        self._made = False

    def on_start(self, event: Event) -> None:
        """Write the line, unless it has been written."""
        folder = event.data["dispatcher"].stats.cache_path
        if not self._made and folder is not None:  # numba's own small functions are not cached
            self._made = True
            line = f"Compiling kernels: up to half a minute, once; they are cached in {folder}"
            tqdm.write(line, file=sys.stderr)  # a progress bar is drawn again below the line

    def on_end(self, event: Event) -> None:
        """Write nothing."""


@functools.cache  # once a process
def announce_compilation() -> None:
    """Announce compilation from now on, once in this process."""
    register("numba:compile", Announcement())
