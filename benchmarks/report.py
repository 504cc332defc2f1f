"""Measure the speed of everything, and print a report in Markdown.

All figures are measured in the same run. It takes some minutes; other load on the machine distorts
the figures.
`python -m benchmarks.report`, `droo bench` and `make report` print all sections; `droo bench floor
latency` prints these two; `--help` shows the options.
"""

import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import torch

from benchmarks.common import table
from benchmarks.fleets import fleet
from benchmarks.floor import floor
from benchmarks.late import late
from benchmarks.parts import parts
from benchmarks.processes import memory, startup
from benchmarks.queues import queues
from benchmarks.runs import frames, latency, scaling
from benchmarks.vector import vector
from experiments.cli import run_module
from experiments.configs import BenchConfig, SectionName

INTRODUCTION = """\
Output of `{command}`, not edited by hand. Each section begins
with the command that measures it alone. The baseline, called *plain*, is `benchmarks/plain.py`, and
for queues `benchmarks/plain_queueing.py`: straightforward implementations of the published
algorithms, measured in the same run. `make bench` compares small parts."""


def main(config: BenchConfig) -> None:
    """Print the sections, each as soon as it is measured."""
    torch.set_num_threads(1)  # as in the experiments: more threads slow down small networks
    print(f"# Speed\n\n{INTRODUCTION.format(command=config.command())}")
    if config.quick:
        print("\n**Measured with `--quick`: these figures are meaningless.**")
    for name in config.only or get_args(SectionName):
        title, measure = SECTIONS[name]
        print(f"\n## {title}\n\n`{config.command(name)}`\n\n{measure(config)}", flush=True)


def machine(_: BenchConfig) -> str:
    """Return a table that describes the machine and the versions of packages."""
    rows = {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "torch")},
        "threads of torch": str(torch.get_num_threads()),
    }
    return table(["", "value"], rows.items())


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or "unknown")


SECTIONS: dict[SectionName, tuple[str, Callable[[BenchConfig], str]]] = {
    "machine": ("Machine", machine),
    "frames": ("Frames", frames),
    "floor": ("The arithmetic floor of a frame", floor),
    "parts": ("Parts of a frame", parts),
    "queues": ("MEC with queues", queues),
    "vector": ("Vector environments", vector),
    "fleet": ("Fleets", fleet),
    "scaling": ("Scaling with the number of devices", scaling),
    "latency": ("Latency of a decision", latency),
    "late": ("A training step of a confident policy", late),
    "startup": ("Startup", startup),
    "memory": ("Memory", memory),
}


if __name__ == "__main__":
    run_module(BenchConfig, main)
