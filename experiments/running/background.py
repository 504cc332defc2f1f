"""Work beside the frames: compiled kernels let other threads run."""

import os
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def in_background(function: Callable[[], T]) -> "Future[T]":
    """Call a function in a thread that does not keep the process from ending.

    With a single core it is called at once.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # for the thread that asks for the result
            future.set_exception(error)

    if (os.cpu_count() or 1) > 1:
        Thread(target=work, daemon=True).start()
    else:
        work()
    return future
