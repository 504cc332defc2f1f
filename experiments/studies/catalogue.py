"""All studies. A study that varies settings consists of one entry in `CURVES` or `AGAINST`.

This module imports nothing slow, so that `droo --help` is fast.
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
from experiments.configs.wpmec import HISTORY

Settings = Mapping[str, Any]
"""Settings in which runs differ from the experiment's defaults: name -> value."""

DEVICES = "Devices $N$"


@dataclass(frozen=True)
class CurveStudy:
    """Learning curves under several settings, and their final values.

    Attributes:
        help: the question that the study answers, and background.
        title: title of the figure.
        settings: label of a curve -> settings of its runs.
        experiment: name of the experiment.
        frames: number of frames of a run, at full scale.
        seeds: number of seeds, at full scale.
        common: settings of all runs.
        curves: columns that are drawn against the frames; "cost" is the training loss.
        config: class of the study's own settings.
    """

    help: str
    title: str
    settings: Mapping[str, Settings] = field(hash=False)
    experiment: str
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
        help: the question that the study answers, and background.
        varied: label of the varied setting.
        values: value of the varied setting -> settings of its runs.
        smoke: values at smoke scale.
        labels: label of a line -> settings of its runs.
        metrics: keys of `metrics.METRICS`, each drawn on Axes of its own.
        experiment: name of the experiment.
        frames: number of frames of a run, at full scale.
        seeds: number of seeds, at full scale.
        limits: settings of all Axes.
        only: metric -> labels for which it is drawn; other metrics are drawn for all labels.
        columns: names of the columns of runs.csv that hold the label and the value.
        config: class of the study's own settings; if these give `num_devices`, it replaces the
            values.
    """

    help: str
    varied: str
    values: Mapping[float, Settings] = field(hash=False)
    smoke: Sequence[float]
    labels: Mapping[str, Settings] = field(hash=False)
    metrics: Sequence[str]
    experiment: str
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
        module: module of the study, with `run(config)` and `draw(study, output, described)`; its
            docstring is the help.
        config: class of the study's settings.
    """

    module: str
    config: type[ScaledConfig]


def best(num_devices: int = 10) -> dict[str, Any]:
    """Return settings of runs with the best preset."""
    preset: Preset = "best"
    return {"preset": preset, "num_devices": num_devices}


UNREFINED = {"refine_every": 0, "explore": False}
"""Neither refinement nor random changes, both of which would hide how good the policy is."""
EQUIVARIANT = {"preset": "best", **UNREFINED}
CORRELATED = {"correlation": 0.95, **UNREFINED}
ALIKE = {"policy": "equivariant", "hidden": (32, 32), "learn_when_wrong": True, "explore": False}

CURVES: Mapping[str, CurveStudy] = {
    "quantizers": CurveStudy(
        help="""Order-preserving, noisy order-preserving or nearest-neighbour quantization?

        Follows the DROO paper's comparison of OP with KNN; LyDROO uses the noisy quantizer.""",
        title="Quantizer",
        settings={
            "OP": {},
            "KNN": {"quantizer": "KNN"},
            "noisy OP": {"quantizer": "OPN"},
            "OP, K = 1": {"num_candidates": 1, "adapt_every": None},
            "OP, K = 2": {"num_candidates": 2, "adapt_every": None},
            "KNN, K = 2": {"quantizer": "KNN", "num_candidates": 2, "adapt_every": None},
        },
        experiment="droo",
    ),
    "num_candidates": CurveStudy(
        help="""How many candidates K, if K is fixed?

        Follows the DROO paper's figure on K.""",
        title="Number of candidates K, fixed",
        settings={f"K = {k}": {"num_candidates": k, "adapt_every": None} for k in (1, 2, 3, 5, 10)},
        experiment="droo",
    ),
    "adaptive_k": CurveStudy(
        help="""How often to adapt K?

        Follows the DROO paper's figure on the updating interval.""",
        title="Update interval of adaptive K",
        settings={
            **{f"every {frames}": {"adapt_every": frames} for frames in (1, 8, 32, 128, 512)},
            "never": {"adapt_every": None},
        },
        experiment="droo",
    ),
    "memory_size": CurveStudy(
        help="""How large a replay memory?

        Follows the DROO paper's figure on the memory size.""",
        title="Replay memory",
        settings={
            f"{size:,} rows": {"memory_size": size} for size in (128, 256, 512, 1024, 2048, 4096)
        },
        experiment="droo",
    ),
    "batch_size": CurveStudy(
        help="""How large a training batch?

        Follows the DROO paper's figure on the batch size.""",
        title="Training batch",
        settings={f"batch {size}": {"batch_size": size} for size in (16, 32, 128, 512, 1024)},
        experiment="droo",
    ),
    "training_interval": CurveStudy(
        help="""How many frames between training steps?

        Follows the DROO paper's figure on the training interval.""",
        title="Training interval",
        settings={
            f"every {frames}": {"training_interval": frames} for frames in (1, 5, 10, 20, 50, 100)
        },
        experiment="droo",
    ),
    "learning_rate": CurveStudy(
        help="""How large a learning rate?

        Follows the DROO paper's figure on the learning rate.""",
        title="Learning rate of Adam",
        settings={
            f"{rate:g}": {"learning_rate": rate} for rate in (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
        },
        experiment="droo",
    ),
    "alternating_weights": CurveStudy(
        help="""All weights swapped at 60 % of the frames and back at 80 %: does the agent adapt?

        Compares the published policy, the same with Adam rebuilt at every step as in the published
        code, and the best settings, whose state contains the weights and which devices are active.
        Follows the published demonstration. The published policy's state does not contain the
        weights, so that only the rewards change.""",
        title="Weights swapped and swapped back",
        settings={
            "mlp": {"scenario": "alternating-weights"},
            "mlp, Adam rebuilt": {"scenario": "alternating-weights", "rebuild_optimizer": True},
            "best settings": {"scenario": "alternating-weights", "preset": "best"},
        },
        experiment="droo",
        frames=10_000,
        seeds=10,
    ),
    "on_off": CurveStudy(
        help="""Devices switched off and on during the run: does the agent adapt?

        Compares the published policy, the same with Adam rebuilt at every step as in the published
        code, and the best settings, whose state contains the weights and which devices are active.
        Follows the published demonstration: one device is switched off at 60, 65, 70 and 75 % of
        the frames; one, one and two are switched on at 80, 85 and 90 %; two are switched off at
        95 %.""",
        title="Devices switched off and on",
        settings={
            "mlp": {"scenario": "on-off"},
            "mlp, Adam rebuilt": {"scenario": "on-off", "rebuild_optimizer": True},
            "best settings": {"scenario": "on-off", "preset": "best"},
        },
        experiment="droo",
        frames=10_000,
        seeds=10,
    ),
    "exploration": CurveStudy(
        help="""With which schedule, quantizer, random change and refinement do all seeds learn?

        At N = 30, where some seeds can fail.""",
        title="Exploration: learning from every seed",
        settings={
            "mlp, published": {"preset": "published"},
            "mlp, refined": {"policy": "mlp", "features": ("log_gain",)},
            "equivariant": UNREFINED | {"learn_when_wrong": False},
            "learn when wrong": UNREFINED,
            "learn when wrong, random change": UNREFINED | {"explore": True},
            "learn when wrong, noisy OP": UNREFINED | {"quantizer": "OPN"},
            "learn when wrong, KNN": UNREFINED | {"quantizer": "KNN"},
            "refined": {"learn_when_wrong": False},
            "refined, learn when wrong": {},
            "refined, learn when wrong, noisy OP": {"quantizer": "OPN"},
        },
        experiment="droo",
        frames=5000,
        seeds=10,
        common=best(30),
    ),
    "losses": CurveStudy(
        help="""Cross-entropy, from logits or as published from probabilities, or quadratic cost?

        The gradient of the cross-entropy with respect to a weight is x (p - t), proportional to the
        error. The gradient of the quadratic cost has the additional factor p (1 - p), so that the
        policy hardly learns from a device about which it is certain and wrong.""",
        title="Loss",
        settings={
            "mlp, cross-entropy": {},
            "mlp, of probabilities": {"loss": "bce_probabilities"},
            "mlp, quadratic": {"loss": "quadratic"},
            "equivariant, cross-entropy": EQUIVARIANT,
            "equivariant, of probabilities": EQUIVARIANT | {"loss": "bce_probabilities"},
            "equivariant, quadratic": EQUIVARIANT | {"loss": "quadratic"},
        },
        experiment="droo",
        frames=10_000,
        seeds=10,
    ),
    "correlated_fading": CurveStudy(
        help="""Fading correlated in time: does it help to see earlier frames?""",
        title="Fading with correlation 0.95 from frame to frame",
        settings={
            "mlp": CORRELATED | {"policy": "mlp", "features": ("log_gain",)},
            "mlp, 8 frames": CORRELATED | {"policy": "mlp", "features": HISTORY},
            "gru, 8 frames": CORRELATED | {"policy": "gru"},
            "equivariant": CORRELATED,
        },
        experiment="droo",
        frames=10_000,
        seeds=10,
        common=best(),
    ),
    "queueing_policies": CurveStudy(
        help="""LyDROO: how fast do the policies learn, and how long are the queues?

        Compares the published network, with Adam as published and with Adam's moments kept; a
        convolutional network; the policies that treat all devices alike; and refinement.""",
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
"""Labels for which the objective is drawn: other schemes have another objective, or reach 1."""
QUEUE_ENERGY_OBJECTIVE = ("steady_data_queue", "mean_energy", "normalized_objective")
POLICIES = ("mlp", "equivariant", "attention", "conv", "gru", "bigru_attention")

AGAINST: Mapping[str, AgainstStudy] = {
    "policies": AgainstStudy(
        help="""How fast and how well do the policies learn, N = 5 ... 50?

        All train whenever their own decision was not the best. Refinement is off, since it would
        hide differences between the policies.""",
        varied=DEVICES,
        values={n: {"num_devices": n} for n in (5, 10, 20, 30, 50)},
        smoke=(5, 10),
        labels={name: {"policy": name, **UNREFINED} for name in POLICIES},
        metrics=("normalized_rate_first_200", "normalized_rate_test", "microseconds_per_frame"),
        experiment="droo",
        frames=3000,
        seeds=10,
        columns=("policy", "num_devices"),
        config=SizesConfig,
    ),
    "arrival_rate": AgainstStudy(
        help="""LyDROO and other schemes against the arrival rate: when are queues unstable?""",
        varied="Arrival rate $\\lambda$ (Mbit a frame)",
        values={
            rate: {"arrival_rate": rate}
            for rate in (1.0, 1.5, 2.0, 2.5, 2.75, 3.0, 3.1, 3.2, 3.3, 3.5)
        },
        smoke=(2.0, 3.0),
        labels=SCHEMES,
        only=PURSUED,
        metrics=QUEUE_ENERGY_OBJECTIVE,
        experiment="lydroo",
    ),
    "tradeoff": AgainstStudy(
        help="""LyDROO against V, the weight of the rate relative to the queues in the objective.

        Drift plus penalty achieves the optimal weighted rate within O(1/V), with queues of O(V). If
        all queues are stable, all arrivals are computed at any V; only the queues change.""",
        varied="$V$",
        values={v: {"tradeoff": float(v)} for v in (1, 3, 10, 20, 50, 100, 300, 1000)},
        smoke=(1, 20),
        labels={label: SCHEMES[label] for label in ("LyDROO", "Exact", "LyCD")},
        metrics=("steady_data_queue", "steady_energy_queue", "steady_weighted_rate"),
        experiment="lydroo",
        limits={"xscale": "log"},
    ),
    "energy_budget": AgainstStudy(
        help="""LyDROO and other schemes against the energy budget of a device per frame.""",
        varied="Energy budget (J a frame)",
        values={
            budget: {"energy_budget": budget}
            for budget in (0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12)
        },
        smoke=(0.06, 0.08),
        labels=SCHEMES,
        only=PURSUED,
        metrics=QUEUE_ENERGY_OBJECTIVE,
        experiment="lydroo",
    ),
    "queueing_sizes": AgainstStudy(
        help="""LyDROO and other schemes against N, with 30 Mbit of arrivals per frame in total.""",
        varied=DEVICES,
        values={n: {"num_devices": n, "arrival_rate": 30.0 / n} for n in (10, 20, 30)},
        smoke=(10, 20),
        labels=SCHEMES,
        only=PURSUED,
        metrics=(*QUEUE_ENERGY_OBJECTIVE, "microseconds_per_frame"),
        experiment="lydroo",
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
"""Names of the studies of `droo reproduce`: all that need no optional package."""
