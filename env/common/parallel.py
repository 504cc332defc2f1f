"""Solving many frames, in one process or several."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from droo_core.arrays import Floats

MAX_BATCH = 250  # frames handed to a process at a time

A = TypeVar("A")
R = TypeVar("R")


def solve_frames(
    solve: Callable[[A], R],
    frames: Sequence[A],
    *,
    jobs: int = 1,
    description: str | None = None,
) -> list[R]:
    """Return the results of a function for each of many frames.

    Args:
        solve: called with one frame; must be picklable if there are several jobs.
        frames: its arguments.
        jobs: number of joblib processes; -1 takes all cores.
        description: of a progress bar, shown on terminals only; None shows none.
    """
    sizes, batch = [1] * len(frames), _batch_size(len(frames), jobs)
    return _results(solve, frames, sizes, jobs, batch, description)


def solve_blocks(
    solve: Callable[[Floats], R],
    frames: Floats,
    *,
    jobs: int = 1,
    description: str | None = None,
) -> list[R]:
    """Return the results of a function for each of the blocks into which frames are divided.

    Args:
        solve: called with successive frames `[B, ...]`; must be picklable if there are several
            jobs.
        frames: `[T, ...]`.
        jobs: as for `solve_frames`.
        description: as for `solve_frames`.
    """
    size = _batch_size(len(frames), jobs)
    blocks = [frames[first : first + size] for first in range(0, len(frames), size)]
    return _results(solve, blocks, [len(block) for block in blocks], jobs, 1, description)


def _results(
    solve: Callable[[A], R],
    arguments: Sequence[A],
    sizes: Sequence[int],
    jobs: int,
    batch: int,
    description: str | None,
) -> list[R]:
    """Return the results of a function for each of its arguments, and show the progress.

    Args:
        solve: the function.
        arguments: frames, or blocks of frames.
        sizes: number of frames in each argument.
        jobs: as for `solve_frames`.
        batch: number of arguments handed to a process at a time.
        description: as for `solve_frames`.
    """
    from tqdm import tqdm  # noqa: PLC0415 (slow to import)

    results = map(solve, arguments) if jobs == 1 else _in_processes(solve, arguments, jobs, batch)
    disable = True if description is None else None  # None: shown on terminals only
    found = []
    with tqdm(
        total=sum(sizes), desc=description, unit="frame", leave=False, disable=disable
    ) as bar:
        for size, result in zip(sizes, results, strict=True):
            found.append(result)
            bar.update(size)
    return found


def _in_processes(
    solve: Callable[[A], R], arguments: Sequence[A], jobs: int, batch: int
) -> Iterable[R]:
    """Return the results in order, as they are computed by so many joblib processes."""
    from joblib import Parallel, delayed  # noqa: PLC0415 (slow to import)

    results: Iterable[R] = Parallel(n_jobs=jobs, batch_size=batch, return_as="generator")(
        delayed(solve)(argument) for argument in arguments
    )
    return results


def _batch_size(num_frames: int, jobs: int) -> int:
    """Return the number of frames to hand to a process at a time, given the number of processes."""
    if jobs == 1:
        return MAX_BATCH
    from joblib import effective_n_jobs  # noqa: PLC0415 (slow to import)

    processes: int = effective_n_jobs(jobs)
    return max(1, min(MAX_BATCH, num_frames // (4 * processes)))
