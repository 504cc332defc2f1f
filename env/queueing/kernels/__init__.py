"""Compiled code of multi-slot MEC with queues; tests hold each kernel to a reference."""

from pathlib import Path

from droo_core.jit import kernel_of
from env.common import features as common_features
from env.common import lambert
from env.queueing import features

kernel = kernel_of(
    Path(__file__).parent,
    lambert.__file__,
    # `frames` takes constants from these two.
    common_features.__file__,
    features.__file__,
)
