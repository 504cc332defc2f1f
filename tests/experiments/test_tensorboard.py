"""The curves in TensorBoard's event files of a run agree with the run's own files."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from droo_core.extras import MissingExtraError
from experiments import sweep
from experiments.configs import DROOConfig, LyDROOConfig, SweepConfig
from experiments.consumers import event_log
from experiments.consumers.event_log import LOGGED
from experiments.running.many import run_all, run_together
from experiments.running.run import run as run_experiment
from experiments.runs.files import read_csv
from experiments.runs.folder import load_summary

OF_DROO: dict[str, Any] = {"num_devices": 4, "frames": 500, "hidden": (16, 8)}
OF_LYDROO: dict[str, Any] = {"num_devices": 3, "frames": 500}


class Logged:
    """A run with event files, and the same run without."""

    def __init__(self, config: Any, settings: dict[str, Any], folder: Path) -> None:
        with_curves = settings | {"tensorboard": True}
        self.run = run_experiment(config(**with_curves, results=folder / "with"), progress=False)
        plain = config(**settings, results=folder / "without")
        self.plain = run_experiment(plain, progress=False, draw=False)
        self.events = read(folder / "with" / "tensorboard")

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        points = self.events.Scalars(name)
        return [point.step for point in points], [point.value for point in points]

    def column(self, name: str, file: str = "frames.csv") -> NDArray[np.float64]:
        if name == "own_normalized_rate":
            return self.column("own_rate") / self.column("optimal_rate")
        return np.array(read_csv(self.run / file, [name])[name], dtype=np.float64)


def read(curves: Path) -> EventAccumulator:
    (folder,) = curves.iterdir()
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


RUNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "droo": (DROOConfig, OF_DROO),
    "compiled": (DROOConfig, OF_DROO | {"preset": "published"}),
    "lydroo": (LyDROOConfig, OF_LYDROO),
}


@pytest.fixture(scope="module", params=RUNS)
def logged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Logged:
    return Logged(*RUNS[request.param], tmp_path_factory.mktemp("tensorboard"))


def blocks(steps: list[int]) -> list[slice]:
    return [slice(begin, end) for begin, end in zip([0, *steps[:-1]], steps, strict=True)]


def test_a_curve_is_the_block_means_of_its_column(logged: Logged) -> None:
    if logged.run.parent.name == "droo":
        named = {"normalized_rate", "own_normalized_rate", "k", "scored"}
    else:
        queues = {"mean_data_queue", "mean_energy_queue", "mean_energy", "mean_rate"}
        named = queues | {"objective", "normalized_objective", "own_objective", "k", "scored"}
    tags = {tag for tag in logged.events.Tags()["scalars"] if not tag.startswith("summary/")}
    assert tags == named | {"cost"}
    for name in named:
        steps, values = logged.curve(name)
        column = logged.column(name)
        assert len(steps) == 3
        assert steps[-1] == len(column)
        wanted = [column[block].mean() for block in blocks(steps)]
        np.testing.assert_allclose(values, wanted, rtol=1e-6, err_msg=name)


def test_the_curve_of_losses_is_the_block_means_of_the_training_steps(logged: Logged) -> None:
    frame, cost = logged.column("frame", "cost.csv"), logged.column("cost", "cost.csv")
    steps, values = logged.curve("cost")
    for block, value in zip(blocks(steps), values, strict=True):
        there = (block.start < frame) & (frame <= block.stop)
        assert value == pytest.approx(cost[there].mean(), rel=1e-6)


def test_points_are_written_during_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event files of a run that is interrupted in its last frames hold the points before."""
    config = LyDROOConfig(**OF_LYDROO, results=tmp_path, tensorboard=True)

    def scalars(self: event_log.EventLog, frame: int, values: Any) -> None:
        if frame == 500:
            raise KeyboardInterrupt
        original(self, frame, values)

    original = event_log.EventLog.scalars
    monkeypatch.setattr(event_log.EventLog, "scalars", scalars)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(config, progress=False)
    points = read(tmp_path / "tensorboard").Scalars("mean_data_queue")
    assert [point.step for point in points] == [LOGGED, 2 * LOGGED]
    assert not (tmp_path / "lydroo").exists()


def test_figures_summary_and_settings_are_there(logged: Logged) -> None:
    tags = logged.events.Tags()
    figures = {file.stem for file in logged.run.glob("*.png")}
    assert figures
    assert set(tags["images"]) == figures
    summary = load_summary(logged.run)
    ((_, mean_k),) = [[*logged.curve("summary/mean_k")]]
    assert mean_k == [pytest.approx(summary["mean_k"])]
    text = logged.events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert '"hidden": [' in text
    of_settings = logged.events.PluginTagToContent("hparams")
    assert b"learning_rate" in of_settings["_hparams_/session_start_info"]


def test_a_run_is_bit_for_bit_the_same_with_and_without(logged: Logged) -> None:
    """Settings are equal too, so that a sweep reuses either run."""
    for file in ("frames.csv", "cost.csv", "checkpoint.safetensors", "config.json"):
        assert (logged.run / file).read_bytes() == (logged.plain / file).read_bytes(), file


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path: Path) -> None:
    config: dict[str, Any] = {"seed": 0, "config": {}}
    with (
        event_log.opened(tmp_path, config, 10) as first,
        event_log.opened(tmp_path, config, 10) as second,
    ):
        assert None not in (first, second)
    assert len(list(tmp_path.iterdir())) == 2
    with event_log.opened(None, config, 10) as none:
        assert none is None


def test_a_scheme_that_does_not_learn_has_curves_too(tmp_path: Path) -> None:
    config = LyDROOConfig(**OF_LYDROO, scheme="lycd", results=tmp_path, tensorboard=True)
    run_experiment(config, progress=False, draw=False)
    tags = read(tmp_path / "tensorboard").Tags()["scalars"]
    assert "mean_data_queue" in tags
    assert not {"own_objective", "k", "scored", "cost"} & set(tags)


def test_a_missing_package_is_named_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    of_run: dict[str, Any] = {"results": tmp_path / "results", "tensorboard": True}
    for run in (
        lambda: run_experiment(DROOConfig(**of_run)),
        lambda: run_experiment(LyDROOConfig(**of_run)),
        lambda: sweep.main(SweepConfig(**of_run)),
    ):
        with pytest.raises(MissingExtraError, match=r"droo\[tensorboard\]"):
            run()
    assert list(tmp_path.iterdir()) == []
    plain = LyDROOConfig(
        **OF_LYDROO, results=tmp_path
    )  # without TensorBoard, a run without curves works
    assert run_experiment(plain, progress=False, draw=False).is_dir()


def test_a_fleet_has_no_curves(tmp_path: Path) -> None:
    config = DROOConfig(**OF_DROO, results=tmp_path, tensorboard=True)
    with pytest.raises(ValueError, match="drop --device"):
        run_together([config])
    with pytest.raises(ValueError, match="drop --device"):
        sweep.main(SweepConfig(results=tmp_path, tensorboard=True, device="cpu"))
    assert list(tmp_path.iterdir()) == []


def test_every_run_of_a_sweep_has_curves(tmp_path: Path) -> None:
    settings: dict[str, Any] = OF_DROO | {"frames": 100, "results": tmp_path}
    runs = [DROOConfig(**settings, seed=seed, tensorboard=True) for seed in (0, 1)]
    run_all(runs, jobs=1, draw=False)
    assert [folder.name[-8:] for folder in sorted((tmp_path / "tensorboard").iterdir())] == [
        "n4-seed0",
        "n4-seed1",
    ]


def test_a_command_prints_how_to_view_the_curves(capsys: pytest.CaptureFixture[str]) -> None:
    event_log.announce(Path("curves"))
    assert capsys.readouterr().out == "Curves: tensorboard --logdir curves\n"
    event_log.announce(None)
    assert capsys.readouterr().out == ""
