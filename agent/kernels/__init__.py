"""Compiled kernels of the agent, called by `agent.backends`, `agent.quantization` and `agent.adam`.

The kernels of a policy are `forward` and `train`, with the same arguments for every policy, so that
a compiled loop can take them as its own arguments.
"""

from pathlib import Path

from agent import negligible
from agent.networks import layout
from droo_core.jit import inner_kernel_of, kernel_of

FAST = {"reassoc", "contract", "nsz"}
"""Sums may be reordered and fused with products; NaN stays NaN."""

SOURCES = Path(__file__).parent, Path(layout.__file__), Path(negligible.__file__)
exact_kernel = kernel_of(*SOURCES)
kernel = kernel_of(*SOURCES, fastmath=FAST)
inner_kernel = inner_kernel_of(fastmath=FAST)
