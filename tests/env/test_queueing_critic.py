import math
from dataclasses import replace
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks import plain_queueing
from droo_core.arrays import Floats, Ints
from env import (
    MyopicCritic,
    QueueingAllocation,
    QueueingCritic,
    QueueingFrame,
    QueueingParameters,
    default_queueing_channel,
    default_queueing_weights,
)
from env.schemes import coordinate_descent
from tests import reference
from tests.conftest import published

Frame = tuple[Floats, Floats, Floats]
Critic = QueueingCritic | MyopicCritic

PAPER = QueueingParameters()
CLARABEL = {"tol_gap_abs": 1e-9, "tol_gap_rel": 1e-9, "tol_feas": 1e-9}


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    """Return a strategy of zero and numbers between these powers of ten."""
    return st.just(0.0) | st.floats(low, high).map(lambda exponent: 10**exponent)


@st.composite
def problems(
    draw: st.DrawFn,
    energy: tuple[float, float] = (-9, 9),
    max_devices: int = 7,
) -> tuple[QueueingParameters, Floats, Frame, Ints]:
    """Draw gains from 1e-20 to 1e-3, queues from 1e-9 to 1e6, or zeros; weights; a decision."""
    n = draw(st.integers(1, max_devices))
    kinds = {"gain": (-20.0, -3.0), "data": (-9.0, 6.0), "energy": energy}
    alike = draw(st.booleans())
    rows = {k: draw(arrays(np.float64, n, elements=numbers(*v))) for k, v in kinds.items()}
    weights = draw(arrays(np.float64, n, elements=st.floats(0.1, 10) | st.sampled_from([1, 1.5])))
    if alike:
        rows = {name: np.full(n, row[0]) for name, row in rows.items()}
        weights[:] = weights[0]
    decision = draw(arrays(np.int64, n, elements=st.integers(0, 1)))
    parameters = draw(
        st.sampled_from(
            [
                PAPER,
                replace(PAPER, tradeoff=0.0),
                replace(
                    PAPER,
                    tradeoff=1e3,
                    cycles_per_bit=737.5,
                    max_frequency=2e9,
                    energy_coefficient=1e-27,
                    bandwidth=1e7,
                    communication_overhead=1.3,
                    noise_density=1e-19,
                    max_power=1.0,
                    energy_price=1.0,
                ),
            ]
        )
    )
    return parameters, weights, (rows["gain"], rows["data"], rows["energy"]), decision


def usual_frames(count: int, n: int, seed: int = 0) -> list[Frame]:
    """Return frames as in the paper's experiments."""
    rng = np.random.default_rng(seed)
    gains = default_queueing_channel(n).sample(rng, count)
    return [(gain, rng.exponential(5, n), rng.exponential(200, n)) for gain in gains]


def odd_frame(kind: str, n: int, rng: np.random.Generator) -> Frame:
    """Return a frame at the limits of the ranges."""
    gain, data, energy = usual_frames(1, n, int(rng.integers(2**32)))[0]
    if kind == "empty":
        data[rng.random(n) < 0.5] = 0
    elif kind == "full":
        data = rng.uniform(1e3, 9e3, n)
    elif kind == "free energy":
        energy[:] = 0
    elif kind == "free energy for some":
        energy[rng.random(n) < 0.5] = 0
    elif kind == "dear energy":
        energy = rng.uniform(3e3, 3e4, n)
    elif kind == "no channel":
        gain[rng.random(n) < 0.5] = 0
    elif kind == "good channels":
        gain *= 100
    elif kind == "alike":
        gain[:], data[:], energy[:] = gain[0], data[0], energy[0]
    return gain, data, energy


KINDS = (
    "usual",
    "empty",
    "full",
    "free energy",
    "free energy for some",
    "dear energy",
    "no channel",
    "good channels",
    "alike",
)


def convex_optimum(frame: Frame, weights: Floats, decision: Ints, *, myopic: bool) -> float:
    """Return the optimum by a convex solver, over rates, energies and times; 100 Mcycles per Mbit.

    Devices that can compute nothing are left out: they make the problem ill-posed.
    """
    gain, data, energy = frame
    able = (data > 0) & ((gain > 0) | (decision == 0)) & ((energy > 0) | (not myopic))
    gain, data, energy, weights = gain[able], data[able], energy[able], weights[able]
    n, off = len(gain), decision[able] == 1
    if n == 0:
        return 0.0
    eps = 2 / 1.1 / math.log(2)
    full = gain * 0.1 / (2e6 * 10**-20.4)  # signal-to-noise ratio at 0.1 W
    rate, spent, tau = cp.Variable(n), cp.Variable(n), cp.Variable(n)  # spent: in units of 0.1 J
    constraints = [rate >= 0, rate <= data, tau >= 0, cp.sum(tau) <= 1]
    for i in range(n):
        if off[i]:
            nats = -cp.rel_entr(tau[i], tau[i] + full[i] * spent[i])
            constraints += [rate[i] <= eps * nats, spent[i] <= tau[i], spent[i] >= 0]
        else:
            constraints += [spent[i] >= 0.1 * cp.power(rate[i], 3), rate[i] <= 3, tau[i] == 0]
    if myopic:
        constraints.append(spent <= 10 * energy)
        objective, scale = weights @ rate, 1.0
    else:
        worth = data + 20 * weights
        scale = float(worth.max())
        objective = (worth / scale) @ rate - (energy / scale) @ spent
    problem = cp.Problem(cp.Maximize(objective), constraints)
    problem.solve(solver=cp.CLARABEL, **CLARABEL)
    return float(problem.value) * scale


def check_allocation(critic: Critic, frame: Frame, decision: Ints) -> QueueingAllocation:
    """Check that an allocation satisfies every constraint, and that its parts are consistent."""
    c, (gain, data, _) = critic.parameters, frame
    done = critic.allocate(*frame, decision)
    f, tau, p = done.frequency, done.offload_time, done.power
    for part in (done.rate, done.energy, f, tau, p):
        assert part.shape == gain.shape
        assert np.isfinite(part).all()
        assert (part >= 0).all()
    assert tau.sum() <= 1 + 1e-12
    assert (p <= c.max_power).all()
    assert (done.rate <= data).all()
    assert (f <= c.max_frequency).all()
    assert (f[decision == 1] == 0).all()
    assert (tau[decision == 0] == 0).all()
    local = c.energy_coefficient * f**3
    np.testing.assert_allclose(done.energy, np.where(decision == 1, p * tau, local), rtol=1e-9)
    nats = np.log1p(p * gain / (c.noise_density * c.bandwidth))
    sent = c.bandwidth * tau * nats / math.log(2) / c.communication_overhead / 1e6
    computed = f / c.cycles_per_bit / 1e6
    np.testing.assert_allclose(done.rate, np.where(decision == 1, sent, computed), rtol=1e-9)
    assert done.time_price >= 0
    assert done.objective == critic.score(*frame, decision[None])[0]
    return done


def terms(critic: QueueingCritic, frame: Frame, done: QueueingAllocation) -> tuple[float, float]:
    """Return the value of an allocation's rates, and the cost of its energy."""
    worth = frame[1] + critic.parameters.tradeoff * critic.weights
    earned = float(worth @ done.rate)
    return earned, float(critic.parameters.energy_price * frame[2] @ done.energy)


def test_never_below_the_published_critic_and_often_above() -> None:
    golden = np.load(published("golden/lydroo_scores.npz"))
    critic = QueueingCritic(golden["weights"], QueueingParameters(tradeoff=float(golden["V"])))
    frames = zip(golden["channel"], golden["data_queue"], golden["energy_queue"], strict=True)
    value = np.array(
        [
            critic.score(*frame, decision[None])[0]
            for frame, decision in zip(frames, golden["decision"], strict=True)
        ]
    )
    better = value / golden["objective"] - 1
    assert better.min() > -1e-6
    assert 0.1 < (better > 1e-4).mean() < 0.2
    assert better.max() < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_agreement_with_a_convex_solver(kind: str) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    for _ in range(4):
        n = int(rng.integers(1, 7))
        frame, weights = odd_frame(kind, n, rng), rng.uniform(0.5, 2, n)
        for decision in (rng.integers(0, 2, n), np.ones(n, np.int64)):
            value = QueueingCritic(weights).score(*frame, decision[None])[0]
            solved = convex_optimum(frame, weights, decision, myopic=False)
            # An optimum of 0, due to expensive energy, is found only to the solver's tolerance.
            nothing = 1e-7 * (frame[1] + 20 * weights).max()
            assert value == pytest.approx(solved, rel=1e-6, abs=nothing)


@settings(max_examples=100)
@given(problem=problems())
def test_agreement_with_a_scalar_search(
    problem: tuple[QueueingParameters, Floats, Frame, Ints],
) -> None:
    parameters, weights, frame, decision = problem
    critic = QueueingCritic(weights, parameters)
    for x in (decision, np.ones_like(decision)):
        value = critic.score(*frame, x[None])[0]
        best = reference.queueing_objective(frame, weights, x, parameters)
        earned, _ = terms(critic, frame, critic.allocate(*frame, x))
        # If energy costs nearly as much as the rates are worth, rounding is relative to these.
        assert value == pytest.approx(best, rel=1e-9, abs=1e-12 * earned)


@settings(max_examples=300)
@given(problem=problems(max_devices=30))
def test_the_allocation_is_feasible_and_earns_its_value(
    problem: tuple[QueueingParameters, Floats, Frame, Ints],
) -> None:
    parameters, weights, frame, decision = problem
    critic = QueueingCritic(weights, parameters)
    done = check_allocation(critic, frame, decision)
    earned, spent = terms(critic, frame, done)
    assert earned - spent == pytest.approx(done.objective, rel=1e-9, abs=1e-12 * earned)
    assert done.objective >= -1e-12 * earned
    # Complementary slackness: either time is left over, or it has a price.
    left = 1 - done.offload_time.sum()
    assert done.time_price * left <= 1e-9 * max(done.objective, earned)


def test_the_allocation_earns_its_value_in_usual_frames() -> None:
    rng = np.random.default_rng(3)
    for kind in KINDS:
        for _ in range(20):
            critic, frame = QueueingCritic(default_queueing_weights(10)), odd_frame(kind, 10, rng)
            decision = rng.integers(0, 2, 10)
            done = check_allocation(critic, frame, decision)
            earned, spent = terms(critic, frame, done)
            assert earned - spent == pytest.approx(done.objective, rel=1e-9)


def test_the_price_of_time_is_what_more_time_would_be_worth() -> None:
    rng = np.random.default_rng(4)
    for kind in KINDS:
        for _ in range(3):
            n = int(rng.integers(1, 7))
            weights, frame = rng.uniform(0.5, 2, n), odd_frame(kind, n, rng)
            decision = np.ones(n, np.int64)  # local computation would also use the longer frame
            price = QueueingCritic(weights).allocate(*frame, decision).time_price
            step = 1e-4
            less, now, more = (
                reference.queueing_objective(frame, weights, decision, PAPER, length)
                for length in (1 - step, 1.0, 1 + step)
            )
            # The value is concave in the time, with kinks.
            assert (more - now) / step <= price + 1e-8 * now
            assert price <= (now - less) / step + 1e-8 * now


def test_only_scarce_time_has_a_price() -> None:
    critic = QueueingCritic([1.0, 1.0])
    gain = np.array([1e-10, 1e-10])
    idle = critic.allocate(gain, [0.1, 0.2], [0.0, 0.0], [1, 1])
    assert idle.time_price == 0
    assert idle.offload_time.sum() < 1
    assert idle.rate.tolist() == [0.1, 0.2]
    busy = critic.allocate(gain, [1e3, 2e3], [0.0, 0.0], [1, 1])
    assert busy.time_price > 0
    assert busy.offload_time == pytest.approx([0, 1])


@settings(max_examples=150)
@given(
    problem=problems(max_devices=12),
    name=st.sampled_from(["max_power", "max_frequency"]),
    factor=st.floats(1.0, 10.0),
)
def test_more_power_or_frequency_never_hurts(
    problem: tuple[QueueingParameters, Floats, Frame, Ints], name: str, factor: float
) -> None:
    parameters, weights, frame, decision = problem
    more = replace(parameters, **{name: factor * getattr(parameters, name)})
    decisions = np.array([decision, 1 - decision, np.ones_like(decision)])
    energy = frame[2]
    for kind in (QueueingCritic, MyopicCritic):
        before = kind(weights, parameters).score(frame[0], frame[1], energy, decisions)
        after = kind(weights, more).score(frame[0], frame[1], energy, decisions)
        rounding = 1e-12 * float((frame[1] + parameters.tradeoff * weights) @ frame[1])
        assert (after >= before * (1 - 1e-10) - rounding).all()


@settings(max_examples=150)
@given(problem=problems(max_devices=12), factor=st.floats(1.0, 10.0))
def test_more_bandwidth_never_hurts(
    problem: tuple[QueueingParameters, Floats, Frame, Ints], factor: float
) -> None:
    # W log2(1 + P / (W n0)) grows with W at a fixed noise density, not at a fixed noise power.
    parameters, weights, frame, decision = problem
    more = replace(parameters, bandwidth=factor * parameters.bandwidth)
    decisions = np.array([decision, 1 - decision, np.ones_like(decision)])
    for kind in (QueueingCritic, MyopicCritic):
        before = kind(weights, parameters).score(*frame, decisions)
        after = kind(weights, more).score(*frame, decisions)
        rounding = 1e-12 * float((frame[1] + parameters.tradeoff * weights) @ frame[1])
        assert (after >= before * (1 - 1e-10) - rounding).all()


@pytest.mark.parametrize("kind", [QueueingCritic, MyopicCritic])
def test_a_score_depends_on_its_decision_alone(kind: type[Critic]) -> None:
    rng = np.random.default_rng(0)
    critic, frame = kind(default_queueing_weights(12)), usual_frames(1, 12)[0]
    decisions = rng.integers(0, 2, (50, 12))
    together = critic.score(*frame, decisions)
    assert together.tolist() == [critic.score(*frame, x[None])[0] for x in decisions]
    assert critic.score(*frame, decisions[::-1]).tolist() == together[::-1].tolist()
    assert critic.score(*frame, decisions.astype(bool)).tolist() == together.tolist()
    assert critic.score(*frame, np.asfortranarray(decisions, float)).tolist() == together.tolist()
    assert critic.score(*frame, np.empty((0, 12))).shape == (0,)


@settings(max_examples=100)
@given(problem=problems(max_devices=12), seed=st.integers(0, 1000))
def test_the_order_of_the_devices_does_not_matter(
    problem: tuple[QueueingParameters, Floats, Frame, Ints], seed: int
) -> None:
    parameters, weights, frame, decision = problem
    order = np.random.default_rng(seed).permutation(len(weights))
    shuffled = (frame[0][order], frame[1][order], frame[2][order])
    for kind in (QueueingCritic, MyopicCritic):
        critic = kind(weights, parameters)
        value = critic.score(*frame, decision[None])[0]
        again = kind(weights[order], parameters).score(*shuffled, decision[order][None])[0]
        rounding = 1e-12 * float((frame[1] + parameters.tradeoff * weights) @ frame[1])
        assert again == pytest.approx(value, rel=1e-10, abs=rounding)


def test_the_allocation_follows_the_order_of_the_devices() -> None:
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.5, 2, 10)
    for frame in usual_frames(20, 10):
        order, decision = rng.permutation(10), rng.integers(0, 2, 10)
        for kind in (QueueingCritic, MyopicCritic):
            done = kind(weights).allocate(*frame, decision)
            shuffled = (frame[0][order], frame[1][order], frame[2][order])
            again = kind(weights[order]).allocate(*shuffled, decision[order])
            for part, other in zip(done[1:6], again[1:6], strict=True):
                assert isinstance(part, np.ndarray)
                np.testing.assert_allclose(part[order], other, rtol=1e-9, atol=1e-12)


def test_cases_solved_by_hand() -> None:
    critic = QueueingCritic([1.5, 1.0])
    # Free energy: the highest frequency, 3 Mbit in a second, or all that is queued.
    done = critic.allocate([0.0, 0.0], [2.0, 5.0], [0.0, 0.0], [0, 0])
    assert done.rate == pytest.approx([2, 3])
    assert done.frequency == pytest.approx([2e8, 3e8])
    assert done.energy == pytest.approx([0.08, 0.27])
    assert done.objective == pytest.approx(2 * 32 + 3 * 25)
    # f = sqrt(a / (3 phi kappa 10 Y)), with a = 5 + 20.
    done = critic.allocate([0.0, 0.0], [2.0, 5.0], [0.0, 1000.0], [0, 0])
    assert done.frequency[1] == pytest.approx(math.sqrt(25 / (3e8 * 1e-26 * 1e4)), rel=1e-12)
    # One device with free energy and more data than fits: the whole frame at full power.
    gain = 1e-11
    done = critic.allocate([gain, 0.0], [50.0, 0.0], [0.0, 0.0], [1, 0])
    rate = 2 / 1.1 * math.log2(1 + 0.1 * gain / (2e6 * 10**-20.4))
    assert done.rate[0] == pytest.approx(rate, rel=1e-12)
    assert done.power[0] == pytest.approx(0.1, rel=1e-12)
    assert done.offload_time[0] == pytest.approx(1)
    assert done.objective == pytest.approx(80 * rate, rel=1e-12)
    assert done.time_price == pytest.approx(80 * rate, rel=1e-12)


def test_devices_with_nothing_to_do_or_no_channel_earn_nothing() -> None:
    critic = QueueingCritic([1.0, 1.5, 1.0])
    everything = np.array([[0, 0, 0], [0, 1, 0], [1, 1, 1]])
    assert critic.score([1e-11] * 3, [0.0] * 3, [5.0] * 3, everything).tolist() == [0, 0, 0]
    assert critic.score([0.0] * 3, [9.0] * 3, [5.0] * 3, [[1, 1, 1]]).tolist() == [0]
    assert critic.allocate([0.0] * 3, [9.0] * 3, [5.0] * 3, [1, 1, 1]).energy.tolist() == [0, 0, 0]
    # Energy is expensive and only the queues have worth, so that no device sends.
    greedy = QueueingCritic([1.0], QueueingParameters(tradeoff=0.0))
    assert greedy.allocate([1e-13], [1.0], [1e9], [1]).rate.tolist() == [0]


@pytest.mark.parametrize("energy", [0.0, 1e-9, 1.0, 1e9])
@pytest.mark.parametrize("data", [1e-9, 1.0, 1e6])
@pytest.mark.parametrize("gain", [1e-20, 1e-11, 1e-3])
@pytest.mark.parametrize("tradeoff", [0.0, 20.0])
def test_devices_alike_at_the_ends_of_the_range(
    gain: float, data: float, energy: float, tradeoff: float
) -> None:
    parameters = QueueingParameters(tradeoff=tradeoff)
    weights, n = np.ones(6), 6
    frame = (np.full(n, gain), np.full(n, data), np.full(n, energy))
    decisions = np.tri(n + 1, n, -1, dtype=np.int64)
    critic = QueueingCritic(weights, parameters)
    for decision, value in zip(decisions, critic.score(*frame, decisions), strict=True):
        earned, spent = terms(critic, frame, check_allocation(critic, frame, decision))
        best = reference.queueing_objective(frame, weights, decision, parameters)
        assert value == pytest.approx(best, rel=1e-9, abs=1e-12 * earned)
        assert earned - spent == pytest.approx(value, rel=1e-9, abs=1e-12 * earned)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "dear energy"])
def test_the_myopic_critic_agrees_with_a_convex_solver(kind: str) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    for _ in range(3):
        n = int(rng.integers(1, 7))
        gain, data, _ = odd_frame(kind, n, rng)
        weights, budget = rng.uniform(0.5, 2, n), rng.exponential(0.08, n)
        budget[rng.random(n) < 0.1] = 0
        for decision in (rng.integers(0, 2, n), np.ones(n, np.int64)):
            value = MyopicCritic(weights).score(gain, data, budget, decision[None])[0]
            solved = convex_optimum((gain, data, budget), weights, decision, myopic=True)
            assert value == pytest.approx(solved, rel=1e-6, abs=1e-6)


@settings(max_examples=100)
@given(problem=problems(energy=(-9, 3)))
def test_the_myopic_critic_agrees_with_a_scalar_search(
    problem: tuple[QueueingParameters, Floats, Frame, Ints],
) -> None:
    parameters, weights, frame, decision = problem
    critic = MyopicCritic(weights, parameters)
    for x in (decision, np.ones_like(decision)):
        value = critic.score(*frame, x[None])[0]
        best = reference.myopic_rate(frame, weights, x, parameters)
        assert value == pytest.approx(best, rel=1e-9, abs=1e-200)


@settings(max_examples=300)
@given(problem=problems(energy=(-9, 3), max_devices=30))
def test_the_myopic_allocation_is_feasible_and_earns_its_value(
    problem: tuple[QueueingParameters, Floats, Frame, Ints],
) -> None:
    parameters, weights, frame, decision = problem
    done = check_allocation(MyopicCritic(weights, parameters), frame, decision)
    assert (done.energy <= frame[2]).all()
    assert weights @ done.rate == pytest.approx(done.objective, rel=1e-9, abs=1e-200)
    assert done.objective <= weights @ frame[1] * (1 + 1e-12)
    left = 1 - done.offload_time.sum()
    assert done.time_price * left <= 1e-9 * done.objective


def test_the_myopic_price_of_time_is_what_more_time_would_be_worth() -> None:
    rng = np.random.default_rng(4)
    for kind in ("usual", "full", "no channel", "good channels", "alike"):
        for _ in range(5):
            n = int(rng.integers(1, 7))
            gain, data, _ = odd_frame(kind, n, rng)
            weights, decision = rng.uniform(0.5, 2, n), np.ones(n, np.int64)
            frame = (gain, data, rng.exponential(0.08, n))
            price = MyopicCritic(weights).allocate(*frame, decision).time_price
            step = 1e-4
            less, now, more = (
                reference.myopic_rate(frame, weights, decision, PAPER, length)
                for length in (1 - step, 1.0, 1 + step)
            )
            assert (more - now) / step <= price + 1e-8 * now
            assert price <= (now - less) / step + 1e-8 * now


def test_without_energy_the_myopic_critic_computes_nothing() -> None:
    critic, rng = MyopicCritic(default_queueing_weights(5)), np.random.default_rng(0)
    gain, data, _ = usual_frames(1, 5)[0]
    decisions = rng.integers(0, 2, (20, 5))
    assert critic.score(gain, data, np.zeros(5), decisions).tolist() == [0] * 20
    done = critic.allocate(gain, data, np.zeros(5), decisions[0])
    assert done.rate.tolist() == done.energy.tolist() == [0] * 5


def test_with_more_energy_than_can_be_used_budgets_do_not_matter() -> None:
    # With worthless queues and free energy, the other critic maximises V sum w r.
    rng, weights = np.random.default_rng(0), default_queueing_weights(6)
    for gain, data, _ in usual_frames(20, 6):
        decisions, plenty = rng.integers(0, 2, (10, 6)), np.full(6, 1e6)
        value = MyopicCritic(weights).score(gain, data, plenty, decisions)
        huge = QueueingParameters(tradeoff=1e9)
        free = QueueingCritic(weights, huge).score(gain, data, np.zeros(6), decisions)
        np.testing.assert_allclose(value, free / 1e9, rtol=1e-6)
        again = MyopicCritic(weights).score(gain, data, 1e6 * plenty, decisions)
        np.testing.assert_allclose(value, again, rtol=1e-12)


@pytest.mark.parametrize(("data", "budget"), [(1e-9, 1.0), (1e-6, 1.0), (10.0, 1e-15)])
def test_the_myopic_critic_keeps_its_digits_for_very_little(data: float, budget: float) -> None:
    frame = (np.full(2, 1e-11), np.full(2, data), np.full(2, budget))
    value = MyopicCritic([1.0, 1.5]).score(*frame, [[1, 1]])[0]
    best = reference.myopic_rate(frame, np.array([1.0, 1.5]), np.array([1, 1]), PAPER)
    assert value == pytest.approx(best, rel=1e-9, abs=0)


GOOD: tuple[Any, Any, Any] = ([1e-11, 1e-11], [1.0, 2.0], [0.1, 0.2])


@pytest.mark.parametrize("kind", [QueueingCritic, MyopicCritic])
@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([1.0, np.nan], ValueError, "must be finite and in"),
        ([1.0, np.inf], ValueError, "must be finite and in"),
        ([1.0, -1e-9], ValueError, "must be finite and in"),
        ([-1.0, -1.0], ValueError, "must be finite and in"),
        ([1.0], ValueError, r"must have shape \[2\], got \[1\]"),
        (1.0, ValueError, r"must have shape \[2\], got \[\]"),
        ([[1.0, 1.0]], ValueError, r"must have shape \[2\], got \[1, 2\]"),
        (["a", "b"], TypeError, "must hold real numbers"),
        ([None, 1.0], TypeError, "must hold real numbers"),
        ([1j, 1.0], TypeError, "must hold real numbers"),
    ],
)
def test_bad_frames_are_named(
    kind: type[Critic], row: int, value: Any, error: type[Exception], message: str
) -> None:
    critic = kind([1.0, 1.5])
    energy = "energy_queue" if kind is QueueingCritic else "energy_left"
    name = ("gain", "data_queue", energy)[row]
    gain, data, energy = (value if i == row else good for i, good in enumerate(GOOD))
    with pytest.raises(error, match=f"{name} {message}"):
        critic.score(gain, data, energy, [[0, 1]])
    with pytest.raises(error, match=f"{name} {message}"):
        critic.allocate(gain, data, energy, [0, 1])
    with pytest.raises(error, match=f"{name} {message}"):
        critic.frame(gain, data, energy)


@pytest.mark.parametrize("kind", [QueueingCritic, MyopicCritic])
@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ([0, 1], r"must have shape \[K, 2\], got \[2\]"),
        ([[0, 1, 1]], r"must have shape \[K, 2\], got \[1, 3\]"),
        ([[0, 1], [0, 2]], "must hold zeros and ones only, got 2"),
        ([[0, -1]], "must hold zeros and ones only, got -1"),
        ([[0, 0.5]], "must hold zeros and ones only, got 0.5"),
        ([[0, np.nan]], "must hold zeros and ones only, got nan"),
    ],
)
def test_bad_decisions_are_named(kind: type[Critic], decisions: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"decisions {message}"):
        kind([1.0, 1.5]).score(*GOOD, decisions)


@pytest.mark.parametrize("kind", [QueueingCritic, MyopicCritic])
@pytest.mark.parametrize("decision", [["a", "b"], [None, 1]])
def test_decisions_that_are_no_numbers_are_named(kind: type[Critic], decision: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="decision"):
        kind([1.0, 1.5]).allocate(*GOOD, decision)


def test_bad_decisions_to_allocate_are_named() -> None:
    frame = GOOD
    for kind in (QueueingCritic, MyopicCritic):
        with pytest.raises(ValueError, match="decision must hold zeros and ones only, got -1"):
            kind([1.0, 1.5]).allocate(*frame, [0, -1])
        with pytest.raises(ValueError, match=r"decision must have shape \[2\], got \[1, 2\]"):
            kind([1.0, 1.5]).allocate(*frame, [[0, 1]])


@pytest.mark.parametrize("kind", [QueueingCritic, MyopicCritic])
@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [1.0, -1.0], [1.0, np.nan], [[1.0]], ["a"]])
def test_bad_weights_are_named(kind: type[Critic], weights: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="weights must"):
        kind(weights)


@pytest.mark.parametrize("name", [*QueueingParameters.__dataclass_fields__])
def test_bad_parameters_are_named(name: str) -> None:
    for value in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"{name} must be finite"):
            replace(PAPER, **{name: value})
    with pytest.raises(TypeError, match=f"{name} must hold real numbers"):
        replace(PAPER, **{name: "much"})  # type: ignore[arg-type]
    if name == "tradeoff":
        assert replace(PAPER, tradeoff=0).tradeoff == 0
    else:
        with pytest.raises(ValueError, match=f"{name} must be finite"):
            replace(PAPER, **{name: 0})


def test_the_parameters_are_the_papers() -> None:
    c = PAPER
    assert (c.tradeoff, c.energy_price, c.energy_queue_scale) == (20, 10, 1000)
    assert (c.cycles_per_bit, c.max_frequency, c.energy_coefficient) == (100, 3e8, 1e-26)
    assert (c.bandwidth, c.communication_overhead, c.max_power) == (2e6, 1.1, 0.1)
    assert c.energy_budget == 0.08
    assert 10 * math.log10(c.noise_density * 1e3) == pytest.approx(-174)  # dBm/Hz


def test_a_frame_by_itself_scores_as_its_critic() -> None:
    critic, (gain, data, energy) = QueueingCritic([1.0, 1.5, 1.0]), usual_frames(1, 3)[0]
    frame = QueueingFrame(critic, gain, data, energy)
    assert frame.num_devices == 3
    assert frame.score([[0, 1, 1]]) == critic.score(gain, data, energy, [[0, 1, 1]])
    done = frame.allocate([0, 1, 1])
    assert done.objective == frame.score([[0, 1, 1]])[0]
    assert (done.rate == critic.allocate(gain, data, energy, [0, 1, 1]).rate).all()
    data[:] = 0  # the caller changes its array
    assert frame.data_queue.all()
    for part in (frame.gain, frame.data_queue, frame.energy_queue):
        with pytest.raises(ValueError, match="read-only"):
            part[0] = 1
    with pytest.raises(ValueError, match="energy_queue must be finite"):
        QueueingFrame(critic, gain, data, -energy)


def test_the_weights_cannot_be_changed_behind_the_classes() -> None:
    weights = np.array([1.0, 1.5])
    for kind in (QueueingCritic, MyopicCritic):
        critic = kind(weights)
        before = critic.weights.tolist()
        weights[:] += 1
        assert critic.weights.tolist() == before
        with pytest.raises(ValueError, match="read-only"):
            critic.weights[0] = 7


@pytest.mark.parametrize(("gain", "data"), [(1e-11, 1e-170), (1e300, 1.0)])
def test_a_frame_that_cannot_be_solved_raises_an_error(gain: float, data: float) -> None:
    try:
        value = QueueingCritic([1.0]).score([gain], [data], [1.0], [[1]])[0]
    except ArithmeticError:
        return
    assert value == pytest.approx(20 * data, rel=0.1, abs=0)


def test_a_frame_that_the_myopic_critic_cannot_solve_raises_an_error() -> None:
    try:
        value = MyopicCritic([1.0]).score([1e300], [1.0], [1.0], [[1]])[0]
    except ArithmeticError:
        return
    assert value == pytest.approx(1, rel=0.1)


@given(problem=problems())
def test_climbing_is_coordinate_descent(
    problem: tuple[QueueingParameters, Floats, Frame, Ints],
) -> None:
    parameters, weights, frame, decision = problem
    critic = QueueingCritic(weights, parameters)
    alone = QueueingFrame(critic, *frame)
    found = alone.climb(decision)
    assert found.reward == pytest.approx(alone.score(found.decision[None])[0], rel=1e-12)
    neighbours = found.decision ^ np.eye(len(weights), dtype=np.int64)
    assert alone.score(neighbours).max() <= found.reward * (1 + 1e-11)
    started = alone.score(decision[None])[0]
    assert found.reward >= started * (1 - 1e-12)
    same = coordinate_descent(alone, decision)
    assert found.reward == pytest.approx(alone.score(same[None])[0], rel=1e-9, abs=1e-200)
    assert found.scored % len(weights) == 1 % len(weights)


@given(problem=problems())
def test_the_outlook_indicates_when_a_device_alone_would_offload(
    problem: tuple[QueueingParameters, Floats, Frame, Ints],
) -> None:
    parameters, weights, frame, _ = problem
    critic = QueueingCritic(weights, parameters)
    price, airtime, ahead = critic.frame(*frame).outlook()
    assert (price >= 0).all()
    order = np.argsort(-price, kind="stable")
    expected = np.concatenate([[0.0], airtime[order].cumsum()[:-1]])
    assert np.sort(ahead) == pytest.approx(np.sort(expected), rel=1e-9)
    for i in range(len(weights)):
        # A device without others offloads if that earns more than local computation, which is the
        # case if it has a price of time and its data fit into the frame.
        one = QueueingFrame(
            QueueingCritic(weights[i : i + 1], parameters), *(each[i : i + 1] for each in frame)
        )
        local, offloaded = one.score([[0], [1]])
        if price[i] > 0 and airtime[i] < 1:
            assert offloaded >= local * (1 - 1e-12)
        if price[i] == 0:
            assert offloaded <= local * (1 + 1e-9) + 1e-200


def test_the_critic_of_the_speed_baseline_is_nearly_exact() -> None:
    rng = np.random.default_rng(0)
    weights = default_queueing_weights(8)
    critic = QueueingCritic(weights)
    for frame in usual_frames(20, 8):
        decision = rng.integers(0, 2, 8)
        value, rate, energy = plain_queueing.critic(*frame, weights, decision)
        best = critic.score(*frame, decision[None])[0]
        assert value <= best * (1 + 1e-9)
        assert value >= 0.9 * best
        assert (rate <= frame[1] * (1 + 1e-9)).all()
        assert (energy >= 0).all()
