"""Settings: open settings, their resolution, and refused values."""

import dataclasses
import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.networks import POLICIES
from experiments import configs, pretrain
from experiments.configs import (
    Config,
    DROOConfig,
    LyDROOConfig,
    PretrainConfig,
    ReproduceConfig,
    RLBaselinesConfig,
    SweepConfig,
    resolve,
)
from experiments.running.many import run_all
from experiments.running.run import run as run_experiment
from experiments.runs.provenance import provenance
from experiments.studies.catalogue import STUDIES
from tests.conftest import ROOT

NEEDED: dict[str, dict[str, Any]] = {
    "DatasetConfig": {"output": Path("a.mat")},
    "PretrainConfig": {"data": Path("a.mat")},
    "CheckConfig": {"data": Path("a.mat")},
    "PlotConfig": {"runs": (Path("run"),)},
    "ExportConfig": {"run": Path("run"), "format": "mat"},
}
"""Settings without a default."""

BASES = {"Config", "PolicyConfig", "AgentConfig", "RunConfig"}
"""Classes without a problem, so that their policies have no default features."""

CLASSES: list[type[Config]] = [
    value
    for name, value in vars(configs).items()
    if isinstance(value, type) and issubclass(value, Config) and name not in BASES
]
WITH_POLICY = [DROOConfig, LyDROOConfig, SweepConfig, PretrainConfig]
WITH_PRESET = [DROOConfig, LyDROOConfig, SweepConfig]
OPEN = (
    "policy",
    "features",
    "hidden",
    "quantizer",
    "refine_every",
    "refine_from_local",
    "learn_when_wrong",
    "explore",
)

# The defaults of each problem, written out: policy -> features and hidden widths.
PER_DEVICE = ("log_gain", "weight", "active")
LAST_EIGHT = (*(f"log_gain@{age}" for age in (7, 6, 5, 4, 3, 2, 1)), "log_gain")
OF_WPMEC: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "mlp": (("gain",), (120, 80)),
    "equivariant": (PER_DEVICE, (32, 32)),
    "attention": (PER_DEVICE, (32, 32)),
    "conv": (PER_DEVICE, (32, 64)),
    "gru": (LAST_EIGHT, (64, 64)),
    "bigru_attention": (PER_DEVICE, (32, 32)),
}
PUBLISHED = ("gain", "data_queue", "energy_queue")
OUTLOOK = ("log_price", "airtime", "ahead")
OF_QUEUES: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "mlp": (PUBLISHED, (256, 128)),
    "equivariant": (OUTLOOK, (16, 16)),
    "attention": (OUTLOOK, (16, 16)),
    "conv": (PUBLISHED, (32, 64)),
    "gru": (PUBLISHED, (64, 64)),
    "bigru_attention": (OUTLOOK, (16, 16)),
}
SUITED: dict[type, dict[str, tuple[tuple[str, ...], tuple[int, ...]]]] = {LyDROOConfig: OF_QUEUES}
PRESETS: dict[type, dict[str, tuple[Any, ...]]] = {
    DROOConfig: {
        "best": ("equivariant", "OP", 32, False, True),
        "published": ("mlp", "OP", 0, False, False),
    },
    LyDROOConfig: {
        "best": ("equivariant", "OP", 1000, True, True),
        "published": ("mlp", "OPN", 0, False, False),
    },
}
PRESETS[SweepConfig] = PRESETS[DROOConfig]
OF_PRESET = ("policy", "quantizer", "refine_every", "refine_from_local", "learn_when_wrong")


def new(config_type: type, **settings: Any) -> Any:
    """Return a config of a class."""
    return config_type(**NEEDED.get(config_type.__name__, {}) | settings)


def expected(config_type: type, given_settings: dict[str, Any]) -> dict[str, Any]:
    """Return the expected values of a config's open settings, from the tables above."""
    values: dict[str, Any] = {"policy": "equivariant"}
    if config_type in PRESETS:
        preset = given_settings.get("preset", "best")
        values = dict(zip(OF_PRESET, PRESETS[config_type][preset], strict=True))
    values |= {name: value for name, value in given_settings.items() if value is not None}
    features, hidden = SUITED.get(config_type, OF_WPMEC)[values["policy"]]
    values = {"features": features, "hidden": hidden} | values
    if config_type in PRESETS:
        refines = values["refine_every"] > 0
        values = {"explore": values["learn_when_wrong"] and not refines} | values
    return {name: values[name] for name in OPEN if name in values}


def settings_of(config: Any, names: Any) -> dict[str, Any]:
    return {name: getattr(config, name) for name in names}


MAYBE_GIVEN: dict[str, st.SearchStrategy[Any]] = {
    "policy": st.sampled_from([None, *OF_WPMEC]),
    "features": st.sampled_from([None, ("log_gain",), ("gain", "weight")]),
    "hidden": st.sampled_from([None, (8,), (8, 9)]),
    "quantizer": st.sampled_from([None, "OP", "OPN", "KNN"]),
    "refine_every": st.sampled_from([None, 0, 5]),
    "refine_from_local": st.sampled_from([None, True, False]),
    "learn_when_wrong": st.sampled_from([None, True, False]),
    "explore": st.sampled_from([None, True, False]),
    "preset": st.sampled_from(["best", "published"]),
}


def some_settings(config_type: type) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy of settings of the agent, for a class."""
    present = {field.name for field in fields(config_type)}
    return st.fixed_dictionaries(
        {}, optional={name: MAYBE_GIVEN[name] for name in MAYBE_GIVEN if name in present}
    )


@pytest.mark.parametrize("config_type", WITH_POLICY)
@given(data=st.data())
def test_open_settings_are_those_of_the_preset_and_of_the_policy(
    config_type: type, data: st.DataObject
) -> None:
    settings = data.draw(some_settings(config_type))
    config = new(config_type, **settings)
    resolved = resolve(config)
    wanted = expected(config_type, settings)
    assert settings_of(resolved, wanted) == wanted
    assert replace(resolved, **settings_of(config, wanted)) == config  # nothing else has changed
    assert all(getattr(resolved, name) is not None for name in wanted)


@pytest.mark.parametrize("config_type", WITH_POLICY)
@given(data=st.data())
def test_construction_changes_no_setting(config_type: type, data: st.DataObject) -> None:
    settings = data.draw(some_settings(config_type))
    assert settings_of(new(config_type, **settings), settings) == settings


@pytest.mark.parametrize("config_type", WITH_POLICY)
@given(data=st.data())
def test_a_config_that_was_replaced_is_one_that_was_made_so(
    config_type: type, data: st.DataObject
) -> None:
    first, second = (data.draw(some_settings(config_type)) for _ in range(2))
    replaced = replace(new(config_type, **first), **second)
    assert replaced == new(config_type, **first | second)
    wanted = expected(config_type, first | second)
    assert settings_of(resolve(replaced), wanted) == wanted


@pytest.mark.parametrize("config_type", CLASSES)
def test_every_config_is_resolved_once_and_can_be_replaced(config_type: type[Config]) -> None:
    config = new(config_type)
    resolved = resolve(config)
    assert type(resolved) is config_type
    assert resolve(resolved) == resolved
    assert replace(config) == config
    assert replace(resolved) == resolved
    hash(resolved)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.anything = 1


def test_the_classes_of_every_command_are_tested() -> None:
    assert {DROOConfig, LyDROOConfig, PretrainConfig, ReproduceConfig} < set(CLASSES)
    assert len(CLASSES) >= 18


@pytest.mark.parametrize("config_type", WITH_PRESET)
def test_a_preset_that_does_not_exist_is_refused(config_type: type) -> None:
    with pytest.raises(ValueError, match="preset must be one of best, published, got 'worst'"):
        new(config_type, preset="worst")


@pytest.mark.parametrize("config_type", WITH_POLICY)
def test_a_policy_that_does_not_exist_is_refused_with_the_choices(config_type: type) -> None:
    config = new(config_type, policy="mpl")
    with pytest.raises(ValueError, match=f"must be one of {', '.join(POLICIES)}, got 'mpl'"):
        resolve(config)


def test_a_policy_that_does_not_exist_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    results = tmp_path / "results"
    unknown: dict[str, Any] = {"policy": "mpl", "results": results}
    configs_of_runs = [DROOConfig(results=results), DROOConfig(**unknown)]
    for start in (
        lambda: run_experiment(DROOConfig(**unknown), progress=False),
        lambda: run_experiment(LyDROOConfig(**unknown), progress=False),
        lambda: pretrain.run(PretrainConfig(**unknown, data=tmp_path / "absent.mat")),
        lambda: run_all(configs_of_runs, jobs=1),
    ):
        with pytest.raises(ValueError, match="policy must be one of"):
            start()
    assert not any(tmp_path.iterdir())


def test_a_new_policy_is_one_class(monkeypatch: pytest.MonkeyPatch) -> None:
    mlp: Any = POLICIES["mlp"]
    wide: Any = type("Wide", (mlp,), {"reads": "devices", "hidden": (512,)})
    monkeypatch.setitem(POLICIES, "wide", wide)
    config = resolve(DROOConfig(policy="wide"))
    assert (config.features, config.hidden) == (PER_DEVICE, (512,))
    of_queues = resolve(LyDROOConfig(policy="wide", preset="published"))
    assert (of_queues.features, of_queues.hidden) == (OUTLOOK, (512,))
    monkeypatch.setattr(wide, "reads", "pairs")
    with pytest.raises(ValueError, match="features must be given for the policy wide, got None"):
        resolve(DROOConfig(policy="wide"))
    assert resolve(DROOConfig(policy="wide", features=("gain",))).hidden == (512,)


@pytest.mark.parametrize("config_type", WITH_PRESET)
@pytest.mark.parametrize("preset", ["best", "published"])
def test_the_config_of_a_run_is_saved_resolved(config_type: type, preset: Any) -> None:
    saved = provenance(new(config_type, preset=preset))["config"]
    wanted = expected(config_type, {"preset": preset})
    assert {name: saved[name] for name in wanted} == wanted
    assert json.loads(json.dumps(saved))["preset"] == preset
    names = [field.name for field in fields(config_type)]
    assert list(saved) == [name for name in names if name not in {"results", "tensorboard"}]


@pytest.mark.parametrize(
    ("config_type", "settings", "message"),
    [
        ("DROOConfig", {"frames": 0}, "frames must be at least 1, got 0"),
        ("DROOConfig", {"seed": -1}, "seed must be at least 0, got -1"),
        ("DROOConfig", {"num_devices": 0}, "num_devices must be at least 1, got 0"),
        ("DROOConfig", {"refine_every": -1}, "refine_every must be at least 0, got -1"),
        (
            "DROOConfig",
            {"data": Path("a.mat"), "correlation": 0.5},
            "correlation describes generated frames: drop --data",
        ),
        (
            "LyDROOConfig",
            {"data": Path("a.mat"), "arrivals": "poisson"},
            "arrivals describes generated frames: drop --data",
        ),
        ("SweepConfig", {"seeds": ()}, r"seeds must be distinct and at least one, got \(\)"),
        ("SweepConfig", {"seeds": (1, 1)}, "seeds must be distinct"),
        ("StudyConfig", {"jobs": 0}, "jobs must be at least 1, or -1 for all cores, got 0"),
        ("SizesConfig", {"num_devices": (5, 0)}, r"num_devices must be at least 1, got \(5, 0\)"),
        ("CheckConfig", {"tolerance": float("nan")}, "tolerance must be at least 0, got nan"),
        ("PlotConfig", {"runs": ()}, "runs must name at least one run folder"),
        ("PlotConfig", {"labels": ("a", "b")}, "labels must be as many as runs, got 2 for 1"),
        ("PlotConfig", {"window": 0}, "window must be at least 1, got 0"),
        ("RLBaselinesConfig", {"algorithms": ()}, "algorithms must be distinct"),
        ("RLBaselinesConfig", {"problems": ("wpmec",) * 2}, "problems must be distinct"),
        ("RLBaselinesConfig", {"gamma": 1.0}, "gamma must be at least 0 and below 1, got 1.0"),
        ("RLBaselinesConfig", {"num_devices": 9}, "num_devices must be at most 8 for dqn, got 9"),
    ],
)
def test_a_setting_that_is_out_of_range_is_refused_at_construction(
    config_type: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        new(getattr(configs, config_type), **settings)


def test_settings_at_their_bounds_are_accepted() -> None:
    DROOConfig(data=Path("a.mat"), line_of_sight=0.0, frames=1, refine_every=0)
    LyDROOConfig(data=Path("a.mat"), arrival_rate=3.0, line_of_sight=0.3)
    ReproduceConfig(only=tuple(STUDIES), jobs=-1)
    RLBaselinesConfig(num_devices=20, algorithms=("ppo",), gamma=0.0)


def section(command: str, option: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the help of one option, in one line."""
    monkeypatch.setenv("COLUMNS", "100")
    done = subprocess.run(
        [sys.executable, "-m", "experiments", command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    text = " ".join(done.stdout.translate(str.maketrans("│╭╰╮╯─", "      ")).split())
    return text.partition(f" {option} ")[2].partition(" --")[0]


@pytest.mark.parametrize("command", ["run", "lydroo", "pretrain"])
def test_the_help_names_every_policy(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = section(command, "--policy", monkeypatch).replace(",", " ").replace(".", " ").split()
    assert [name for name in POLICIES if name not in words] == []


@pytest.mark.parametrize(("command", "suited"), [("run", OF_WPMEC), ("lydroo", OF_QUEUES)])
def test_the_help_lists_the_widths_of_every_policy(
    command: str, suited: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = section(command, "--hidden", monkeypatch)
    for policy, (_, hidden) in suited.items():
        widths = " ".join(map(str, hidden))
        assert f"{widths} for {policy}" in told or f"{widths} for the other policies" in told


@pytest.mark.parametrize(
    ("command", "config_type"), [("run", DROOConfig), ("lydroo", LyDROOConfig)]
)
def test_the_help_lists_the_presets(
    command: str, config_type: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = section(command, "--preset", monkeypatch)
    of_best, of_published = told.partition("best: ")[2].split("published, as in the paper: ")
    for text, preset in ((of_best, "best"), (of_published, "published")):
        of_preset = dict(zip(OF_PRESET, PRESETS[config_type][preset], strict=True))
        for name, value in of_preset.items():
            assert f"{name} {value}" in text or f"{name} is {value} in both" in told
