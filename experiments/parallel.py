"""Many frames on all cores."""

from collections.abc import Callable, Sized
from typing import Any, Protocol, TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

CHUNK = 250  # frames that a process gets at a time


class Frames(Sized, Protocol):
    """An array or dataset, cut by slices along its frames."""

    def __getitem__(self, frames: slice, /) -> Any:
        """Return some of the frames."""


Result = TypeVar("Result")


def map_chunks(
    function: Callable[..., Result], frames: Frames, jobs: int, description: str, **arguments: Any
) -> list[Result]:
    """Return `function(chunk, **arguments)` of each chunk of the frames, under a progress bar.

    The chunks are spread over processes by joblib: within `joblib.parallel_config("dask")` they go
    to a Dask cluster instead.

    Args:
        function: called with some of the frames.
        frames: what to cut into chunks.
        jobs: processes; -1 takes all cores.
        description: of the progress bar.
        arguments: handed on.
    """
    chunks = [frames[start : start + CHUNK] for start in range(0, len(frames), CHUNK)]
    results = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(function)(chunk, **arguments) for chunk in chunks
    )
    collected = []
    with tqdm(total=len(frames), desc=description, unit="frame", disable=None) as bar:
        for chunk, result in zip(chunks, results, strict=True):
            collected.append(result)
            bar.update(len(chunk))
    return collected
