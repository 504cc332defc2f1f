"""The agent inside a discrete-event simulation with SimPy: devices come and go, tasks queue up.

    python examples/simpy_edge.py

Ten places at an edge server. Devices arrive, stay for a while and leave; tasks arrive at those that
are there. Ten times a second a scheme decides for every device where the tasks that wait there
go: to its own processor, or over the uplink that all share to the server's cores. What the agent
is asked with (`Frame.score`) is a model; delays and energies are measured in the simulation.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent import DROO, Choice, MemoryDNN
from env.channel import path_loss_gain
from env.schemes import all_local, all_offloading, coordinate_descent, random_offloading

try:
    import simpy
except ModuleNotFoundError as error:
    raise SystemExit(
        'this example needs pip install "droo[sim]", in a checkout pip install ".[sim]"'
    ) from error

PLACES = 10
FRAME = 0.1  # s
BETWEEN_DEVICES, STAY = 8.0, 60.0  # s, means
BETWEEN_TASKS = 0.5  # s, mean, at each device
BITS, CYCLES_PER_BIT = 2e5, (500, 1500)  # mean size of a task; least and most work
LOCAL_SPEED, EDGE_SPEED, CORES = 5e8, 2e9, 4  # cycles/s, of a processor and of each core
BANDWIDTH, NOISE = 1e6, 1e-13  # Hz, W
SEND_POWER, COMPUTE_POWER = 0.1, 1.0  # W, of a device
ENERGY_WEIGHT = 1.0  # what a joule costs, in seconds of delay
FEATURES = ("local_delay", "local_time", "send_time", "uplink_wait", "edge_wait", "tasks", "active")

Floats = NDArray[np.float64]
Process = Generator[simpy.Event, None, None]


class Frame(NamedTuple):
    """What the scheme knows when the clock ticks: `[N]`, and of the shared resources a number.

    Attributes:
        tasks: how many tasks wait for a decision at each device; at a vacant place none.
        local_time, send_time, edge_time: s that they take on the device's processor, on the
            uplink, and on all cores together.
        local_wait: s of work that the device's processor has to do before them.
        uplink_wait, edge_wait: the same of the uplink and of the cores.
    """

    tasks: Floats
    local_time: Floats
    send_time: Floats
    edge_time: Floats
    local_wait: Floats
    uplink_wait: float
    edge_wait: float

    @property
    def num_devices(self) -> int:
        """N, the number of places."""
        return len(self.tasks)

    @property
    def state(self) -> Floats:
        """What the policy sees, as `FEATURES` tells: `[7 N]`."""
        everyone = np.ones(self.num_devices)
        seconds = (
            self.local_wait + self.local_time,
            self.local_time,
            self.send_time,
            self.uplink_wait * everyone,
            self.edge_wait * everyone,
        )
        return np.concatenate((np.log1p(10 * np.array(seconds)).ravel(), self.tasks, self.active))

    @property
    def active(self) -> NDArray[np.bool_]:
        """Where there is something to decide `[N]`."""
        return self.tasks > 0

    def score(self, decisions: NDArray[np.int64]) -> Floats:
        """Return minus the cost `[K]` that the model predicts of decisions `[K, N]`.

        The tasks of a device are taken as one. Those that offload use the uplink one after the
        other, the shortest first, and the cores as if these were one processor.
        """
        local = self.local_wait + (1 + ENERGY_WEIGHT * COMPUTE_POWER) * self.local_time
        order = np.argsort(self.send_time)
        offloads = decisions[:, order]
        sent = self.uplink_wait + np.cumsum(offloads * self.send_time[order], axis=1)
        edge_time = self.edge_time[order]
        before = self.edge_wait + np.cumsum(offloads * edge_time, axis=1) - edge_time
        done = np.maximum(sent, before) + CORES * edge_time
        remote = done + ENERGY_WEIGHT * SEND_POWER * self.send_time[order]
        cost = np.where(offloads, remote, local[order]) @ self.tasks[order]
        return np.where((decisions > self.active).any(axis=1), -np.inf, -cost)


Scheme = Callable[[Frame], NDArray[np.int64]]


@dataclass
class Task:
    """A task, and what is measured of it: J, and when it was done (s), None while it is not."""

    bits: float
    cycles: float
    arrived: float
    energy: float = 0.0
    done: float | None = None
    dropped: bool = False


class Station:
    """A processor, the uplink or the cores: a resource that knows how much work it holds."""

    def __init__(self, clock: simpy.Environment, servers: int = 1) -> None:
        self.clock = clock
        self.servers = simpy.Resource(clock, servers)
        self.work = 0.0  # s, of what waits and of what is being served

    def serve(self, task: Task, seconds: float, power: float = 0.0) -> Process:
        """Wait for a turn, then work for some seconds, at a power (W) that the device pays for."""
        self.work += seconds
        try:
            with self.servers.request() as turn:
                yield turn
                task.energy += power * seconds
                yield self.clock.timeout(seconds)
        finally:
            self.work -= seconds


@dataclass
class Device:
    """A device that is there, its tasks waiting for a decision, and those being carried out."""

    mean_gain: float
    processor: Station
    waiting: list[Task] = field(default_factory=list)
    running: list[simpy.Process] = field(default_factory=list)


class EdgeSystem:
    """The simulation.

    Args:
        scheme: decides in every frame in which a task waits.
        seed: of what happens, which is the same whatever is decided.

    Attributes:
        clock: SimPy's environment; run it.
        devices: who is at each place, None where nobody is.
        tasks: all that have arrived.
    """

    def __init__(self, scheme: Scheme, seed: int) -> None:
        self.scheme = scheme
        self.rng = np.random.default_rng(seed)
        self.clock = simpy.Environment()
        self.uplink, self.cores = Station(self.clock), Station(self.clock, CORES)
        self.devices: list[Device | None] = [None] * PLACES
        self.tasks: list[Task] = []
        self.clock.process(self.device_arrivals())
        self.clock.process(self.frames())

    def device_arrivals(self) -> Process:
        """Devices come, and go again if no place is free."""
        while True:
            yield self.clock.timeout(self.rng.exponential(BETWEEN_DEVICES))
            if None in self.devices:
                self.clock.process(self.stay(self.devices.index(None)))

    def stay(self, place: int) -> Process:
        """A device is there for a while; what is not done when it leaves is dropped."""
        mean_gain = float(path_loss_gain(self.rng.uniform(50, 200), exponent=3))
        device = self.devices[place] = Device(mean_gain, Station(self.clock))
        leaves = self.clock.now + self.rng.exponential(STAY)
        while (pause := self.rng.exponential(BETWEEN_TASKS)) < leaves - self.clock.now:
            yield self.clock.timeout(pause)
            bits = self.rng.exponential(BITS)
            task = Task(bits, bits * self.rng.uniform(*CYCLES_PER_BIT), self.clock.now)
            device.waiting.append(task)
            self.tasks.append(task)
        yield self.clock.timeout(leaves - self.clock.now)
        self.devices[place] = None
        for task in device.waiting:
            task.dropped = True
        for process in device.running:
            process.interrupt()

    def frames(self) -> Process:
        """The clock ticks: what waits is decided on and begins."""
        while True:
            yield self.clock.timeout(FRAME)
            rates = self.rates()
            frame = self.frame(rates)
            if not frame.active.any():
                continue
            decision = self.scheme(frame)
            for place in np.argsort(frame.send_time):
                device = self.devices[place]
                if device is not None:
                    self.begin(device, bool(decision[place]), float(rates[place]))

    def rates(self) -> Floats:
        """Draw this frame's uplink rates `[N]` in bit/s: Rayleigh fading; 0 at a vacant place."""
        mean_gain = np.array([device.mean_gain if device else 0.0 for device in self.devices])
        snr = SEND_POWER * mean_gain * self.rng.exponential(size=PLACES) / NOISE
        return BANDWIDTH * np.log2(1 + snr)

    def frame(self, rates: Floats) -> Frame:
        """Return what the scheme is to know."""
        waiting = [device.waiting if device else [] for device in self.devices]
        bits = np.array([sum(task.bits for task in tasks) for tasks in waiting])
        cycles = np.array([sum(task.cycles for task in tasks) for tasks in waiting])
        return Frame(
            tasks=np.array([float(len(tasks)) for tasks in waiting]),
            local_time=cycles / LOCAL_SPEED,
            send_time=np.divide(bits, rates, out=np.zeros(PLACES), where=bits > 0),
            edge_time=cycles / (CORES * EDGE_SPEED),
            local_wait=np.array([each.processor.work if each else 0.0 for each in self.devices]),
            uplink_wait=self.uplink.work,
            edge_wait=self.cores.work / CORES,
        )

    def begin(self, device: Device, offload: bool, rate: float) -> None:
        """Begin the tasks that wait at a device; those that offload are sent at this rate."""
        for task in device.waiting:
            way = self.carry_out(device, task, rate if offload else None)
            device.running.append(self.clock.process(way))
        device.waiting.clear()

    def carry_out(self, device: Device, task: Task, rate: float | None) -> Process:
        """Carry out a task: on the device, or sent at a rate (bit/s) and then on the cores."""
        try:
            if rate is None:
                yield from device.processor.serve(task, task.cycles / LOCAL_SPEED, COMPUTE_POWER)
            else:
                yield from self.uplink.serve(task, task.bits / rate, SEND_POWER)
                yield from self.cores.serve(task, task.cycles / EDGE_SPEED)
            task.done = self.clock.now
        except simpy.Interrupt:
            task.dropped = True
        assert self.clock.active_process is not None  # it is this one
        device.running.remove(self.clock.active_process)


class Learner:
    """A scheme that learns; what it chose is kept in `choices`."""

    def __init__(self, seed: int) -> None:
        net = [len(FEATURES) * PLACES, 32, 32, PLACES]
        agent = MemoryDNN(net, policy="equivariant", features=FEATURES, seed=seed)
        self.droo = DROO(agent, refine_every=32, learn_when_wrong=True)
        self.choices: list[Choice] = []

    def __call__(self, frame: Frame) -> NDArray[np.int64]:
        """Return the decision `[N]` of a frame."""
        self.choices.append(self.droo.decide(frame.state, frame.score))
        return self.choices[-1].decision


def schemes(seed: int) -> dict[str, Scheme]:
    """Return by name the schemes that are compared."""
    return {
        "all local": all_local,
        "all offloading": all_offloading,
        "random": random_offloading(np.random.default_rng(seed)),
        "coordinate descent": coordinate_descent,
        "DROO": Learner(seed),
    }


def row(name: str, system: EdgeSystem) -> str:
    """Return what was measured of a system, as a row of the table."""
    delay = np.array([task.done - task.arrived for task in system.tasks if task.done is not None])
    energy = sum(task.energy for task in system.tasks) / len(delay)
    share = len(delay) / len(system.tasks)
    late = np.quantile(delay, 0.95)
    return f"{name:20}{delay.mean():10.2f}{late:10.2f}{energy:11.3f}{share:8.1%}"


def main(seconds: float = 300.0, seed: int = 0) -> None:
    """Compare the schemes in the same simulated minutes."""
    print(f"{'':20}{'delay, s':>10}{'95 %, s':>10}{'energy, J':>11}{'done':>8}")
    for name, scheme in schemes(seed).items():
        system = EdgeSystem(scheme, seed)
        system.clock.run(until=seconds)
        print(row(name, system))
        if isinstance(scheme, Learner):
            choices = scheme.choices[len(scheme.choices) // 2 :]
            right = np.mean([choice.candidate == 0 for choice in choices])
            scored = np.mean([choice.num_candidates for choice in choices])
            print(f"In the last half of the frames DROO's own decision won in {right:.0%},")
            print(f"and {scored:.1f} of {2**PLACES} decisions were scored in a frame.")


if __name__ == "__main__":
    main()
