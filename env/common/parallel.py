"""Solving many frames, in one process or several."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

MAX_BATCH = 250  # frames handed to a process at a time

F = TypeVar("F")
R = TypeVar("R")


def block_size(num_frames: int, jobs: int) -> int:
    """Return the number of frames to hand to a process at a time, given the number of processes."""
    if jobs == 1:
        return MAX_BATCH
    from joblib import effective_n_jobs  # noqa: PLC0415 (slow to import)

    processes: int = effective_n_jobs(jobs)
    return max(1, min(MAX_BATCH, num_frames // (4 * processes)))


def solve_frames(
    solve: Callable[[F], R],
    frames: Sequence[F],
    *,
    sizes: Sequence[int] | None = None,
    jobs: int = 1,
    description: str | None = None,
) -> list[R]:
    """Return the results of a function for each of many frames, or of many blocks of frames.

    Args:
        solve: called with one frame or block; must be picklable if there are several jobs.
        frames: its arguments.
        sizes: number of frames in each block; None for single frames.
        jobs: number of joblib processes; -1 takes all cores.
        description: of a progress bar, shown on terminals only; None shows none.
    """
    from tqdm import tqdm  # noqa: PLC0415 (slow to import)

    results = map(solve, frames) if jobs == 1 else _in_processes(solve, frames, jobs, sizes)
    sizes = sizes or [1] * len(frames)
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
    solve: Callable[[F], R], frames: Sequence[F], jobs: int, sizes: Sequence[int] | None
) -> Iterable[R]:
    """Return the results in order, as they are computed by so many joblib processes."""
    from joblib import Parallel, delayed  # noqa: PLC0415 (slow to import)

    size = 1 if sizes else block_size(len(frames), jobs)
    results: Iterable[R] = Parallel(n_jobs=jobs, batch_size=size, return_as="generator")(
        delayed(solve)(frame) for frame in frames
    )
    return results
