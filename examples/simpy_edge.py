"""The agent in a discrete-event simulation with SimPy: devices arrive and leave, tasks queue.

    python examples/simpy_edge.py

An edge server has ten slots for devices. Devices arrive, stay for a while and leave; tasks arrive
at the devices present. Ten times per second a scheme decides for every device whether its waiting
tasks go to its own processor, or over the shared uplink to the server's cores. The critic
(`Frame.score`) is a model; delays and energies are measured in the simulation.
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

SLOTS = 10
FRAME = 0.1  # s
BETWEEN_DEVICES, STAY = 8.0, 60.0  # s: mean time between arrivals of devices, and of their stay
BETWEEN_TASKS = 0.5  # s: mean time between tasks of a device
BITS, CYCLES_PER_BIT = 2e5, (500, 1500)  # mean size of a task; least and most cycles per bit
LOCAL_SPEED, EDGE_SPEED, CORES = 5e8, 2e9, 4  # cycles/s of a processor, and of each core
BANDWIDTH, NOISE = 1e6, 1e-13  # Hz, W
SEND_POWER, COMPUTE_POWER = 0.1, 1.0  # W, of a device
ENERGY_WEIGHT = 1.0  # s/J: cost of a joule, in seconds of delay
FEATURES = ("local_delay", "local_time", "send_time", "uplink_wait", "edge_wait", "tasks", "active")

Floats = NDArray[np.float64]
Process = Generator[simpy.Event, None, None]


class Frame(NamedTuple):
    """State at the start of a frame, with the critic.

    Attributes:
        tasks: number of tasks that wait for a decision at each device `[N]`; 0 in a vacant slot.
        local_time, send_time, edge_time: time in s that these tasks take on the device's processor,
            on the uplink, and on all cores together `[N]`.
        local_wait: time in s until the device's processor has finished its earlier work `[N]`.
        uplink_wait, edge_wait: time in s until the uplink and the cores have finished theirs.
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
        """The number of slots N."""
        return len(self.tasks)

    @property
    def state(self) -> Floats:
        """Input of the policy `[7 N]`, in the order of `FEATURES`."""
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
        """Whether tasks wait in each slot `[N]`."""
        return self.tasks > 0

    def score(self, decisions: NDArray[np.int64]) -> Floats:
        """Return minus the predicted cost `[K]` of decisions `[K, N]`.

        The model treats the tasks of a device as one task. Offloaded tasks use the uplink one after
        the other, the shortest first, and then the cores, which are treated as one processor.
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
    """A task and its measurements.

    Attributes:
        bits: size in bit.
        cycles: work in CPU cycles.
        arrived: time of arrival, in s.
        energy: energy used by the device so far, in J.
        done: time of completion, in s; None before it.
        dropped: whether the device left before the task was done.
    """

    bits: float
    cycles: float
    arrived: float
    energy: float = 0.0
    done: float | None = None
    dropped: bool = False


class Station:
    """A processor, the uplink or the cores: a resource that keeps account of its pending work."""

    def __init__(self, clock: simpy.Environment, servers: int = 1) -> None:
        self.clock = clock
        self.servers = simpy.Resource(clock, servers)
        self.work = 0.0  # s, of the tasks that wait and of those being served

    def serve(self, task: Task, seconds: float, power: float = 0.0) -> Process:
        """Wait for a turn, then work for some seconds, in which the device spends `power` (W)."""
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
    """A device in a slot, with its tasks that wait for a decision, and those being carried out."""

    mean_gain: float
    processor: Station
    waiting: list[Task] = field(default_factory=list)
    running: list[simpy.Process] = field(default_factory=list)


class EdgeSystem:
    """The simulation.

    Args:
        scheme: function from a frame to a decision `[N]`, called in every frame in which a task
            waits.
        seed: seed of the arrivals and channels, which do not depend on the decisions.

    Attributes:
        clock: SimPy's environment; its `run` runs the simulation.
        devices: device in each slot; None for a vacant slot.
        tasks: all tasks that have arrived.
    """

    def __init__(self, scheme: Scheme, seed: int) -> None:
        self.scheme = scheme
        self.rng = np.random.default_rng(seed)
        self.clock = simpy.Environment()
        self.uplink, self.cores = Station(self.clock), Station(self.clock, CORES)
        self.devices: list[Device | None] = [None] * SLOTS
        self.tasks: list[Task] = []
        self.clock.process(self.device_arrivals())
        self.clock.process(self.frames())

    def device_arrivals(self) -> Process:
        """Let devices arrive; a device that finds no vacant slot is turned away."""
        while True:
            yield self.clock.timeout(self.rng.exponential(BETWEEN_DEVICES))
            if None in self.devices:
                self.clock.process(self.stay(self.devices.index(None)))

    def stay(self, slot: int) -> Process:
        """Let a device stay in a slot; tasks that are not done when it leaves are dropped."""
        mean_gain = float(path_loss_gain(self.rng.uniform(50, 200), exponent=3))
        device = self.devices[slot] = Device(mean_gain, Station(self.clock))
        leaves = self.clock.now + self.rng.exponential(STAY)
        while (pause := self.rng.exponential(BETWEEN_TASKS)) < leaves - self.clock.now:
            yield self.clock.timeout(pause)
            bits = self.rng.exponential(BITS)
            task = Task(bits, bits * self.rng.uniform(*CYCLES_PER_BIT), self.clock.now)
            device.waiting.append(task)
            self.tasks.append(task)
        yield self.clock.timeout(leaves - self.clock.now)
        self.devices[slot] = None
        for task in device.waiting:
            task.dropped = True
        for process in device.running:
            process.interrupt()

    def frames(self) -> Process:
        """At each frame, decide on the waiting tasks and begin them."""
        while True:
            yield self.clock.timeout(FRAME)
            rates = self.rates()
            frame = self.frame(rates)
            if not frame.active.any():
                continue
            decision = self.scheme(frame)
            for slot in np.argsort(frame.send_time):
                device = self.devices[slot]
                if device is not None:
                    self.begin(device, bool(decision[slot]), float(rates[slot]))

    def rates(self) -> Floats:
        """Draw the uplink rates `[N]` of a frame, in bit/s: Rayleigh fading; 0 in vacant slots."""
        mean_gain = np.array([device.mean_gain if device else 0.0 for device in self.devices])
        snr = SEND_POWER * mean_gain * self.rng.exponential(size=SLOTS) / NOISE
        return BANDWIDTH * np.log2(1 + snr)

    def frame(self, rates: Floats) -> Frame:
        """Return the frame for uplink rates `[N]` in bit/s."""
        waiting = [device.waiting if device else [] for device in self.devices]
        bits = np.array([sum(task.bits for task in tasks) for tasks in waiting])
        cycles = np.array([sum(task.cycles for task in tasks) for tasks in waiting])
        return Frame(
            tasks=np.array([float(len(tasks)) for tasks in waiting]),
            local_time=cycles / LOCAL_SPEED,
            send_time=np.divide(bits, rates, out=np.zeros(SLOTS), where=bits > 0),
            edge_time=cycles / (CORES * EDGE_SPEED),
            local_wait=np.array([each.processor.work if each else 0.0 for each in self.devices]),
            uplink_wait=self.uplink.work,
            edge_wait=self.cores.work / CORES,
        )

    def begin(self, device: Device, offload: bool, rate: float) -> None:
        """Begin a device's waiting tasks; if they are offloaded, at this uplink rate (bit/s)."""
        for task in device.waiting:
            way = self.carry_out(device, task, rate if offload else None)
            device.running.append(self.clock.process(way))
        device.waiting.clear()

    def carry_out(self, device: Device, task: Task, rate: float | None) -> Process:
        """Send a task at a rate (bit/s) and carry it out on the cores; locally if rate is None."""
        try:
            if rate is None:
                yield from device.processor.serve(task, task.cycles / LOCAL_SPEED, COMPUTE_POWER)
            else:
                yield from self.uplink.serve(task, task.bits / rate, SEND_POWER)
                yield from self.cores.serve(task, task.cycles / EDGE_SPEED)
            task.done = self.clock.now
        except simpy.Interrupt:
            task.dropped = True
        assert self.clock.active_process is not None  # it is this process
        device.running.remove(self.clock.active_process)


class Learner:
    """A scheme that decides with DROO and learns; `choices` holds the choices of all frames."""

    def __init__(self, seed: int) -> None:
        net = [len(FEATURES) * SLOTS, 32, 32, SLOTS]
        agent = MemoryDNN(net, policy="equivariant", features=FEATURES, seed=seed)
        self.droo = DROO(agent, refine_every=32, learn_when_wrong=True)
        self.choices: list[Choice] = []

    def __call__(self, frame: Frame) -> NDArray[np.int64]:
        """Return the decision `[N]` of a frame."""
        self.choices.append(self.droo.decide(frame.state, frame.score))
        return self.choices[-1].decision


def schemes(seed: int) -> dict[str, Scheme]:
    """Return name -> scheme of all schemes that are compared."""
    return {
        "all local": all_local,
        "all offloading": all_offloading,
        "random": random_offloading(np.random.default_rng(seed)),
        "coordinate descent": coordinate_descent,
        "DROO": Learner(seed),
    }


def row(name: str, system: EdgeSystem) -> str:
    """Return the measurements of a system as a row of the table."""
    delay = np.array([task.done - task.arrived for task in system.tasks if task.done is not None])
    energy = sum(task.energy for task in system.tasks) / len(delay)
    share = len(delay) / len(system.tasks)
    late = np.quantile(delay, 0.95)
    return f"{name:20}{delay.mean():10.2f}{late:10.2f}{energy:11.3f}{share:8.1%}"


def main(seconds: float = 300.0, seed: int = 0) -> None:
    """Compare the schemes in simulations with the same arrivals."""
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
            print(f"and {scored:.1f} of {2**SLOTS} decisions were scored per frame.")


if __name__ == "__main__":
    main()
