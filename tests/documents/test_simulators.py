import importlib.util
import runpy
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from env.schemes import all_local, coordinate_descent, full_enumeration
from tests.conftest import ROOT

SECONDS = 60.0
SIMPY = runpy.run_path(str(ROOT / "examples" / "simpy_edge.py"))


def simulated(scheme: Any, seed: int = 0, seconds: float = SECONDS) -> Any:
    system = SIMPY["EdgeSystem"](scheme, seed)
    system.clock.run(until=seconds)
    return system


def measured(system: Any) -> list[tuple[float, float, float | None, bool]]:
    return [(task.arrived, task.energy, task.done, task.dropped) for task in system.tasks]


def cost(system: Any) -> float:
    """Return the mean cost of a task: energy, and delay up to the end of the run if not done."""
    end = system.clock.now
    delay = [(end if task.done is None else task.done) - task.arrived for task in system.tasks]
    return float(np.mean(delay) + np.mean([task.energy for task in system.tasks]))


def test_every_task_is_done_dropped_or_still_at_its_device() -> None:
    system = simulated(SIMPY["Learner"](0), seconds=2 * SECONDS)
    done = sum(task.done is not None for task in system.tasks)
    dropped = sum(task.dropped for task in system.tasks)
    devices = [device for device in system.devices if device is not None]
    left = sum(len(device.waiting) + len(device.running) for device in devices)
    assert min(done, dropped, len(devices)) > 0
    assert done + dropped + left == len(system.tasks)
    assert not any(task.dropped and task.done is not None for task in system.tasks)


def test_a_device_that_has_left_holds_no_resource() -> None:
    system = simulated(SIMPY["schemes"](0)["all offloading"], seconds=4 * SECONDS)
    devices = [device for device in system.devices if device is not None]
    stations = (system.uplink, system.cores, *(device.processor for device in devices))
    held = sum(len(each.servers.users) + len(each.servers.queue) for each in stations)
    assert any(task.dropped for task in system.tasks)
    assert held == sum(len(device.running) for device in devices) > 0


def test_the_same_seed_measures_the_same_and_another_does_not() -> None:
    first, same, other = (measured(simulated(SIMPY["Learner"](0), seed)) for seed in (0, 0, 1))
    assert first == same != other


def test_arrivals_do_not_depend_on_decisions() -> None:
    schemes = SIMPY["schemes"](0)
    arrivals = [
        [(task.arrived, task.bits, task.cycles) for task in simulated(schemes[name]).tasks]
        for name in ("all local", "all offloading", "random")
    ]
    assert arrivals[0] == arrivals[1] == arrivals[2]


def test_vacant_slots_are_never_offloaded() -> None:
    learner = SIMPY["Learner"](0)
    absent = 0

    def watched(frame: Any) -> NDArray[np.int64]:
        nonlocal absent
        decision: NDArray[np.int64] = learner(frame)
        there = np.array([device is not None for device in system.devices])
        absent += int((~there).sum())
        assert not decision[~there].any()
        return decision

    system = SIMPY["EdgeSystem"](watched, 0)
    system.clock.run(until=SECONDS)
    assert absent > 0


@pytest.mark.parametrize("offload", [0, 1])
def test_a_task_alone_takes_as_long_and_as_much_energy_as_predicted(offload: int) -> None:
    frames: list[Any] = []

    def scheme(frame: Any) -> NDArray[np.int64]:
        frames.append(frame)
        decision: NDArray[np.int64] = offload * frame.active.astype(np.int64)
        return decision

    system = SIMPY["EdgeSystem"](scheme, 0)
    while not (system.tasks and system.tasks[0].done):
        system.clock.step()
    task, frame = system.tasks[0], frames[0]
    assert frame.tasks.sum() == 1
    decided = np.ceil(task.arrived / SIMPY["FRAME"]) * SIMPY["FRAME"]
    predicted = -frame.score(scheme(frame)[None])[0]
    assert task.done - decided + task.energy == pytest.approx(predicted)


def test_the_agent_is_better_than_random_and_as_good_as_coordinate_descent() -> None:
    schemes = SIMPY["schemes"](0)
    costs = {name: cost(simulated(each, seconds=2 * SECONDS)) for name, each in schemes.items()}
    worst = min(costs["random"], costs["all local"], costs["all offloading"])
    assert costs["DROO"] < 0.5 * worst
    assert costs["DROO"] == pytest.approx(costs["coordinate descent"], rel=0.05)


def test_single_changes_lead_to_the_best_of_all_decisions_in_nearly_all_frames() -> None:
    frames: list[Any] = []

    def scheme(frame: Any) -> NDArray[np.int64]:
        frames.append(frame)
        return all_local(frame)

    simulated(scheme)
    rewards = np.array(
        [
            [
                frame.score(scheme(frame)[None])[0]
                for scheme in (coordinate_descent, full_enumeration)
            ]
            for frame in frames[::20]
        ]
    )
    assert np.isclose(*rewards.T).mean() > 0.95


@pytest.mark.slow
def test_in_ns3_the_agent_computes_more_than_random_and_all_offloading() -> None:
    if importlib.util.find_spec("ns") is None:
        pytest.skip('needs ns-3: pip install ".[ns3]"')
    if shutil.which("c++") is None:
        pytest.skip("needs a C++ compiler, c++")
    code = "import runpy; runpy.run_path('examples/ns3_offloading.py')['main'](num_frames=40)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line.rsplit(maxsplit=5) for line in done.stdout.splitlines()[1:]]
    computed = {name: float(rate) for name, rate, *_ in rows}
    assert computed["DROO"] > 1.1 * max(
        computed["random"], computed["all offloading"], computed["all local"]
    )
