"""The agent in ns-3: ten times per second it decides which of ten mobile Wi-Fi stations offload.

    python examples/ns3_offloading.py

The stations walk around an access point, and their channels fade. At the start of a frame each
station has a task of the same number of packets: it sends them to the server behind the access
point, or computes the task locally, at a speed of its own. Packets that have not arrived at the end
of the frame are lost. The critic (`Frame.score`) is a simple model of the shared channel; the
schemes are compared by the bits that the simulated server received. The example takes a minute, a
third of it to load ns-3.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent import DROO, MemoryDNN
from env.schemes import all_local, all_offloading, random_offloading

try:
    from ns import ns
except ModuleNotFoundError as error:
    raise SystemExit(
        'this example needs pip install "droo[ns3]", in a checkout pip install ".[ns3]"'
    ) from error

STATIONS, SIDE = 10, 80.0  # number of stations; side in m of the square in which they walk
FRAME, WARM_UP = 0.1, 1.0  # s; during the warm-up the stations associate with the access point
PACKETS, PAYLOAD, HEADERS = 30, 1472, 64  # packets per task; bytes per packet
LOCAL_RATES = np.linspace(0.5e6, 2.5e6, STATIONS)  # bit/s
DOPPLER = 1.0  # Hz, low so that the channel is nearly constant during a frame
BANDWIDTH, FASTEST = 20e6, 54e6  # Hz, bit/s
OVERHEAD = 3e-4  # s per packet beside its bits: backoff, preamble, acknowledgement
SEND_POWER, NOISE_POWER = 16.0206, -94.0  # dBm; thermal noise in 20 MHz plus a 7 dB noise figure
FEATURES = ("log_airtime", "local")

# An event that calls a Python function; and the loop over packets, which would be slow in Python.
ns.cppyy.cppdef("""
    namespace ns3 {
    EventImpl* CallPython(void (*function)()) { return MakeEvent(function); }
    void SendPackets(Ptr<Socket> socket, uint32_t bytes, int packets) {
        while (packets-- > 0) socket->Send(Create<Packet>(bytes));
    }
    }
""")

Floats = NDArray[np.float64]
TASK = 8.0 * PAYLOAD * PACKETS  # bit
LOCAL = LOCAL_RATES * FRAME  # bit per frame


class Frame(NamedTuple):
    """State at the start of a frame, with the critic.

    Attributes:
        power: power received from each station, in dBm `[N]`.
    """

    power: Floats

    @property
    def num_devices(self) -> int:
        """The number of stations N."""
        return len(self.power)

    @property
    def airtime(self) -> Floats:
        """Time that each station takes to send its task without other stations, in frames `[N]`."""
        snr = 10 ** ((self.power - NOISE_POWER) / 10)
        rate = np.clip(0.75 * BANDWIDTH * np.log2(1 + snr), 1e5, FASTEST)
        airtime: Floats = PACKETS * (OVERHEAD + 8 * (PAYLOAD + HEADERS) / rate) / FRAME
        return airtime

    @property
    def state(self) -> Floats:
        """Input of the policy `[2 N]`, in the order of `FEATURES`."""
        return np.concatenate((np.log(self.airtime), LOCAL / TASK))

    def received(self, decisions: NDArray[np.int64]) -> Floats:
        """Predict the bits `[K]` that the server receives; the stations alternate their packets."""
        frames = np.maximum(1, decisions @ self.airtime)
        received: Floats = TASK * decisions.sum(axis=1) / frames
        return received

    def score(self, decisions: NDArray[np.int64]) -> Floats:
        """Predict the bits `[K]` that are computed under decisions `[K, N]`."""
        return self.received(decisions) + (1 - decisions) @ LOCAL


Scheme = Callable[[Frame], NDArray[np.int64]]


class Network:
    """The simulated network: stations, access point, and a server behind it.

    Args:
        seed: seed of all random numbers; the channels do not depend on the decisions.
    """

    def __init__(self, seed: int) -> None:
        ns.RngSeedManager.SetSeed(seed)
        ns.RngSeedManager.ResetNextStreamIndex()  # so that every network has the same streams
        self.stations, self.access_point = ns.NodeContainer(STATIONS), ns.NodeContainer(1)
        self.server = ns.NodeContainer(1)
        self.loss = ns.CreateObject[ns.LogDistancePropagationLossModel]()
        self.fading = ns.CreateObject[ns.JakesPropagationLossModel]()
        self.loss.SetNext(self.fading)
        wireless = self._wifi()
        self.positions = self._positions()
        self.sockets, self.sink = self._internet(wireless)

    def _wifi(self) -> Any:
        """Install 802.11a at all stations and the access point; return the devices."""
        ns.Config.SetDefault("ns3::JakesProcess::DopplerFrequencyHz", ns.DoubleValue(DOPPLER))
        ns.Config.SetDefault("ns3::WifiMacQueue::MaxDelay", ns.TimeValue(ns.Seconds(FRAME)))
        # By default signals below -82 dBm are not detected.
        weakest = "ns3::ThresholdPreambleDetectionModel::MinimumRssi"
        ns.Config.SetDefault(weakest, ns.DoubleValue(-100.0))
        channel = ns.CreateObject[ns.YansWifiChannel]()
        channel.SetPropagationLossModel(self.loss)
        channel.SetPropagationDelayModel(ns.CreateObject[ns.ConstantSpeedPropagationDelayModel]())
        phy, mac, wifi = ns.YansWifiPhyHelper(), ns.WifiMacHelper(), ns.WifiHelper()
        phy.SetChannel(channel)
        wifi.SetStandard(ns.WIFI_STANDARD_80211a)
        wifi.SetRemoteStationManager("ns3::IdealWifiManager")
        ssid = ns.SsidValue(ns.Ssid("edge"))
        mac.SetType("ns3::StaWifiMac", "Ssid", ssid)
        devices = wifi.Install(phy, mac, self.stations)
        mac.SetType("ns3::ApWifiMac", "Ssid", ssid)
        devices.Add(wifi.Install(phy, mac, self.access_point))
        return devices

    def _positions(self) -> list[Any]:
        """Let the stations walk; the access point is fixed. Return the mobility models."""
        half = SIDE / 2
        still, walk = ns.MobilityHelper(), ns.MobilityHelper()
        start = ns.CreateObject[ns.ListPositionAllocator]()
        for x in np.linspace(-half, half, STATIONS):
            start.Add(ns.Vector(float(x), half / 2, 0.0))
        walk.SetPositionAllocator(start)
        square = ns.RectangleValue(ns.Rectangle(-half, half, -half, half))
        walk.SetMobilityModel("ns3::RandomWalk2dMobilityModel", "Bounds", square)
        walk.Install(self.stations)
        still.Install(self.access_point)  # at the origin
        nodes = [self.stations.Get(i) for i in range(STATIONS)] + [self.access_point.Get(0)]
        return [node.GetObject[ns.MobilityModel]() for node in nodes]

    def _internet(self, wireless: Any) -> tuple[list[Any], Any]:
        """Install UDP over IP; return a socket per station, and the packet sink at the server."""
        wire = ns.PointToPointHelper()
        wire.SetDeviceAttribute("DataRate", ns.StringValue("1Gbps"))
        wired = wire.Install(self.access_point.Get(0), self.server.Get(0))
        stack, addresses = ns.InternetStackHelper(), ns.Ipv4AddressHelper()
        for nodes in (self.stations, self.access_point, self.server):
            stack.Install(nodes)
        mask = ns.Ipv4Mask("255.255.255.0")
        addresses.SetBase(ns.Ipv4Address("10.1.1.0"), mask)
        addresses.Assign(wireless)
        addresses.SetBase(ns.Ipv4Address("10.1.2.0"), mask)
        server = ns.InetSocketAddress(addresses.Assign(wired).GetAddress(1), 9).ConvertTo()
        ns.Ipv4GlobalRoutingHelper.PopulateRoutingTables()
        udp = "ns3::UdpSocketFactory"
        sink = ns.PacketSinkHelper(udp, server).Install(self.server).Get(0)
        kind = ns.TypeId.LookupByName(udp)
        sockets = [ns.Socket.CreateSocket(self.stations.Get(i), kind) for i in range(STATIONS)]
        for socket in sockets:
            socket.Connect(server)
        return sockets, sink.GetObject[ns.PacketSink]()

    def power(self) -> Floats:
        """Return the power that the access point receives from each station now, in dBm `[N]`."""
        *stations, access_point = self.positions
        received = [self.loss.CalcRxPower(SEND_POWER, each, access_point) for each in stations]
        return np.array(received)

    def send(self, decision: NDArray[np.int64], packets: int) -> None:
        """Send packets from the stations that offload according to a decision `[N]`."""
        for station in np.flatnonzero(decision):
            ns.SendPackets(self.sockets[station], PAYLOAD, packets)

    def received(self) -> float:
        """Return the number of bits that the server has received so far."""
        return 8.0 * float(self.sink.GetTotalRx())


def play(scheme: Scheme, num_frames: int, seed: int) -> Floats:
    """Play frames in a new network.

    Args:
        scheme: function from a frame to a decision `[N]`.
        num_frames: number of frames T.
        seed: seed of the network.

    Returns:
        The bits of each frame `[3, T]`: computed locally, received at the server, and received
        according to the model.
    """
    network = Network(seed)
    local: list[float] = []
    modelled: list[float] = []
    totals: list[float] = []  # bits received before each frame, and after the last one

    def warm_up() -> None:
        """Let each station send one packet, so that all addresses are resolved."""
        network.send(np.ones(STATIONS, dtype=np.int64), packets=1)

    def tick() -> None:
        """End a frame, and begin the next."""
        totals.append(network.received())
        if len(totals) > num_frames:
            ns.Simulator.Stop()
            return
        frame = Frame(network.power())
        decision = scheme(frame)
        local.append(float((1 - decision) @ LOCAL))
        modelled.append(float(frame.received(decision[None])[0]))
        network.send(decision, PACKETS)
        after(FRAME, tick)

    # ns-3 keeps no references to Python functions: the local names keep them alive.
    after(WARM_UP / 2, warm_up)
    after(WARM_UP, tick)
    try:
        ns.Simulator.Run()
    finally:
        ns.Simulator.Destroy()
    return np.array([local, np.diff(totals), modelled])


def after(delay: float, function: Callable[[], None]) -> None:
    """Schedule a call of a function after a delay in s."""
    ns.Simulator.Schedule(ns.Seconds(delay), ns.CallPython(function))


def droo(seed: int) -> Scheme:
    """Return a scheme that decides with DROO and learns."""
    net = [len(FEATURES) * STATIONS, 32, 32, STATIONS]
    agent = MemoryDNN(net, policy="equivariant", features=FEATURES, seed=seed)
    learner = DROO(agent, refine_every=32, learn_when_wrong=True)
    return lambda frame: learner.decide(frame.state, frame.score).decision


def schemes(seed: int) -> dict[str, Scheme]:
    """Return name -> scheme of all schemes that are compared."""
    return {
        "all local": all_local,
        "all offloading": all_offloading,
        "random": random_offloading(np.random.default_rng(seed)),
        "DROO": droo(seed),
    }


def row(name: str, bits: Floats) -> str:
    """Return a row of the table: mean rates, and the mean error of the model.

    Args:
        name: name of the scheme.
        bits: result of `play` `[3, T]`.
    """
    local, received, modelled = bits / FRAME / 1e6
    means = np.mean([local + received, local, received, modelled], axis=1)
    error = np.abs(received - modelled).mean()
    return f"{name:16}" + "".join(f"{rate:10.2f}" for rate in (*means, error))


def main(num_frames: int = 100, seed: int = 1) -> None:
    """Compare the schemes in the same network."""
    titles = ("computed", "locally", "received", "modelled", "error")
    print(f"{'Mbit/s':16}" + "".join(f"{title:>10}" for title in titles))
    for name, scheme in schemes(seed).items():
        print(row(name, play(scheme, num_frames, seed)), flush=True)


if __name__ == "__main__":
    main()
