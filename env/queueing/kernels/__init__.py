"""Compiled code of this problem; each kernel is held to its reference by a test."""

from pathlib import Path

from droo_core.jit import kernel_of

kernel = kernel_of(Path(__file__).parent)
