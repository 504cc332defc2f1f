"""All studies. A study of settings is an entry in one of the two tables, and nothing else.

This module imports nothing heavy, so that `droo --help` answers at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.configs import (
    Preset,
    RLBaselinesConfig,
    ScaledConfig,
    SizesConfig,
    StudyConfig,
)

Settings = Mapping[str, Any]
"""How runs differ from the experiment: setting -> value."""

DEVICES = "Devices $N$"


@dataclass(frozen=True)
class CurveStudy:
    """Learning curves under several settings, and where they end.

    Attributes:
        help: the question that it answers, and what is worth knowing.
        title: of its figure.
        settings: label of a curve -> how its runs differ from the experiment.
        experiment: name of the experiment.
        frames: of a run, at full scale.
        seeds: number of them, at full scale.
        common: settings that all runs share.
        curves: columns that are drawn against the frames; "cost" is the training loss.
        config: the class of its own settings.
    """

    help: str
    title: str
    settings: Mapping[str, Settings] = field(hash=False)
    experiment: str = "droo"
    frames: int = 30_000
    seeds: int = 5
    common: Settings = field(
        default_factory=lambda: {"preset": "published", "num_devices": 10}, hash=False
    )
    curves: Sequence[str] = ("normalized_rate",)
    config: type[ScaledConfig] = StudyConfig


@dataclass(frozen=True)
class AgainstStudy:
    """Key figures against one setting, for several deciders or policies.

    Attributes:
        help: the question that it answers, and what is worth knowing.
        varied: label of the setting.
        values: of the setting -> how the runs differ by it from the experiment.
        smoke: the values at smoke scale.
        labels: label of a line -> how its runs differ from the experiment.
        metrics: of `metrics.METRICS`, each in Axes of its own.
        experiment: name of the experiment.
        frames: of a run, at full scale.
        seeds: number of them, at full scale.
        limits: settings of all Axes.
        only: metric -> the labels that it is drawn for, where it means something.
        columns: of runs.csv that hold the label and the value.
        config: the class of its own settings; with `num_devices`, these are the values.
    """

    help: str
    varied: str
    values: Mapping[float, Settings] = field(hash=False)
    smoke: Sequence[float]
    labels: Mapping[str, Settings] = field(hash=False)
    metrics: Sequence[str]
    experiment: str = "lydroo"
    frames: int = 10_000
    seeds: int = 5
    limits: Settings = field(default_factory=dict, hash=False)
    only: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    columns: tuple[str, str] = ("decides", "varied")
    config: type[ScaledConfig] = ScaledConfig


@dataclass(frozen=True)
class OwnStudy:
    """A study with an algorithm of its own.

    Attributes:
        module: its module, whose `run(config)` carries it out and whose
            `draw(study, output, described)` draws it; its docstring is the help.
        config: the class of its settings.
    """

    module: str
    config: type[ScaledConfig]


def best(num_devices: int = 10) -> dict[str, Any]:
    """Return the settings of runs with the best preset."""
    preset: Preset = "best"
    return {"preset": preset, "num_devices": num_devices}


UNREFINED = {"refine_every": 0}
EQUIVARIANT = {"preset": "best", "refine_every": 0}
CORRELATED = {"correlation": 0.95, "refine_every": 0}
EIGHT_FRAMES = (*(f"log_gain@{age}" for age in range(7, 0, -1)), "log_gain")
ALIKE = {"policy": "equivariant", "hidden": (32, 32), "learn_when_wrong": True}

CURVES: Mapping[str, CurveStudy] = {
    "quantizers": CurveStudy(
        help="""Which quantizer: order-preserving, noisy order-preserving or nearest neighbours?

        After the DROO paper's comparison of OP with KNN; the noisy one is LyDROO's.""",
        title="Quantizer",
        settings={
            "OP": {},
            "KNN": {"quantizer": "KNN"},
            "noisy OP": {"quantizer": "OPN"},
            "OP, K = 1": {"num_candidates": 1, "adapt_every": None},
            "OP, K = 2": {"num_candidates": 2, "adapt_every": None},
            "KNN, K = 2": {"quantizer": "KNN", "num_candidates": 2, "adapt_every": None},
        },
    ),
    "num_candidates": CurveStudy(
        help="""How many candidates K, when it stays fixed?

        After the DROO paper's figure on K.""",
        title="Number of candidates K, fixed",
        settings={f"K = {k}": {"num_candidates": k, "adapt_every": None} for k in (1, 2, 3, 5, 10)},
    ),
    "adaptive_k": CurveStudy(
        help="""How often to adapt K?

        After the DROO paper's figure on the updating interval.""",
        title="Update interval of adaptive K",
        settings={
            **{f"every {frames}": {"adapt_every": frames} for frames in (1, 8, 32, 128, 512)},
            "never": {"adapt_every": None},
        },
    ),
    "memory_size": CurveStudy(
        help="""How large a replay memory?

        After the DROO paper's figure on the memory size.""",
        title="Replay memory",
        settings={
            f"{size:,} rows": {"memory_size": size} for size in (128, 256, 512, 1024, 2048, 4096)
        },
    ),
    "batch_size": CurveStudy(
        help="""How large a training batch?

        After the DROO paper's figure on the batch size.""",
        title="Training batch",
        settings={f"batch {size}": {"batch_size": size} for size in (16, 32, 128, 512, 1024)},
    ),
    "training_interval": CurveStudy(
        help="""How many frames between training steps?

        After the DROO paper's figure on the training interval.""",
        title="Training interval",
        settings={
            f"every {frames}": {"training_interval": frames} for frames in (1, 5, 10, 20, 50, 100)
        },
    ),
    "learning_rate": CurveStudy(
        help="""Which learning rate?

        After the DROO paper's figure on the learning rate.""",
        title="Learning rate of Adam",
        settings={
            f"{rate:g}": {"learning_rate": rate} for rate in (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
        },
    ),
    "alternating_weights": CurveStudy(
        help="""All weights swapped at 60 % of the frames and back at 80 %: does the agent follow?

        The published policy, the same with Adam rebuilt at every step as in the published code, and
        the best settings, whose policy sees weights and which devices are active. After the
        published demonstration. The published policy's state does not tell the weights: only the
        rewards change.""",
        title="Weights swapped and swapped back",
        settings={
            "mlp": {"scenario": "alternating-weights"},
            "mlp, Adam rebuilt": {"scenario": "alternating-weights", "rebuild_optimizer": True},
            "best settings": {"scenario": "alternating-weights", "preset": "best"},
        },
        frames=10_000,
        seeds=10,
    ),
    "on_off": CurveStudy(
        help="""Devices switched off and on during the run: does the agent follow?

        The published policy, the same with Adam rebuilt at every step as in the published code, and
        the best settings, whose policy sees weights and which devices are active. After the
        published demonstration: one each off at 60, 65, 70 and 75 % of the frames; one, one and two
        on again at 80, 85 and 90 %; two off at 95 %.""",
        title="Devices switched off and on",
        settings={
            "mlp": {"scenario": "on-off"},
            "mlp, Adam rebuilt": {"scenario": "on-off", "rebuild_optimizer": True},
            "best settings": {"scenario": "on-off", "preset": "best"},
        },
        frames=10_000,
        seeds=10,
    ),
    "exploration": CurveStudy(
        help="""From which settings does every seed learn: schedule, quantizer, refinement?

        At N = 30, where a seed can fail.""",
        title="Exploration: learning from every seed",
        settings={
            "mlp, published": {"preset": "published"},
            "mlp, refined": {"policy": "mlp", "features": ("log_gain",)},
            "equivariant": UNREFINED | {"learn_when_wrong": False},
            "learn when wrong": UNREFINED,
            "learn when wrong, noisy OP": UNREFINED | {"quantizer": "OPN"},
            "learn when wrong, KNN": UNREFINED | {"quantizer": "KNN"},
            "refined": {"learn_when_wrong": False},
            "refined, learn when wrong": {},
            "refined, learn when wrong, noisy OP": {"quantizer": "OPN"},
        },
        frames=5000,
        seeds=10,
        common=best(30),
    ),
    "losses": CurveStudy(
        help="""Cross-entropy, from logits or as published from probabilities, or quadratic cost?

        The gradient of the cross-entropy by a weight is x (p - t): the error itself. That of the
        quadratic cost has the further factor p (1 - p), so that a device about which the policy is
        sure and wrong hardly learns.""",
        title="Loss",
        settings={
            "mlp, cross-entropy": {},
            "mlp, of probabilities": {"loss": "bce_probabilities"},
            "mlp, quadratic": {"loss": "quadratic"},
            "equivariant, cross-entropy": EQUIVARIANT,
            "equivariant, of probabilities": EQUIVARIANT | {"loss": "bce_probabilities"},
            "equivariant, quadratic": EQUIVARIANT | {"loss": "quadratic"},
        },
        frames=10_000,
        seeds=10,
    ),
    "correlated_fading": CurveStudy(
        help="""Fading correlated in time: does it help to see earlier frames?""",
        title="Fading with correlation 0.95 from frame to frame",
        settings={
            "mlp": CORRELATED | {"policy": "mlp", "features": ("log_gain",)},
            "mlp, 8 frames": CORRELATED | {"policy": "mlp", "features": EIGHT_FRAMES},
            "gru, 8 frames": CORRELATED | {"policy": "gru"},
            "equivariant": CORRELATED,
        },
        frames=10_000,
        seeds=10,
        common=best(),
    ),
    "queueing_policies": CurveStudy(
        help="""LyDROO: which policy learns how fast, and with which queues?

        The published network, with Adam as published and kept; a convolutional one; the policies
        that treat all devices alike; and refinement.""",
        title="Policies of LyDROO",
        settings={
            "MLP, Adam as published": {"preset": "published", "rebuild_optimizer": True},
            "MLP": {"preset": "published"},
            "Conv": {"preset": "published", "policy": "conv"},
            "Equivariant, queues and gains": {
                "preset": "published",
                "features": ("log_gain", "log_data_queue", "log_energy_queue", "weight"),
                **ALIKE,
            },
            "Equivariant, prices of time": {"preset": "published", **ALIKE, "hidden": (16, 16)},
            "LyDROO here": {},
            "Exact": {"scheme": "exact"},
        },
        experiment="lydroo",
        frames=10_000,
        seeds=10,
        common={},
        curves=("data_queue", "energy", "normalized_objective", "cost"),
        config=ScaledConfig,
    ),
}

SCHEMES: Mapping[str, Settings] = {
    "LyDROO": {},
    "Exact": {"scheme": "exact"},
    "LyCD": {"scheme": "lycd"},
    "Myopic": {"scheme": "myopic"},
    "All local": {"scheme": "all-local"},
    "All offloading": {"scheme": "all-offloading"},
}
PURSUED = {"normalized_objective": ("LyDROO", "LyCD")}
"""The objective means nothing for schemes that pursue another, and is 1 for the optimum."""
QUEUE_ENERGY_OBJECTIVE = ("steady_data_queue", "mean_energy", "normalized_objective")
POLICIES = ("mlp", "equivariant", "attention", "conv", "gru", "bigru_attention")

AGAINST: Mapping[str, AgainstStudy] = {
    "policies": AgainstStudy(
        help="""Which policy learns how fast and how well, N = 5 ... 50?

        All train whenever their own decision was not the best. None gets refined candidates, which
        would hide how good the policy is.""",
        varied=DEVICES,
        values={n: {"num_devices": n} for n in (5, 10, 20, 30, 50)},
        smoke=(5, 10),
        labels={name: {"policy": name, "refine_every": 0} for name in POLICIES},
        metrics=("normalized_rate_first_200", "normalized_rate_test", "microseconds_per_frame"),
        experiment="droo",
        frames=3000,
        seeds=10,
        columns=("policy", "num_devices"),
        config=SizesConfig,
    ),
    "arrival_rate": AgainstStudy(
        help="""LyDROO and other schemes against the arrival rate: where is each unstable?""",
        varied="Arrival rate $\\lambda$ (Mbit a frame)",
        values={
            rate: {"arrival_rate": rate}
            for rate in (1.0, 1.5, 2.0, 2.5, 2.75, 3.0, 3.1, 3.2, 3.3, 3.5)
        },
        smoke=(2.0, 3.0),
        labels=SCHEMES,
        only=PURSUED,
        metrics=QUEUE_ENERGY_OBJECTIVE,
    ),
    "tradeoff": AgainstStudy(
        help="""LyDROO against V, by which the weighted rate counts against the queues.

        Drift plus penalty comes within O(1/V) of the best weighted rate with queues of O(V). Where
        all queues are stable, all arrivals are computed whatever V is; so the backlog alone is
        traded.""",
        varied="$V$",
        values={v: {"tradeoff": float(v)} for v in (1, 3, 10, 20, 50, 100, 300, 1000)},
        smoke=(1, 20),
        labels={label: SCHEMES[label] for label in ("LyDROO", "Exact", "LyCD")},
        metrics=("steady_data_queue", "steady_energy_queue", "steady_weighted_rate"),
        limits={"xscale": "log"},
    ),
    "energy_budget": AgainstStudy(
        help="""LyDROO and other schemes against the energy that a device may use in a frame.""",
        varied="Energy budget (J a frame)",
        values={
            budget: {"energy_budget": budget}
            for budget in (0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12)
        },
        smoke=(0.06, 0.08),
        labels=SCHEMES,
        only=PURSUED,
        metrics=QUEUE_ENERGY_OBJECTIVE,
    ),
    "queueing_sizes": AgainstStudy(
        help="""LyDROO and other schemes against N; 30 Mbit of arrivals a frame for all devices.""",
        varied=DEVICES,
        values={n: {"num_devices": n, "arrival_rate": 30.0 / n} for n in (10, 20, 30)},
        smoke=(10, 20),
        labels=SCHEMES,
        only=PURSUED,
        metrics=(*QUEUE_ENERGY_OBJECTIVE, "microseconds_per_frame"),
    ),
}

OWN: Mapping[str, OwnStudy] = {
    "comparison": OwnStudy("experiments.studies.comparison", SizesConfig),
    "critic_calls": OwnStudy("experiments.studies.critic_calls", SizesConfig),
    "transfer": OwnStudy("experiments.studies.transfer", SizesConfig),
    "largest_rate": OwnStudy("experiments.studies.largest_rate", ScaledConfig),
    "rl_baselines": OwnStudy("experiments.studies.rl_baselines", RLBaselinesConfig),
}

STUDIES: Mapping[str, CurveStudy | AgainstStudy | OwnStudy] = {**CURVES, **AGAINST, **OWN}

REPRODUCED = tuple(name for name in STUDIES if name != "rl_baselines")
"""Studies of `droo reproduce`: all that need no optional package."""
