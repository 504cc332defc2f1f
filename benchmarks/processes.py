"""The sections `startup` and `memory` of `python -m benchmarks.report`, which start processes."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.common import EXPERIMENT, main_settings, new_task, play_once, table
from env import WPMECFrame
from env.schemes import certified_optimum
from experiments.configs import BenchConfig, DROOConfig
from experiments.running.run import warm_up

ROOT = Path(__file__).parent.parent

TELL_FIRST_USE = "from benchmarks.processes import tell_first_use; tell_first_use()"

PEAKS = """
import resource, sys
from pathlib import Path

def tell():
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

tell()
import agent, env
tell()
from benchmarks.common import main_settings, play_once
from experiments.configs import BenchConfig
tell()
quick, *data = sys.argv[1:]
play_once(main_settings(BenchConfig(data=Path(*data) if data else None, quick=quick == "True")))
tell()
"""

# On Linux the peak memory of a process includes that of its parent when it was started, so a small
# process in between starts the one that is measured.
BETWEEN = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))"


def startup(config: BenchConfig) -> str:
    """Return the times of imports, of the help, and of the first frames of a process."""
    rounds = 1 if config.quick else 3
    commands = {
        '`python -c "pass"`': ("-c", "pass"),
        '`python -c "import env"`': ("-c", "import env"),
        '`python -c "import agent"`': ("-c", "import agent"),
        "`droo --help`": ("-m", "experiments", "--help"),
    }
    begun = [(name, best_seconds(rounds, *command)) for name, command in commands.items()]
    with tempfile.TemporaryDirectory() as folder:
        empty, *filled = (first_use(folder) for _ in range(1 + rounds))
    names = ("a frame and a training step, compiled", "afterwards the certified optimum of a frame")
    used = zip(names, empty, map(min, zip(*filled, strict=True)), strict=True)
    return f"""\
New processes, best of {rounds}.

{table(["", "s"], begun)}

First use in a new process, without the time of imports: with an empty cache of machine code,
measured once; and with a full cache, best of {rounds}.

{table(["", "cache empty, s", "cache full, s"], used)}"""


def best_seconds(rounds: int, *arguments: str) -> float:
    """Return the shortest time, in s, that Python takes with these arguments."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        output_of(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


def first_use(cache_folder: str) -> list[float]:
    """Return the seconds of the first frame of a new process, and then of the first optimum."""
    return [float(line) for line in output_of("-c", TELL_FIRST_USE, cache=cache_folder).split()]


def tell_first_use() -> None:
    """Measure and print the two times that `first_use` returns."""
    task = replace(new_task(DROOConfig(preset="published", frames=2)), num_frames=1)
    start = time.perf_counter()
    warm_up(EXPERIMENT, task)
    print(time.perf_counter() - start)
    start = time.perf_counter()
    certified_optimum(WPMECFrame(task.problem.critic, task.gains[0]))
    print(time.perf_counter() - start)


def memory(config: BenchConfig) -> str:
    """Return the peak memory of the packages and of the main run."""
    # Fills the cache of machine code: compilation needs memory, but only once.
    play_once(main_settings(BenchConfig(quick=True)))
    data = [] if config.data is None else [str(config.data.absolute())]
    # ru_maxrss is in KiB on Linux, in bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    lines = output_of("-c", BETWEEN, "-c", PEAKS, str(config.quick), *data).split()
    peaks = [int(line) / unit for line in lines]
    more = [peak - before for before, peak in zip([0.0, *peaks], peaks, strict=False)]
    frames = main_settings(config).frames
    names = (
        "Python alone",
        "after importing `agent` and `env`",
        "after importing `experiments.droo` and `benchmarks`",
        f"after the main run, {frames:,} frames",
    )
    return f"""\
Peak resident memory of one new process after each step, measured once; the machine code comes from
the cache.

{table(["", "peak, MiB", "increase, MiB"], zip(names, peaks, more, strict=True))}"""


def output_of(*arguments: str, cache: str | None = None) -> str:
    """Run a new Python process in the project's folder, and return its output.

    Args:
        arguments: command-line arguments of Python.
        cache: folder for the cache of machine code; None uses the default.
    """
    environment = os.environ | ({} if cache is None else {"NUMBA_CACHE_DIR": cache})
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
