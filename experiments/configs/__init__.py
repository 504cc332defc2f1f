"""One frozen dataclass an experiment: its settings, its command line and its config.json.

Nothing heavy is imported here, so that `droo --help` answers at once.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import tyro

LEAST = {
    "frames": 1,
    "num_devices": 1,
    "seed": 0,
    "seeds": 0,
    "tolerance": 0,
    "window": 1,
    "refine_every": 0,
}


Preset = Literal["best", "published"]
PolicyName = Literal["mlp", "equivariant", "attention", "conv", "gru", "bigru_attention"]

QuantizerName = Literal["OP", "OPN", "KNN"]

PER_DEVICE = ("log_gain", "weight", "active")
SUITABLE: dict[PolicyName, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "mlp": (("gain",), (120, 80)),
    "equivariant": (PER_DEVICE, (32, 32)),
    "attention": (PER_DEVICE, (32, 32)),
    "conv": (PER_DEVICE, (32, 64)),
    "gru": ((*(f"log_gain@{age}" for age in range(7, 0, -1)), "log_gain"), (64, 64)),
    "bigru_attention": (PER_DEVICE, (32, 32)),
}
"""The features and the hidden widths that suit each policy, unless others are asked for."""

OUTLOOK = ("log_price", "airtime", "ahead")
SUITABLE_FOR_QUEUES: dict[PolicyName, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "mlp": (("gain", "data_queue", "energy_queue"), (256, 128)),
    "equivariant": (OUTLOOK, (16, 16)),
    "attention": (OUTLOOK, (16, 16)),
    "conv": (("gain", "data_queue", "energy_queue"), (32, 64)),
    "gru": (("gain", "data_queue", "energy_queue"), (64, 64)),
    "bigru_attention": (OUTLOOK, (16, 16)),
}
"""The same for MEC with queues."""


def check_settings(config: object) -> None:
    """Check those settings of any experiment that nothing further down would.

    Raises:
        ValueError: if one is out of range, or one of several is missing or there twice.
    """
    for name, value in vars(config).items():
        several = value if isinstance(value, tuple) else (value,)
        if name in LEAST and value is not None:
            if not all(number >= LEAST[name] for number in several):  # NaN neither
                raise ValueError(f"{name} must be at least {LEAST[name]}, got {value}")
            if len(set(several)) < max(1, len(several)):
                raise ValueError(f"{name} must be distinct and at least one, got {value}")
        if name == "jobs" and value == 0:
            raise ValueError("jobs must be at least 1, or -1 for all cores, got 0")


@dataclass(frozen=True, kw_only=True)
class FramesConfig:
    """Where time frames come from."""

    num_devices: int | None = None
    """Number of devices N; by default that of --data, else 10."""
    frames: int | None = None
    """Time frames; by default all of --data, else 30,000."""
    seed: int = 0
    """Seed of everything random: the channel, and what an agent draws."""
    data: Path | None = None
    """Recorded channel gains (.mat or .npz with input_h [T, N]); by default they are generated."""
    weights: tuple[float, ...] | None = None
    """Weight of each device; by default those in --data, else 1, 1.5, 1, 1.5, ..."""
    line_of_sight: float = 0.0
    """Power fraction of the line of sight: 0 is Rayleigh, more Rician fading. Not with --data."""
    correlation: float = 0.0
    """Correlation of the fading from frame to frame, -1 to 1. Not with --data."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_settings(self)
        if self.data is not None and (self.line_of_sight or self.correlation):
            raise ValueError(
                "line_of_sight and correlation describe generated channels: drop --data"
            )


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """What the agent is.

    What is None is filled in for the policy at once; so `dataclasses.replace` does not follow a new
    policy or preset.
    """

    policy: PolicyName | None = None
    """The policy network. By default equivariant, or mlp with the preset published."""
    features: tuple[str, ...] | None = None
    """What the state tells of each device: gain, log_gain, weight, active; gain@1 for that of the
    frame before, and so on. By default log_gain weight active; for mlp gain; for gru the log_gain
    of eight frames."""
    hidden: tuple[int, ...] | None = None
    """Widths of the hidden layers. By default what suits the policy: 120 80 for mlp, 64 64 for gru,
    32 64 for conv, 32 32 for the others."""
    loss: Literal["bce", "bce_probabilities", "quadratic"] = "bce"
    """Cross-entropy from logits, or as published from probabilities, or quadratic cost."""
    learning_rate: float = 0.01
    """Learning rate of Adam."""
    batch_size: int = 128
    """Rows of the replay memory in a training step."""
    memory_size: int = 1024
    """Rows of the replay memory."""
    rebuild_optimizer: tyro.conf.FlagConversionOff[bool] = False
    """Start Adam anew at every training step, as the published code does."""

    suitable: ClassVar[Mapping[PolicyName, tuple[tuple[str, ...], tuple[int, ...]]]] = SUITABLE

    def __post_init__(self) -> None:
        """Fill in what suits the policy."""
        policy: PolicyName = self.policy or "equivariant"
        features, hidden = self.suitable[policy]
        fill_in(self, policy=policy, features=features, hidden=hidden)


def fill_in(config: object, **values: object) -> None:
    """Set those of these fields that are None, before the config is in anybody's hands."""
    for name, value in values.items():
        if getattr(config, name) is None:
            object.__setattr__(config, name, value)  # it is frozen


@dataclass(frozen=True, kw_only=True)
class AgentConfig(PolicyConfig):
    """How the agent decides, and where runs are kept."""

    preset: Preset = "best"
    """What settings that are not given are: the best found, or the paper's: an mlp that sees the
    published state, candidates are not refined, training falls at the interval alone."""
    quantizer: QuantizerName | None = None
    """Order-preserving, noisy order-preserving or nearest neighbours. By default OP; with queues
    and the preset published OPN."""
    num_candidates: int | None = None
    """Candidates K at the start; by default N."""
    adapt_every: int | None = 32
    """Frames between updates of K; None leaves K as it is."""
    refine_every: int | None = None
    """Refine the best candidate, device by device, in every frame while that helped in one of the
    last so many tries, else in every so many-th; 0 never. By default 32, with queues 1000,
    published 0."""
    refine_from_local: bool | None = None
    """Refine computing everything locally as well, and take the better. By default only with
    queues."""
    training_interval: int = 10
    """Frames between training steps."""
    learn_when_wrong: bool | None = None
    """Train also in every frame in which the policy's own decision did not win. By default True,
    published False."""
    results: Path = Path("results")
    """Folder of all results; a run gets a folder of its own in it."""
    tensorboard: tyro.conf.FlagCreatePairsOff[bool] = False
    """Write curves for TensorBoard as the run goes on, into a folder of its own in tensorboard/ of
    the results."""

    presets: ClassVar[Mapping[Preset, Mapping[str, Any]]]

    def __post_init__(self) -> None:
        """Fill in what the preset says, and then what suits the policy."""
        check_settings(self)
        fill_in(self, **self.presets[self.preset])
        super().__post_init__()

    @property
    def curves(self) -> Path | None:
        """Folder of all curves for TensorBoard; None if they are not wanted."""
        return self.results / "tensorboard" if self.tensorboard else None


@dataclass(frozen=True, kw_only=True)
class DROOConfig(AgentConfig, FramesConfig):
    """DROO learns to offload online in wireless powered MEC: the main experiment."""

    frames: int = 30_000
    """Time frames; the last fifth are the test frames (learning goes on in them)."""
    scenario: Literal["steady", "alternating-weights", "on-off"] = "steady"
    """What changes during the run: nothing; all weights, at 60 % of the frames, and back at 80 %;
    or devices switch off from 60 %, on again from 80 %, and two off at 95 %."""
    warm_start: Path | None = None
    """Checkpoint whose policy to start from, of this N or, if the policy takes any, another."""
    optimum_time_limit: float = 10.0
    """Seconds for the optimum of a frame; then the bound proven so far is taken, and told."""

    presets: ClassVar[Mapping[Preset, Mapping[str, Any]]] = {
        "best": {
            "policy": "equivariant",
            "quantizer": "OP",
            "refine_every": 32,
            "refine_from_local": False,
            "learn_when_wrong": True,
        },
        "published": {
            "policy": "mlp",
            "quantizer": "OP",
            "refine_every": 0,
            "refine_from_local": False,
            "learn_when_wrong": False,
        },
    }

    def __post_init__(self) -> None:
        """Check the values, and fill in what the preset says."""
        FramesConfig.__post_init__(self)
        AgentConfig.__post_init__(self)


SchemeName = Literal["lydroo", "exact", "lycd", "myopic", "all-local", "all-offloading"]


@dataclass(frozen=True, kw_only=True)
class QueuesConfig:
    """MEC with queues: where its frames come from, and its constants."""

    num_devices: int | None = None
    """Number of devices N; by default that of --data, else 10."""
    frames: int | None = None
    """Time frames of 1 s; by default all of --data, else 10,000."""
    seed: int = 0
    """Seed of everything random: channel, arrivals, and what an agent draws."""
    data: Path | None = None
    """Recorded channel gains and arrivals (.mat or .npz with input_h and data_arrival [T, N]), as
    in the result.mat of a run; by default they are generated."""
    arrival_rate: float = 3.0
    """lambda: mean arrivals of a device in a frame, Mbit. Not with --data."""
    arrivals: Literal["exponential", "poisson"] = "exponential"
    """Distribution of the arrivals: exponential, or batches of 1 Mbit, as many in a frame as
    Poisson's distribution says. Not with --data."""
    line_of_sight: float = 0.3
    """Power fraction of the line of sight: 0 is Rayleigh, more Rician fading. Not with --data."""
    correlation: float = 0.0
    """Correlation of the fading from frame to frame, -1 to 1. Not with --data."""
    weights: tuple[float, ...] | None = None
    """Weight of each device; by default 1.5, 1, 1.5, 1, ..."""
    tradeoff: float = 20.0
    """V: by how much a unit of weighted rate counts against the queues, Mbit."""
    energy_budget: float = 0.08
    """Energy that a device may use in a frame, on average, J."""
    energy_reserve: float = 0.5
    """Energy that a device sets aside at the start, J: its energy queue begins with nu times this,
    and ends lower as a rule; then the budget holds over the whole run. 0 in the paper; the myopic
    scheme needs none."""
    max_power: float = 0.1
    """Transmit power of a device at most, W."""
    bandwidth: float = 2e6
    """Hz, shared by all in time."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_settings(self)
        if self.data is not None:
            fields = QueuesConfig.__dataclass_fields__
            for name in ("arrival_rate", "arrivals", "line_of_sight", "correlation"):
                if getattr(self, name) != fields[name].default:
                    raise ValueError(f"{name} describes generated frames: drop --data")


@dataclass(frozen=True, kw_only=True)
class LyDROOConfig(AgentConfig, QueuesConfig):
    """LyDROO keeps data queues stable within energy budgets, or another scheme on its frames."""

    scheme: SchemeName = "lydroo"
    """Who decides. lydroo: the agent. exact: the optimum of the same objective. lycd: coordinate
    descent on it. myopic: what computes most in this frame. all-local, all-offloading: as they
    say. The settings of policy and agent are lydroo's alone."""
    features: tuple[str, ...] | None = None
    """What the state tells of each device: gain, data_queue, energy_queue, as published; log_gain,
    log_data_queue, log_energy_queue, weight, active; or log_price, airtime, ahead, worked out of
    these; gain@1 for that of the frame before, and so on. By default the first three for mlp, conv
    and gru, else the last three."""
    hidden: tuple[int, ...] | None = None
    """Widths of the hidden layers. By default what suits the policy: 256 128 for mlp, 32 64 for
    conv, 64 64 for gru, 16 16 for the others."""
    training_interval: int = 20
    """Frames between training steps."""

    suitable: ClassVar[Mapping[PolicyName, tuple[tuple[str, ...], tuple[int, ...]]]] = (
        SUITABLE_FOR_QUEUES
    )
    presets: ClassVar[Mapping[Preset, Mapping[str, Any]]] = {
        "best": {
            "policy": "equivariant",
            "quantizer": "OP",
            "refine_every": 1000,
            "refine_from_local": True,
            "learn_when_wrong": True,
        },
        "published": {
            "policy": "mlp",
            "quantizer": "OPN",
            "refine_every": 0,
            "refine_from_local": False,
            "learn_when_wrong": False,
        },
    }

    def __post_init__(self) -> None:
        """Check the values, and fill in what the preset says."""
        QueuesConfig.__post_init__(self)
        AgentConfig.__post_init__(self)


RunConfig = DROOConfig | LyDROOConfig
"""The settings of one run."""


@dataclass(frozen=True, kw_only=True)
class JobsConfig:
    """How several runs are spread."""

    jobs: int = -1
    """Runs at a time, or fleets, one process each; -1 takes all cores."""


@dataclass(frozen=True, kw_only=True)
class RunsConfig(JobsConfig):
    """How several runs of DROO are spread."""

    device: Literal["cpu", "cuda"] | None = None
    """Let all seeds of a setting play together, as a fleet whose networks compute on this device.
    By default, and with a policy that holds a GRU, each run is a process of its own."""


@dataclass(frozen=True, kw_only=True)
class SweepConfig(RunsConfig, DROOConfig):
    """The main experiment from several seeds, with intervals; runs that exist are not run again."""

    seed: tyro.conf.Suppress[int] = 0
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds, one run each."""


@dataclass(frozen=True, kw_only=True)
class DatasetConfig(FramesConfig):
    """Write frames with their certified optimal decisions, in the published layout."""

    output: tyro.conf.Positional[Path]
    """File to write, .mat or .npz."""
    gap: float = 1e-9
    """Certified relative gap to reach in each frame."""
    time_limit: float = 10.0
    """Seconds for a frame; then its best decision so far is taken, and its gap told."""
    jobs: int = -1
    """Processes; -1 takes all cores."""


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(PolicyConfig):
    """Train a policy on labelled frames, to start from with droo run --warm-start."""

    data: tyro.conf.Positional[Path]
    """Labelled frames, .mat or .npz in the published layout."""
    weights: tuple[float, ...] | None = None
    """Weight of each device; by default those in the file, else 1, 1.5, 1, 1.5, ..."""
    epochs: int = 100
    """Epochs at most."""
    patience: int = 10
    """Epochs without a better validation loss after which to stop."""
    validation_fraction: float = 0.2
    """Part of the frames, at the end, to validate on."""
    seed: int = 0
    """Seed of the initial weights and of the order of the frames."""
    results: Path = Path("results")
    """Folder of all results; a run gets a folder of its own in it."""

    def __post_init__(self) -> None:
        """Check the values, and fill in what suits the policy."""
        check_settings(self)
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """Tell which labels of a dataset are not optimal."""

    data: tyro.conf.Positional[Path]
    """Labelled frames, .mat or .npz in the published layout."""
    weights: tuple[float, ...] | None = None
    """Weight of each device; by default those in the file, else 1, 1.5, 1, 1.5, ..."""
    tolerance: float = 3e-6
    """Relative: how far below the optimum, or off its own rate, a label may be."""
    time_limit: float = 10.0
    """Seconds for a frame; then a label that may be wrong counts as undecided."""
    jobs: int = -1
    """Processes; -1 takes all cores."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class ScaledConfig(JobsConfig):
    """How much to run, and where to."""

    scale: Literal["smoke", "full"] = "full"
    """full: five or ten seeds, thousands of frames; smoke: a look at two seeds, 400 frames."""
    frames: int | None = None
    """Time frames of a run; by default what the scale says."""
    seeds: tuple[int, ...] | None = None
    """Seeds, one run each of every setting; by default what the scale says."""
    results: Path = Path("results")
    """Folder of all results; a study gets a folder of its own in it."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class StudyConfig(ScaledConfig, RunsConfig):
    """One study, from several seeds, with intervals; runs that exist are reused."""

    num_devices: int | None = None
    """Number of devices N; by default what the study says, mostly 10."""


@dataclass(frozen=True, kw_only=True)
class SizesConfig(ScaledConfig, RunsConfig):
    """One study at several N, from several seeds, with intervals; runs that exist are reused."""

    num_devices: tuple[int, ...] | None = None
    """Numbers of devices N; by default what the scale says."""


StudyName = Literal[
    "quantizers",
    "num_candidates",
    "adaptive_k",
    "memory_size",
    "batch_size",
    "training_interval",
    "learning_rate",
    "alternating_weights",
    "on_off",
    "comparison",
    "exploration",
    "losses",
    "correlated_fading",
    "policies",
    "transfer",
    "queueing_policies",
    "arrival_rate",
    "largest_rate",
    "tradeoff",
    "energy_budget",
    "queueing_sizes",
]


@dataclass(frozen=True, kw_only=True)
class ReproduceConfig(ScaledConfig, RunsConfig):
    """Run every study, or some; runs that exist are reused."""

    only: tyro.conf.Positional[tuple[StudyName, ...]] = ()
    """Names of studies, each also a module: python -m experiments.NAME. By default all."""


AlgorithmName = Literal["ppo", "a2c", "dqn"]


@dataclass(frozen=True, kw_only=True)
class RLBaselinesConfig(ScaledConfig):
    """Algorithms of Stable-Baselines3 and DROO on the same frames, from several seeds."""

    scale: Literal["smoke", "full"] = "full"
    """full: three seeds, 30,000 frames; smoke: a look at two seeds, 400 frames."""
    num_devices: int = 8
    """Number of devices N."""
    algorithms: tuple[AlgorithmName, ...] = ("ppo", "a2c", "dqn")
    """Those of Stable-Baselines3. dqn, which has an output for each of the 2^N decisions, is for at
    most 8 devices."""
    problems: tuple[Literal["wpmec", "queueing"], ...] = ("wpmec", "queueing")
    """wpmec: wireless powered MEC, with DROO. queueing: MEC with queues, with LyDROO."""
    gamma: float = 0.0
    """Discount of their later rewards. 0 maximises the reward of each frame, as DROO does."""
    scale_rewards: bool = True
    """With queues, divide a frame's objective by the sum of Q + V w, for otherwise long queues are
    worth having; which decision is best in a frame stays the same."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        for name in ("algorithms", "problems"):
            names = getattr(self, name)
            if not names or len(set(names)) < len(names):
                raise ValueError(f"{name} must be distinct and at least one, got {names}")
        if not 0 <= self.gamma < 1:
            raise ValueError(f"gamma must be at least 0 and below 1, got {self.gamma}")
        if "dqn" in self.algorithms and self.num_devices > 8:
            raise ValueError(
                f"num_devices must be at most 8 for dqn, got {self.num_devices}: "
                "go on without it by --algorithms ppo a2c"
            )


@dataclass(frozen=True)
class PlotConfig:
    """Draw the figures of a run again, or several runs over one another, or a study's."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders, as in results/droo/RUN, or the folder of one study."""
    labels: tuple[str, ...] = ()
    """Names of the runs in the legend; by default their folders'."""
    output: Path | None = None
    """Folder for the figures; by default that of a single run, else ./figures."""
    window: int | None = None
    """Frames of the rolling mean and range of the rate, and training steps of the loss's; K has ten
    times as many frames. By default 50, with queues 100."""

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.runs:
            raise ValueError("runs must name at least one run folder")
        if self.labels and len(self.labels) != len(self.runs):
            raise ValueError(
                f"labels must be as many as runs, got {len(self.labels)} for {len(self.runs)}"
            )
        check_settings(self)


SectionName = Literal[
    "machine",
    "frames",
    "floor",
    "parts",
    "queues",
    "vector",
    "fleet",
    "scaling",
    "latency",
    "startup",
    "memory",
]


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """Measure the speed of everything, here and now, and print it as one Markdown document."""

    only: tyro.conf.Positional[tuple[SectionName, ...]] = ()
    """Sections; by default all."""
    data: Path | None = None
    """Recorded channel gains (.mat or .npz with input_h [T, N]) for the main run, the floor, the
    latency and the memory; by default they are generated. The other sections always generate."""
    quick: tyro.conf.FlagCreatePairsOff[bool] = False
    """Measure a hundredth of it, to see that it runs: the figures mean nothing then."""

    def some(self, full: int) -> int:
        """Return how many frames or rounds to take where the whole report takes so many."""
        return max(3, full // 100) if self.quick else full

    def command(self, section: SectionName | None = None) -> str:
        """Return what reproduces a section, or everything."""
        words = ["python -m benchmarks.report"]
        words += [] if section is None else [section]
        words += [] if self.data is None else ["--data", shlex.quote(self.data.name)]
        return " ".join([*words, *["--quick"] * self.quick])


@dataclass(frozen=True)
class ExportConfig:
    """Export a run or a study for MATLAB and Octave, pandas, or the published scripts."""

    run: tyro.conf.Positional[Path]
    """Folder of a run, as results/droo/RUN or results/lydroo/RUN, or of a study."""
    format: Literal["mat", "txt", "csv"]
    """mat: one file for MATLAB and Octave. txt: what the published scripts of DROO save. csv: one
    value a cell, as pandas wants it."""
    output: Path | None = None
    """Folder to make for the files; by default one named after the format, in that of the run."""


def resolve(config: Any) -> Any:
    """Return the config."""
    return config
