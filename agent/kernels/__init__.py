"""Compiled kernels of the agent, called by `agent.backends` and `agent.quantization` alone."""

from pathlib import Path

from agent.networks import layout
from droo_core.jit import kernel_of

FAST = {"reassoc", "contract", "nsz"}
"""Sums may be reordered and fused with products; NaN stays NaN."""

SOURCES = Path(__file__).parent, Path(layout.__file__)
exact_kernel = kernel_of(*SOURCES)
kernel = kernel_of(*SOURCES, fastmath=FAST)
