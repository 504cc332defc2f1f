"""Compiled code of the agent: `agent.backends` and `agent.quantization` are its doors."""

from pathlib import Path

from agent import networks
from droo_core.jit import kernel_of

FAST = {"reassoc", "contract", "nsz"}
"""The order of sums may change, and products be fused with them; NaN stays NaN."""

SOURCES = Path(__file__).parent, Path(networks.__file__)
exact_kernel = kernel_of(*SOURCES)
kernel = kernel_of(*SOURCES, fastmath=FAST)
