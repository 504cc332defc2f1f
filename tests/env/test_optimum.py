"""The certified optimum, against full enumeration."""

import itertools
import math
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from droo_core.arrays import Floats, Ints
from droo_core.jit import inner_kernel
from env import (
    WirelessPoweredMEC,
    WPMECCritic,
    WPMECFrame,
    WPMECParameters,
    default_channel,
    default_weights,
)
from env.datasets import read_dataset
from env.schemes import (
    certified_optima,
    certified_optimum,
    certify_frames,
    coordinate_descent,
    full_enumeration,
    greedy,
    linear_relaxation,
)
from env.wpmec.kernels import kernel
from env.wpmec.kernels.bound import UNDECIDED, describe, dual
from env.wpmec.kernels.fixing import LINKS, exchange_rule
from env.wpmec.kernels.solver import COLUMNS
from tests.conftest import published

Constants = tuple[float, float, float]


@inner_kernel
def described(
    gain: Floats, class_of: Ints, class_weights: Floats, constants: Constants
) -> tuple[Floats, Ints, Floats]:
    devices, classes = np.zeros((4, len(gain))), np.zeros((len(class_weights), COLUMNS))
    numbers = np.zeros((LINKS + 2, len(gain)), np.int64)
    describe(gain, class_of, class_weights, constants, devices, numbers, classes)
    return devices, numbers, classes


@kernel
def dual_of(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: Constants,
    price: float,
    fixed: NDArray[np.int8],
) -> float:
    """Return the bound at a price; inner kernels cannot be called from Python."""
    devices, numbers, classes = described(gain, class_of, class_weights, constants)
    bound, _, _, _ = dual(price, 0.0, 1.0, fixed, devices, numbers, classes)
    return bound


@kernel
def links_of(
    gain: Floats, class_of: Ints, class_weights: Floats, constants: Constants, value_bound: float
) -> Ints:
    """Return the links of the exchange rule `[2, N]`: follower and leader of each device."""
    _, numbers, classes = described(gain, class_of, class_weights, constants)
    previous = np.empty(len(class_weights), np.int64)
    exchange_rule(gain, value_bound, numbers, classes, previous)
    return numbers[LINKS:]


def everything(frame: WPMECFrame) -> Floats:
    """Return the value of every decision `[2^N]`."""
    return frame.score(every_decision(frame.num_devices))


def every_decision(num_devices: int) -> NDArray[np.int64]:
    return np.array(list(itertools.product((0, 1), repeat=num_devices)))


def any_frame(rng: np.random.Generator, num_devices: int) -> WPMECFrame:
    """Return a frame outside the paper's regime: any SNR, weights, speeds; ties; zero gains."""
    parameters = WPMECParameters(
        noise_power=10 ** rng.uniform(-20, -8),
        cycles_per_bit=10 ** rng.uniform(1, 4),
        bandwidth=10 ** rng.uniform(3, 8),
    )
    weights = rng.uniform(0.1, 3, num_devices)
    if rng.random() < 0.4:
        weights = rng.choice([1.0, 1.5], num_devices)
    low, high = np.sort(rng.uniform(-8, -1, 2))
    gain = 10 ** rng.uniform(low, high, num_devices)
    if rng.random() < 0.1:
        gain[rng.integers(num_devices)] = 0
    if rng.random() < 0.1:
        gain[:] = gain[0]
    return WPMECFrame(WPMECCritic(weights, parameters), gain)


def check_optimal(frame: WPMECFrame) -> None:
    found, best = certified_optimum(frame), everything(frame).max()
    assert found.computation_rate == pytest.approx(best, rel=1e-10)
    assert found.upper_bound >= best * (1 - 1e-13)
    assert found.gap <= 1e-10
    assert found.stopped_by == "gap"
    assert frame.score(found.decision[None])[0] == pytest.approx(found.computation_rate, rel=1e-12)


def test_the_optimum_at_any_snr_and_weights() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1500):
        check_optimal(any_frame(rng, int(rng.integers(1, 12))))


@pytest.mark.parametrize("nodes_at_a_time", [1, 3])
def test_the_optimum_of_a_search_in_small_parts(
    nodes_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("env.wpmec.optimum.SLICE", nodes_at_a_time)
    rng = np.random.default_rng(4)
    for _ in range(200):
        check_optimal(any_frame(rng, int(rng.integers(2, 11))))


def test_the_optimum_with_random_weights_in_the_papers_regime() -> None:
    rng = np.random.default_rng(1)
    for _ in range(500):
        n = int(rng.integers(1, 13))
        critic = WPMECCritic(rng.uniform(0.5, 2, n))
        check_optimal(WPMECFrame(critic, default_channel(n).sample(rng, 1)[0]))


@pytest.mark.slow
def test_the_optimum_of_twenty_thousand_frames() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20_000):
        check_optimal(any_frame(rng, int(rng.integers(1, 13))))


def test_the_optimum_if_threshold_decisions_are_not_optimal() -> None:
    # At this SNR the optimum offloads the smaller gain alone, so that the exchange argument fails.
    parameters = WPMECParameters(noise_power=1e-17, cycles_per_bit=250, bandwidth=1e4)
    frame = WPMECFrame(WPMECCritic([1.0, 1.0], parameters), np.array([5e-5, 1e-3]))
    found = certified_optimum(frame)
    assert found.decision.tolist() == [1, 0]
    assert found.computation_rate > 1.03 * frame.score([[0, 0], [0, 1], [1, 1]]).max()


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.integers(1, 8), st.floats(-3, 3))
def test_any_price_bounds_every_decision(seed: int, num_devices: int, log_price: float) -> None:
    frame = any_frame(np.random.default_rng(seed), num_devices)
    best = everything(frame).max()
    fixed = np.where(frame.gain > 0, UNDECIDED, 0).astype(np.int8)
    price = best * 10**log_price
    bound = dual_of(frame.gain.copy(), *frame.critic.kernel_arguments, price, fixed)
    assert bound >= best * (1 - 1e-13)


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.integers(2, 9))
def test_the_exchange_rule_keeps_an_optimal_decision(seed: int, num_devices: int) -> None:
    frame = any_frame(np.random.default_rng(seed), num_devices)
    values = everything(frame)
    links = links_of(frame.gain.copy(), *frame.critic.kernel_arguments, values.max())
    decisions = every_decision(num_devices)
    obey = np.ones(len(decisions), dtype=bool)
    for follower, leader in enumerate(links[1]):
        if leader >= 0:
            assert links[0, leader] == follower
            obey &= decisions[:, follower] <= decisions[:, leader]
    assert values[obey].max() >= values.max() * (1 - 1e-12)


def test_the_exchange_rule_holds_in_the_papers_regime() -> None:
    # In that regime the rule links almost all neighbours in gain of equal weight, so that threshold
    # decisions are optimal.
    rng, n = np.random.default_rng(0), 30
    critic, proven = WPMECCritic(default_weights(n)), 0
    for gain in default_channel(n).sample(rng, 100):
        rate = certified_optimum(WPMECFrame(critic, gain)).computation_rate
        links = links_of(gain, *critic.kernel_arguments, rate)
        proven += int((links[1] >= 0).sum())
    assert proven > 0.99 * 100 * (n - 2)


def test_many_devices_with_random_weights() -> None:
    rng = np.random.default_rng(0)
    for n, frames in ((30, 100), (100, 20), (300, 3)):
        for gain in default_channel(n).sample(rng, frames):
            frame = WPMECFrame(WPMECCritic(rng.uniform(0.5, 2, n)), gain)
            found = certified_optimum(frame)
            assert found.gap <= 1e-10
            # A necessary condition: no single flip is better.
            flips = found.decision ^ np.eye(n, dtype=np.int64)
            assert frame.score(flips).max() <= found.upper_bound


def test_published_labels_are_optimal_but_for_fifteen() -> None:
    data = read_dataset(published("data/data_10.mat"))
    critic = WPMECCritic(default_weights(10))
    optimum = [certified_optimum(WPMECFrame(critic, h)).computation_rate for h in data.gain]
    ratio = data.computation_rate / optimum
    assert ratio.max() < 1 + 2e-6
    assert (ratio < 1 - 3e-6).sum() == 15
    assert ratio.min() == pytest.approx(1 - 0.0018, abs=1e-4)


def hard_frame() -> WPMECFrame:
    """Return near-equal devices at high SNR, a frame as hard to certify as a subset-sum problem."""
    rng = np.random.default_rng(0)
    parameters = WPMECParameters(noise_power=1e-17, cycles_per_bit=1000, bandwidth=1e5)
    weights = rng.uniform(0.99, 1.01, 60)
    return WPMECFrame(WPMECCritic(weights, parameters), rng.uniform(0.99e-4, 1.01e-4, 60))


def test_the_time_limit_is_kept_and_reported() -> None:
    frame = hard_frame()
    start = time.perf_counter()
    found = certified_optimum(frame, gap=1e-12, time_limit=0.05)
    assert time.perf_counter() - start < 2  # generous: the first call may compile
    assert found.stopped_by == "time"
    assert 1e-12 < found.gap < 1
    assert found.upper_bound == pytest.approx(found.computation_rate * (1 + found.gap))
    assert frame.score(found.decision[None])[0] == pytest.approx(found.computation_rate)


def test_more_time_gives_a_smaller_gap() -> None:
    little = certified_optimum(hard_frame(), gap=1e-12, time_limit=0.0)
    more = certified_optimum(hard_frame(), gap=1e-12, time_limit=0.5)
    assert more.gap <= little.gap
    assert more.computation_rate >= little.computation_rate
    assert more.upper_bound <= little.upper_bound


@pytest.mark.parametrize("num_devices", [30, 60, 100])
def test_out_of_time_no_scheme_decides_better(num_devices: int) -> None:
    # Near-equal devices in the paper's regime, in which the search alone finds only poor decisions.
    rng = np.random.default_rng(0)
    for average in (1e-6, 1e-5, 1e-4):
        critic = WPMECCritic(rng.uniform(0.99, 1.01, num_devices))
        frame = WPMECFrame(critic, average * rng.uniform(0.99, 1.01, num_devices))
        found = certified_optimum(frame, time_limit=0.0)
        for scheme in (coordinate_descent, greedy, linear_relaxation):
            rate = frame.score(scheme(frame)[None])[0]
            assert rate <= found.computation_rate * (1 + 1e-12)


def test_many_frames_one_by_one_or_in_processes() -> None:
    rng = np.random.default_rng(0)
    frames = [any_frame(rng, 6) for _ in range(30)]
    alone = [certified_optimum(frame) for frame in frames]
    for jobs in (1, 2):
        for found, again in zip(alone, certified_optima(frames, jobs=jobs), strict=True):
            assert found.computation_rate == again.computation_rate
            assert (found.decision == again.decision).all()


@pytest.mark.parametrize("num_devices", [1, 2, 10, 30])
@pytest.mark.parametrize("jobs", [1, 2])
def test_frames_are_certified_together_as_one_by_one(num_devices: int, jobs: int) -> None:
    rng = np.random.default_rng(num_devices)
    critic = WPMECCritic(rng.uniform(0.5, 2, num_devices))
    gains = default_channel(num_devices).sample(rng, 300)
    gains[rng.random(gains.shape) < 0.1] = 0
    gains[7] = 0
    together = certify_frames(critic, gains, jobs=jobs).each()
    for gain, found in zip(gains, together, strict=True):
        again = certified_optimum(WPMECFrame(critic, gain))
        assert found[1:] == again[1:]
        assert (found.decision == again.decision).all()
        assert {type(value) for value in found[1:4]} == {float}


def test_hard_frames_among_others_reach_their_own_limit() -> None:
    hard = hard_frame()
    easy = hard.gain * np.linspace(0.1, 1, hard.num_devices)
    found = certify_frames(hard.critic, [easy, hard.gain, easy], gap=1e-12, time_limit=0.0)
    assert found.timed_out.tolist() == [False, True, False]
    assert found.gaps[1] > 1e-12
    assert (found.gaps[[0, 2]] == 1e-12).all()
    alone = certified_optimum(hard, gap=1e-12, time_limit=0.0)
    assert found.each()[1][1:] == alone[1:]
    assert found.computation_rates[0] == found.computation_rates[2]


@pytest.mark.parametrize(
    ("gains", "message"),
    [([1.0, 1.0], r"gains must have shape \[T, 2\]"), ([[1.0, -1.0]], "gains must be finite")],
)
def test_gains_of_many_frames_are_checked(gains: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        certify_frames(WPMECCritic([1.0, 2.0]), gains)


def test_a_loose_gap_is_reached_too() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        frame = any_frame(rng, 8)
        found, best = certified_optimum(frame, gap=1e-2), everything(frame).max()
        assert found.computation_rate <= best * (1 + 1e-12)
        assert best <= found.upper_bound * (1 + 1e-13)
        assert found.gap <= 1e-2


def test_no_gain_at_all() -> None:
    decision, *rest = certified_optimum(WPMECFrame(WPMECCritic([1.0, 2.0]), [0.0, 0.0]))
    assert decision.tolist() == [0, 0]
    assert rest == [0.0, 0.0, 0.0, "gap"]


def test_the_environment_itself_is_a_frame() -> None:
    env = WirelessPoweredMEC(6)
    env.reset(seed=0)
    found = certified_optimum(env)
    assert env.step(found.decision)[1] == pytest.approx(found.computation_rate, rel=1e-12)


def test_bad_arguments_are_named() -> None:
    frame = WPMECFrame(WPMECCritic([1.0, 2.0]), [1e-6, 1e-6])
    for gap in (0.0, -1.0, math.nan, 2.0):
        with pytest.raises(ValueError, match=r"gap must be finite and in \[1e-12, 1\]"):
            certified_optimum(frame, gap=gap)
    with pytest.raises(ValueError, match="time_limit must be finite and in"):
        certified_optimum(frame, time_limit=-1)
    with pytest.raises(TypeError, match=r"frame must be .*, got WPMECCritic"):
        certified_optimum(frame.critic)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"gain must have shape \[2\], got \[3\]"):
        WPMECFrame(frame.critic, [1e-6, 1e-6, 1e-6])
    with pytest.raises(ValueError, match="num_devices must be at most 20"):
        full_enumeration(WPMECFrame(WPMECCritic(np.ones(21)), np.ones(21)))


@pytest.mark.parametrize(
    ("weights", "gain", "constants"),
    [
        ([1.0, 2.0], [1e200, 1.0], {}),
        ([1.0, 1.0], [1e140, 2e140], {}),
        ([1e303, 1e303], [1e-6, 2e-6], {}),
        ([1.0, 1.0], [1e-6, 2e-6], {"bandwidth": 1e150, "cycles_per_bit": 1e4}),
        ([1.0, 1.0], [1e-6, 2e-6], {"cycles_per_bit": 1e300, "energy_coefficient": 1e100}),
    ],
)
def test_a_frame_that_overflows_is_solved_or_refused(
    weights: list[float], gain: list[float], constants: dict[str, float]
) -> None:
    frame = WPMECFrame(WPMECCritic(weights, WPMECParameters(**constants)), gain)
    try:
        found, best = certified_optimum(frame), everything(frame).max()
    except ArithmeticError as error:
        assert re.search("beyond the range|relative error", str(error))  # noqa: PT017 (either message is right)
    else:
        assert found.computation_rate == pytest.approx(best, rel=1e-10)
