"""The reference schemes follow their definitions, and none exceeds the certified optimum."""

import itertools

import cvxpy
import numpy as np
import pytest
from numpy.typing import ArrayLike

from droo_core.arrays import Floats, Ints
from env import WirelessPoweredMEC, WPMECCritic, WPMECFrame, default_channel, default_weights
from env.schemes import (
    Scheme,
    all_local,
    all_offloading,
    certified_optimum,
    coordinate_descent,
    full_enumeration,
    greedy,
    linear_relaxation,
    optimum,
    random_offloading,
)
from env.wpmec.kernels.bound import relaxation
from tests.reference import best_rate

SCHEMES: dict[str, Scheme] = {
    "optimum": optimum,
    "coordinate descent": coordinate_descent,
    "linear relaxation": linear_relaxation,
    "greedy": greedy,
    "all offloading": all_offloading,
    "all local": all_local,
    "random": random_offloading(np.random.default_rng(0)),
}


class Parity:
    """An abstract problem: an even number of ones is good, and more ones are better."""

    num_devices = 4

    def score(self, decisions: ArrayLike) -> Floats:
        ones = np.asarray(decisions).sum(axis=1)
        return np.asarray(np.where(ones % 2 == 0, ones, -ones), dtype=np.float64)


def frames(num_devices: int, count: int, seed: int = 0) -> list[WPMECFrame]:
    rng = np.random.default_rng(seed)
    gains = default_channel(num_devices).sample(rng, count)
    return [WPMECFrame(WPMECCritic(rng.uniform(0.5, 2, num_devices)), gain) for gain in gains]


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("num_devices", [1, 10, 30])
def test_no_scheme_beats_the_certified_optimum(name: str, num_devices: int) -> None:
    for frame in frames(num_devices, 50):
        decision = SCHEMES[name](frame)
        assert decision.shape == (num_devices,)
        assert np.isin(decision, (0, 1)).all()
        best = certified_optimum(frame)
        assert frame.score(decision[None])[0] <= best.upper_bound * (1 + 1e-13)


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_takes_an_environment(name: str) -> None:
    env = WirelessPoweredMEC(5)
    env.reset(seed=0)
    for _ in range(5):
        env.step(SCHEMES[name](env))


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_accepts_devices_without_gain(name: str) -> None:
    for gain in ([0.0, 1e-6, 0.0], [0.0, 0.0, 0.0], [1e-6, 1e-6, 1e-6]):
        assert SCHEMES[name](WPMECFrame(WPMECCritic(default_weights(3)), gain)).shape == (3,)


def test_coordinate_descent_ends_where_no_flip_helps() -> None:
    rng = np.random.default_rng(0)
    for frame in frames(12, 30):
        for start in (None, rng.integers(0, 2, 12)):
            decision = coordinate_descent(frame, start)
            flips = decision ^ np.eye(12, dtype=np.int64)
            assert frame.score(flips).max() <= frame.score(decision[None])[0]


def test_coordinate_descent_takes_the_best_flip_first() -> None:
    seen: list[Ints] = []
    frame = frames(6, 1)[0]
    score = frame.score
    frame.score = lambda decisions: seen.append(np.array(decisions)) or score(decisions)  # type: ignore[method-assign,func-returns-value]
    coordinate_descent(frame)
    for before, after in itertools.pairwise(seen[1:]):
        best = before[np.argmax(score(before))]
        assert (np.abs(after - best).sum(axis=1) == 1).all()


def test_schemes_for_any_problem() -> None:
    # From 0000 every flip is worse; from 0001 the best flip leads to two ones, a local optimum.
    assert full_enumeration(Parity()).tolist() == [1, 1, 1, 1]
    assert coordinate_descent(Parity()).tolist() == greedy(Parity()).tolist() == [0, 0, 0, 0]
    assert coordinate_descent(Parity(), [0, 0, 0, 1]).sum() == 2
    assert all_local(Parity()).sum() == 0
    assert all_offloading(Parity()).sum() == 4


class Regret:
    """A problem in which the best single device is not in the best set."""

    num_devices = 3

    def score(self, decisions: ArrayLike) -> Floats:
        rewards = {(0, 0, 0): 0, (1, 0, 0): 5, (1, 1, 0): 6, (1, 1, 1): 7, (0, 1, 1): 8}
        rows = np.asarray(decisions).tolist()
        return np.array([rewards.get(tuple(row), -1) for row in rows], dtype=np.float64)


def test_coordinate_descent_removes_devices_and_greedy_does_not() -> None:
    assert greedy(Regret()).tolist() == [1, 1, 1]
    assert coordinate_descent(Regret()).tolist() == [0, 1, 1]


def test_random_offloading_is_even_and_repeatable() -> None:
    scheme, again = (random_offloading(np.random.default_rng(7)) for _ in range(2))
    drawn = np.array([scheme(frame) for frame in frames(10, 1) * 1000])
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)
    assert (again(frames(10, 1)[0]) == drawn[0]).all()


def test_the_rounded_relaxation_is_near_the_optimum() -> None:
    ratios = []
    for frame in frames(20, 50, seed=1):
        decision = linear_relaxation(frame)
        ratios.append(frame.score(decision[None])[0] / certified_optimum(frame).computation_rate)
    assert np.mean(ratios) > 0.999
    assert min(ratios) > 0.99


def test_the_relaxed_problem_against_cvxpy() -> None:
    frame = frames(6, 1, seed=3)[0]
    _, _, (snr_factor, local_factor, eps) = frame.critic.kernel_arguments
    a, scale = 0.4, 1e-6
    energy = a * snr_factor * frame.gain**2
    local = frame.critic.weights * local_factor * np.cbrt(frame.gain * a) * scale
    offload = frame.critic.weights * eps * scale
    share, time = cvxpy.Variable(6), cvxpy.Variable(6)
    offloaded = -cvxpy.rel_entr(time, time + cvxpy.multiply(energy, share))
    objective = cvxpy.Maximize(local @ (1 - share) + offload @ offloaded)
    constraints = [share >= 0, share <= 1, time >= 0, cvxpy.sum(time) <= 1 - a]
    cvxpy.Problem(objective, constraints).solve(solver="CLARABEL")
    # cvxpy's times may be negative by rounding, where the logarithm is undefined.
    x, tau = np.clip(share.value, 0, 1), np.maximum(time.value, 1e-15)
    solved = (local @ (1 - x) + offload @ (tau * np.log1p(energy * x / tau))) / scale
    for price in (0.1 * solved, solved):
        value, _ = relaxation(frame.gain, *frame.critic.kernel_arguments, a, price)
        assert value == pytest.approx(solved, rel=1e-6)


def test_the_optimum_of_a_small_frame_by_independent_means() -> None:
    frame = frames(4, 1, seed=5)[0]
    values = {
        decision: best_rate(frame.gain, frame.critic.weights, np.array(decision))
        for decision in itertools.product((0, 1), repeat=4)
    }
    assert tuple(optimum(frame)) == max(values, key=lambda decision: values[decision])


def test_bad_arguments_are_named() -> None:
    frame = frames(3, 1)[0]
    with pytest.raises(ValueError, match=r"start must have shape \[3\], got \[2\]"):
        coordinate_descent(frame, [0, 1])
    with pytest.raises(ValueError, match="start must hold zeros and ones only, got 2"):
        coordinate_descent(frame, [0, 1, 2])
    for scheme in (optimum, linear_relaxation):
        with pytest.raises(TypeError, match="frame must be a WirelessPoweredMEC"):
            scheme(Parity())
