import math

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from droo_core.arrays import Floats, Ints
from env import (
    WirelessPoweredMEC,
    WPMECCritic,
    WPMECFrame,
    WPMECParameters,
    default_channel,
    default_weights,
)
from env.common import local_search
from env.common.lambert import log_snr
from tests import reference
from tests.conftest import published


@st.composite
def cases(draw: st.DrawFn, max_devices: int = 40) -> tuple[Floats, Floats, Ints]:
    """Draw gains from 1e-12 to 1e-2, any weights, any decision."""
    n = draw(st.integers(1, max_devices))
    gain = 10 ** draw(arrays(np.float64, n, elements=st.floats(-12, -2)))
    some_weights = st.floats(0.1, 10) | st.sampled_from([1.0, 1.5])
    weights = draw(arrays(np.float64, n, elements=some_weights))
    decision = draw(arrays(np.int64, n, elements=st.integers(0, 1)))
    return gain, weights, decision


def test_the_last_digits_are_right() -> None:
    # The same problem solved to 40 digits, for a generic case.
    rng = np.random.default_rng(5)
    for _ in range(5):
        gain, weights = default_channel(6).sample(rng, 1)[0], rng.uniform(0.5, 2, 6)
        decision = np.array([1, 0, 1, 1, 0, 1])
        value = WPMECCritic(weights).score(gain, decision[None])[0]
        assert value == pytest.approx(
            reference.best_rate_exactly(gain, weights, decision), rel=1e-14
        )


def test_golden_scores() -> None:
    golden = np.load(published("golden/wpmec_scores.npz"))
    for i in range(len(golden["frame"])):
        critic = WPMECCritic(golden["weights"][i])
        gain, decisions = golden["channel"][i], golden["decisions"][i]
        np.testing.assert_allclose(
            critic.score(gain, decisions), golden["computation_rate"][i], rtol=1e-10
        )
        for k, decision in enumerate(decisions):
            allocation = critic.allocate(gain, decision)
            assert allocation.energy_time == pytest.approx(golden["energy_time"][i, k], rel=1e-6)
            np.testing.assert_allclose(
                allocation.offload_time, golden["offload_time"][i, k], rtol=1e-5, atol=1e-12
            )


@settings(max_examples=150)
@given(case=cases())
def test_agreement_with_a_scalar_search(case: tuple[Floats, Floats, Ints]) -> None:
    gain, weights, decision = case
    value = WPMECCritic(weights).score(gain, decision[None])[0]
    assert value == pytest.approx(reference.best_rate(gain, weights, decision), rel=1e-9)


@settings(max_examples=300)
@given(case=cases())
def test_the_allocation_is_feasible_and_earns_its_value(case: tuple[Floats, Floats, Ints]) -> None:
    gain, weights, decision = case
    critic = WPMECCritic(weights)
    allocation = critic.allocate(gain, decision)
    a, tau = allocation.energy_time, allocation.offload_time
    assert 0 < a <= 1
    assert (tau >= 0).all()
    assert (tau[decision == 0] == 0).all()
    assert a + tau.sum() == pytest.approx(1, rel=1e-12)
    assert allocation.computation_rate == critic.score(gain, decision[None])[0]
    assert weights @ allocation.rate == pytest.approx(allocation.computation_rate, rel=1e-12)
    primal = reference.computation_rate(gain, weights, decision, a, tau)
    assert primal == pytest.approx(allocation.computation_rate, rel=1e-9)


def test_agreement_with_a_convex_solver() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        n = int(rng.integers(2, 8))
        gain = default_channel(n).sample(rng, 1)[0]
        weights = rng.uniform(0.5, 2, n)
        decision = rng.integers(0, 2, n)
        decision[0] = 1
        off = decision == 1
        snr = reference.MU_P * gain[off] ** 2 / reference.NOISE
        local = reference.computation_rate(gain, weights, np.zeros_like(decision), 1, 0 * gain)
        local -= reference.computation_rate(
            gain * off, weights, np.zeros_like(decision), 1, 0 * gain
        )
        a, tau = cp.Variable(), cp.Variable(int(off.sum()))
        eps = reference.BANDWIDTH / (reference.OVERHEAD * math.log(2))
        offloading = weights[off] @ -cp.rel_entr(tau, tau + cp.multiply(snr, a))
        objective = local / 1e6 * cp.power(a, 1 / 3) + eps / 1e6 * offloading
        problem = cp.Problem(cp.Maximize(objective), [a + cp.sum(tau) <= 1, a >= 0, tau >= 0])
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
        value = WPMECCritic(weights).score(gain, decision[None])[0]
        assert value / 1e6 == pytest.approx(problem.value, rel=1e-8)


@given(log_u=st.floats(-40, 8))
def test_the_inner_equation_is_solved(log_u: float) -> None:
    u = 10**log_u if log_u < 3 else log_u * 100
    t = log_snr(u)
    # t + e^-t - 1 by its series if subtraction would cancel.
    if t < 0.1:
        left = sum((-t) ** k / math.factorial(k) for k in range(2, 12))
    else:
        left = t + math.expm1(-t)
    assert left == pytest.approx(u, rel=1e-12)


def test_a_score_depends_on_its_decision_alone() -> None:
    rng = np.random.default_rng(0)
    gain, critic = default_channel(12).sample(rng, 1)[0], WPMECCritic(default_weights(12))
    decisions = rng.integers(0, 2, (50, 12))
    together = critic.score(gain, decisions)
    # Only the last digits differ, since the solver starts from the solution of a similar decision.
    alone = [critic.score(gain, x[None])[0] for x in decisions]
    np.testing.assert_allclose(together, alone, rtol=2e-15)
    np.testing.assert_allclose(critic.score(gain, decisions[::-1]), together[::-1], rtol=2e-15)
    assert critic.score(gain, decisions).tolist() == together.tolist()


@settings(max_examples=100)
@given(case=cases(), seed=st.integers(0, 1000))
def test_scoring_change_by_change_loses_no_digits(
    case: tuple[Floats, Floats, Ints], seed: int
) -> None:
    gain, weights, decision = case
    # Walks that add and remove the strongest devices, whose terms dominate all others.
    flips = np.random.default_rng(seed).integers(0, len(gain), 200)
    walk = np.tile(decision, (200, 1))
    for t, device in enumerate(flips):
        walk[t:, device] ^= 1
    critic = WPMECCritic(weights)
    alone = [critic.allocate(gain, x).computation_rate for x in walk]
    np.testing.assert_allclose(critic.score(gain, walk), alone, rtol=1e-13)


def test_cases_solved_by_hand() -> None:
    critic = WPMECCritic([1.0, 2.0])
    gain = np.array([1e-6, 2e-6])
    local = critic.allocate(gain, [0, 0])
    assert local.energy_time == 1
    assert local.rate == pytest.approx((2.1 / 1e-26) ** (1 / 3) / 100 * np.cbrt(gain), rel=1e-12)
    # One device offloads alone, at SNR y: then v = eps (ln(1+y) - y/(1+y)) = eps s / (1+y).
    alone = WPMECCritic([1.0]).allocate([1e-5], [1])
    s = 2.1 * 1e-10 / 1e-10
    y = alone.energy_time * s / alone.offload_time[0]
    assert math.log1p(y) - y / (1 + y) == pytest.approx(s / (1 + y), rel=1e-9)


def test_devices_without_a_channel_earn_nothing() -> None:
    critic = WPMECCritic([1.0, 1.5, 1.0])
    assert critic.score([0.0, 0.0, 0.0], [[0, 1, 0], [1, 1, 1], [0, 0, 0]]).tolist() == [0, 0, 0]
    gain = np.array([1e-6, 0.0, 2e-6])
    value = critic.score(gain, [[0, 0, 1], [0, 1, 1]])
    assert value[0] == pytest.approx(value[1], rel=1e-14)
    assert critic.allocate(gain, [0, 1, 1]).offload_time[1] == 0


def test_parameters_enter_as_in_the_equations() -> None:
    gain, decision = np.array([1e-6, 3e-6, 2e-6]), np.array([[0, 1, 1]])
    base = WPMECCritic([1.0, 1.5, 1.0]).score(gain, decision)[0]
    # Twice the bandwidth and half the cycles a bit: twice the rate, for the same allocation.
    scaled = WPMECParameters(bandwidth=4e6, cycles_per_bit=50)
    double = WPMECCritic([1.0, 1.5, 1.0], scaled).score(gain, decision)[0]
    assert double == pytest.approx(2 * base, rel=1e-12)


@pytest.mark.parametrize(
    ("gain", "decisions", "error", "message"),
    [
        (
            [1e-6, np.nan],
            [[0, 1]],
            ValueError,
            r"gain must be finite and in \[0, inf\], got .* nan",
        ),
        ([1e-6, np.inf], [[0, 1]], ValueError, "gain must be finite .* inf"),
        ([1e-6, -1e-6], [[0, 1]], ValueError, "gain must be finite .* -1e-06"),
        ([1e-6], [[0, 1]], ValueError, r"gain must have shape \[2\], got \[1\]"),
        (["a", "b"], [[0, 1]], TypeError, "gain must hold real numbers"),
        ([1e-6, 1e-6], [0, 1], ValueError, r"decisions must have shape \[K, 2\], got \[2\]"),
        (
            [1e-6, 1e-6],
            [[0, 1, 1]],
            ValueError,
            r"decisions must have shape \[K, 2\], got \[1, 3\]",
        ),
        ([1e-6, 1e-6], [[0, 2]], ValueError, "decisions must hold zeros and ones only, got 2"),
        ([1e-6, 1e-6], [[0, 0.5]], ValueError, "decisions must hold zeros and ones only, got 0.5"),
        (
            [1e-6, 1e-6],
            [[0, np.nan]],
            ValueError,
            "decisions must hold zeros and ones only, got nan",
        ),
    ],
)
def test_bad_input_is_named(
    gain: Floats, decisions: Ints, error: type[Exception], message: str
) -> None:
    critic = WPMECCritic([1.0, 1.5])
    with pytest.raises(error, match=message):
        critic.score(gain, decisions)


def test_bad_decisions_to_allocate_are_named() -> None:
    critic = WPMECCritic([1.0, 1.5])
    with pytest.raises(ValueError, match="decision must hold zeros and ones only, got -1"):
        critic.allocate([1e-6, 1e-6], [0, -1])
    with pytest.raises(ValueError, match=r"decision must have shape \[2\], got \[1, 2\]"):
        critic.allocate([1e-6, 1e-6], [[0, 1]])


@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [1.0, -1.0], [1.0, np.nan], [[1.0]]])
def test_bad_weights_are_named(weights: Floats) -> None:
    with pytest.raises(ValueError, match="weights must"):
        WPMECCritic(weights)


def test_bad_parameters_are_named() -> None:
    with pytest.raises(ValueError, match="noise_power must be finite"):
        WPMECParameters(noise_power=0)


def test_an_allocation_that_cannot_be_solved_raises_an_error() -> None:
    critic = WPMECCritic([1.0, 1.5])
    with pytest.raises(
        ArithmeticError, match="multiplier was found only to a relative error of inf"
    ):
        critic.score([1e200, 1.0], [[1, 1]])
    with pytest.raises(ArithmeticError, match="multiplier was found only"):
        critic.allocate([1e200, 1.0], [1, 1])


def test_the_weights_cannot_be_changed_behind_the_classes() -> None:
    weights = np.array([1.0, 1.5])
    critic = WPMECCritic(weights)
    weights[:] = 7
    assert critic.weights.tolist() == [1.0, 1.5]
    with pytest.raises(ValueError, match="read-only"):
        critic.weights[0] = 7


def test_scoring_no_decision_at_all() -> None:
    assert WPMECCritic([1.0, 1.5]).score([1e-6, 1e-6], np.empty((0, 2))).shape == (0,)


@settings(max_examples=150)
@given(case=cases(max_devices=25))
def test_the_compiled_ascent_is_the_reference_ascent(case: tuple[Floats, Floats, Ints]) -> None:
    gain, weights, decision = case
    frame = WPMECFrame(WPMECCritic(weights), gain)
    before = decision.copy()
    found, reference_found = frame.climb(decision), local_search.climb(frame, decision)
    assert (decision == before).all()
    assert found.decision.tolist() == reference_found.decision.tolist()
    assert (found.reward, found.scored) == (reference_found.reward, reference_found.scored)
    alone = frame.score(found.decision[None])[0]
    assert found.reward == pytest.approx(alone, rel=1e-13)


def test_an_environment_climbs_as_its_frame() -> None:
    env = WirelessPoweredMEC(6)
    with pytest.raises(RuntimeError, match="reset"):
        env.climb(np.zeros(6))
    env.reset(seed=1)
    for _ in range(10):
        found = env.climb(np.zeros(6))
        assert (
            found.decision.tolist()
            == WPMECFrame(env.critic, env.gain).climb(np.zeros(6)).decision.tolist()
        )
        assert env.score(found.decision ^ np.eye(6, dtype=np.int64)).max() <= found.reward
        env.step(found.decision)


def test_bad_starts_of_an_ascent_are_named() -> None:
    frame = WPMECFrame(WPMECCritic([1.0, 1.5]), [1e-6, 1e-6])
    with pytest.raises(ValueError, match="decision must hold zeros and ones only, got 2"):
        frame.climb([0, 2])
    with pytest.raises(ValueError, match=r"decision must have shape \[2\], got \[3\]"):
        frame.climb([0, 1, 0])
    with pytest.raises(ValueError, match="gain must be finite"):
        frame.critic.climb([1e-6, -1e-6], [0, 1])
