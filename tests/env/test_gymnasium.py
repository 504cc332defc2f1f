"""The environments satisfy Gymnasium's requirements."""

import pickle
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RenderCollection
from numpy.typing import NDArray
from stable_baselines3.common.env_checker import check_env as check_for_stable_baselines

import env
from env.common.rendering import Picture, draw
from env.queueing.features import OUTLOOK, QUEUEING_FEATURES
from env.queueing.picture import queueing_picture
from env.wpmec.features import WPMEC_FEATURES
from env.wpmec.picture import wpmec_picture
from tests.conftest import ROOT

NO_OUTLOOK = tuple(name for name in QUEUEING_FEATURES if name not in OUTLOOK)
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "wpmec": ("WPMEC-v0", {}),
    "wpmec, features": ("WPMEC-v0", {"features": (*WPMEC_FEATURES, "log_gain@2")}),
    "queueing": ("QueueingMEC-v0", {}),
    "queueing, features": ("QueueingMEC-v0", {"features": (*QUEUEING_FEATURES, "ahead@1")}),
    "myopic": ("QueueingMEC-v0", {"allocation": "myopic"}),
    "myopic, features": ("QueueingMEC-v0", {"allocation": "myopic", "features": NO_OUTLOOK}),
}
PROBLEMS = ("WPMEC-v0", "QueueingMEC-v0")


def made(problem: str, **arguments: Any) -> gymnasium.Env[Any, Any]:
    """Return an environment made by `gymnasium.make`."""
    return gymnasium.make(problem, **({"num_devices": 4} | arguments))


# Gains and queues have no largest value, and the logarithm of a gain no smallest.
@pytest.mark.filterwarnings("ignore:.*imum value is .*infinity")
@pytest.mark.parametrize("name", CASES)
def test_gymnasiums_checker_passes(name: str) -> None:
    problem, arguments = CASES[name]
    # For the environment with all features the checker also tests rendering.
    check_env(made(problem, **arguments).unwrapped, skip_render_check=name != "queueing, features")


@pytest.mark.parametrize("name", CASES)
def test_the_checker_of_stable_baselines_passes_without_a_warning(name: str) -> None:
    problem, arguments = CASES[name]
    check_for_stable_baselines(made(problem, **arguments))


@pytest.mark.parametrize("name", CASES)
def test_a_seed_makes_it_repeatable_and_none_continues_the_random_stream(name: str) -> None:
    problem, arguments = CASES[name]
    one = made(problem, **arguments)
    first, _ = one.reset(seed=3)
    stepped = one.step(np.ones(4))[0]
    assert one.unwrapped.np_random_seed == 3
    assert (one.reset(seed=3)[0] == first).all()
    assert (one.step(np.ones(4))[0] == stepped).all()
    again, _ = one.reset()
    assert (again != first).any()
    assert one.unwrapped.np_random_seed == 3
    other = made(problem, **arguments)
    other.reset(seed=3)
    other.step(np.ones(4))
    assert (other.reset()[0] == again).all()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_its_spec_can_be_sent_to_another_process(problem: str) -> None:
    spec = made(problem, max_episode_steps=7).spec
    received = pickle.loads(pickle.dumps(spec))
    assert received == spec
    again = gymnasium.make(received)
    assert again.action_space == gymnasium.spaces.MultiBinary(4)
    assert again.spec is not None
    assert again.spec.max_episode_steps == 7


def test_the_registry_lists_it() -> None:
    listed = gymnasium.pprint_registry(disable_print=True)
    assert listed is not None
    assert all(problem in listed for problem in PROBLEMS)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_it_is_drawn_after_every_frame(problem: str) -> None:
    collected = RenderCollection(made(problem, render_mode="rgb_array"))
    collected.reset(seed=0)
    collected.step(np.array([0, 1, 1, 0]))
    pictures: Any = collected.render()
    assert len(pictures) == 2
    for pixels in pictures:
        assert pixels.shape == (480, 640, 3)
        assert pixels.dtype == np.uint8
    assert blue(pictures[1]) > blue(pictures[0]) + 500  # the lines of those that offload


def blue(pixels: NDArray[np.uint8]) -> int:
    """Return the number of pixels in the colour of offloading devices."""
    return int((pixels == (0x00, 0x72, 0xB2)).all(axis=-1).sum())


def test_a_picture_shows_which_devices_offload_and_when() -> None:
    one = env.WirelessPoweredMEC(4, render_mode="rgb_array")
    one.reset(seed=0)
    decision, gain = np.array([0.0, 1.0, 1.0, 0.0]), one.gain
    done = one.allocate(decision)
    picture = wpmec_picture(gain, decision, done)
    assert picture.title == f"2 of 4 offload (blue): {done.computation_rate / 1e6:.2f} Mbit/s"
    info = one.step(decision)[4]
    decision[:] = 0  # the caller's array, of which the environment keeps a copy
    info["offload_time"][:] = 0
    drawn = one.render()
    assert drawn is not None
    assert (drawn == draw(picture)).all()
    assert (drawn == one.render()).all()
    # Along the time axis: the energy broadcast, then the offloading times.
    bar = drawn[400]
    broadcast = (np.abs(bar.astype(int) - (0xF0, 0xC2, 0x4B)).sum(axis=1) < 6).sum()
    assert broadcast / (0.94 * 640) == pytest.approx(done.energy_time, abs=0.01)


def test_a_picture_shows_the_queues() -> None:
    queues = np.array([8.0, 0.0, 2.0, 4.0]), np.zeros(4)
    shown = blue(draw(queueing_picture(np.full(4, 1e-11), *queues)))
    more = blue(draw(queueing_picture(np.full(4, 1e-11), 2 * queues[0], np.full(4, 3.0))))
    assert more > shown > 1000


@pytest.mark.parametrize("num_devices", [1, 60])
def test_pictures_of_any_number_of_devices_are_drawn(num_devices: int) -> None:
    gain = np.zeros(num_devices)  # and without any gain
    assert draw(Picture("", gain, (-80, -40), np.ones(num_devices, int))).std() > 10


@pytest.mark.parametrize("problem", PROBLEMS)
def test_without_a_render_mode_there_is_a_warning_and_no_picture(problem: str) -> None:
    one = made(problem).unwrapped
    one.reset(seed=0)
    with pytest.warns(UserWarning, match="render needs an environment made with render_"):
        assert one.render() is None


@pytest.mark.parametrize("problem", [env.WirelessPoweredMEC, env.QueueingMEC])
def test_an_unknown_render_mode_is_named(problem: Any) -> None:
    with pytest.raises(ValueError, match="render_mode must be rgb_array or None, got 'human'"):
        problem(render_mode="human")
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        problem(render_mode="rgb_array").render()


def test_simulation_without_rendering_does_not_load_matplotlib() -> None:
    code = "import sys, env; env.QueueingMEC().reset(); print('matplotlib' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "False"


def test_the_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "gymnasium_environments.py"))["main"](tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"render_wpmec.png", "render_queueing.png"}
    said = re.search(r"DROO (0\.\d+) of the optimum", capsys.readouterr().out)
    assert said is not None
    assert float(said[1]) == pytest.approx(0.99, abs=0.01)  # as the how-to page says
