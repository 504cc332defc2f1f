"""Compiled code of multi-slot MEC with queues; tests hold each kernel to a reference."""

from pathlib import Path

from droo_core.jit import kernel_of
from env.common import lambert

SOURCES = (Path(__file__).parent, lambert.__file__)
"""Arguments of `kernel_of` for kernels elsewhere that call these."""

kernel = kernel_of(*SOURCES)
