"""Measure the speed of everything, and print it as Markdown.

Every figure is measured in that run, none is kept from another. It takes some minutes; other work
on the machine makes the figures worse.
`python -m benchmarks.report`, `droo bench` or `make report`; `droo bench floor latency` for some
sections alone, `--help` for the options.
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
from benchmarks.parts import parts
from benchmarks.processes import memory, startup
from benchmarks.queues import queues
from benchmarks.runs import frames, latency, scaling
from benchmarks.vector import vector
from experiments.cli import run_module
from experiments.configs import BenchConfig, SectionName

INTRODUCTION = """\
Printed by `{command}`; nothing is written by hand. Each section
names the command that measures it alone. Ratios to *plain* are to `benchmarks/plain.py`, with
queues to `benchmarks/plain_queueing.py`: the published algorithms written plainly, measured in the
same run. `make bench` times small parts beside one another."""


def main(config: BenchConfig) -> None:
    """Print the sections, each as soon as it is measured."""
    torch.set_num_threads(1)  # as in every experiment: a second one only costs
    print(f"# Speed\n\n{INTRODUCTION.format(command=config.command())}")
    if config.quick:
        print("\n**With `--quick`, so these figures mean nothing.**")
    for name in config.only or get_args(SectionName):
        title, measure = SECTIONS[name]
        print(f"\n## {title}\n\n`{config.command(name)}`\n\n{measure(config)}", flush=True)


def machine(_: BenchConfig) -> str:
    """Return what everything is measured on."""
    rows = {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "torch")},
        "threads of torch": str(torch.get_num_threads()),
    }
    return table(["", "here"], rows.items())


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
    "startup": ("Startup", startup),
    "memory": ("Memory", memory),
}


if __name__ == "__main__":
    run_module(BenchConfig, main)
