"""Compiled code of wireless powered MEC; tests hold each kernel to a reference."""

from pathlib import Path

from droo_core.jit import kernel_of
from env.common import lambert

kernel = kernel_of(Path(__file__).parent, lambert.__file__)
