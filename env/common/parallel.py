"""Solving many frames, in one process or several."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

MAX_BATCH = 250  # frames handed to a process at a time

F = TypeVar("F")
R = TypeVar("R")


def solve_frames(
    solve: Callable[[F], R], frames: Sequence[F], *, jobs: int = 1, description: str | None = None
) -> list[R]:
    """Return the results of a function for each of many frames.

    Args:
        solve: called with one frame; must be picklable if there are several jobs.
        frames: its arguments.
        jobs: number of joblib processes; -1 takes all cores.
        description: of a progress bar, shown on terminals only; None shows none.
    """
    from tqdm import tqdm  # noqa: PLC0415 (slow to import)

    results = map(solve, frames) if jobs == 1 else _in_processes(solve, frames, jobs)
    disable = True if description is None else None  # None: shown on terminals only
    return list(tqdm(results, description, len(frames), unit="frame", leave=False, disable=disable))


def _in_processes(solve: Callable[[F], R], frames: Sequence[F], jobs: int) -> Iterable[R]:
    """Return the results in order, as they are computed by so many joblib processes."""
    from joblib import Parallel, delayed, effective_n_jobs  # noqa: PLC0415 (slow to import)

    size = max(1, min(MAX_BATCH, len(frames) // (4 * effective_n_jobs(jobs))))
    results: Iterable[R] = Parallel(n_jobs=jobs, batch_size=size, return_as="generator")(
        delayed(solve)(frame) for frame in frames
    )
    return results
