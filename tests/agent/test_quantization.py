import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from agent import nearest_neighbours, noisy_order_preserving, order_preserving
from agent.quantization import likeliest, quantize
from droo_core.arrays import Floats

relaxed_decisions = arrays(
    np.float64, st.integers(1, 12), elements=st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0])
)
distinct_decisions = arrays(
    np.float64, st.integers(1, 12), elements=st.floats(0, 1), unique=True
).filter(lambda m: len(np.unique(np.abs(m - 0.5))) == len(m))
counts = st.integers(1, 20)


def candidates_of(name: str, relaxed: Floats, k: int) -> NDArray[np.int64]:
    match name:
        case "OP":
            return order_preserving(relaxed, k)
        case "OPN":
            return noisy_order_preserving(relaxed, k, np.random.default_rng(0))
        case _:
            return nearest_neighbours(relaxed, k)


@pytest.mark.parametrize("name", ["OP", "OPN", "KNN"])
@given(relaxed=relaxed_decisions, k=counts)
def test_candidates_are_distinct_and_binary_and_begin_with_rounding(
    name: str, relaxed: Floats, k: int
) -> None:
    candidates = candidates_of(name, relaxed, k)
    assert set(np.unique(candidates)) <= {0, 1}
    assert len({tuple(row) for row in candidates.tolist()}) == len(candidates)
    assert (candidates[0] == (relaxed > 0.5)).all()
    assert 1 <= len(candidates) <= (2 * k if name == "OPN" else k)


@given(relaxed=relaxed_decisions, k=counts)
def test_order_preserving_preserves_the_order(relaxed: Floats, k: int) -> None:
    for row in order_preserving(relaxed, k):
        if 0 < row.sum() < len(row):
            assert relaxed[row == 1].min() >= relaxed[row == 0].max()


@given(relaxed=distinct_decisions, k=counts)
def test_order_preserving_follows_equation_9(relaxed: Floats, k: int) -> None:
    expected = [[int(p > 0.5) for p in relaxed]]
    for i in sorted(range(len(relaxed)), key=lambda i: abs(relaxed[i] - 0.5))[: k - 1]:
        x = relaxed[i]
        expected.append([int(p > x or (p == x and x <= 0.5)) for p in relaxed])
    assert order_preserving(relaxed, k).tolist() == expected
    assert len(expected) == min(k, len(relaxed) + 1)


@given(
    relaxed=arrays(np.float64, st.integers(1, 8), elements=st.floats(0, 1)), k=st.integers(1, 300)
)
def test_nearest_neighbours_are_the_nearest(relaxed: Floats, k: int) -> None:
    everything = np.array(list(itertools.product([0, 1], repeat=len(relaxed))))
    distances = np.sort(((everything - relaxed) ** 2).sum(axis=1))[:k]
    found = ((nearest_neighbours(relaxed, k) - relaxed) ** 2).sum(axis=1)
    np.testing.assert_allclose(found, distances, rtol=0, atol=1e-12)


def test_nearest_neighbours_reach_beyond_what_can_be_listed() -> None:
    relaxed = np.random.default_rng(0).random(60)
    candidates = nearest_neighbours(relaxed, 5000)
    distances = ((candidates - relaxed) ** 2).sum(axis=1)
    assert len(np.unique(candidates, axis=0)) == 5000
    assert (np.diff(distances) >= -1e-12).all()


def test_noise_seldom_flips_a_confident_device() -> None:
    rng = np.random.default_rng(0)
    relaxed = np.full(10, 0.01)
    offloaded = np.mean([noisy_order_preserving(relaxed, 1, rng).any() for _ in range(1000)])
    assert offloaded < 0.01
    # The negative control: noise on the sigmoid's output, squashed again, as published.
    published = expit(relaxed + rng.standard_normal((1000, 10))) > 0.5
    assert 0.45 < published.mean() < 0.55


def test_the_noise_is_standard_normal_on_the_logit() -> None:
    rng = np.random.default_rng(0)
    flipped = [len(noisy_order_preserving(expit([1.0]), 1, rng)) == 2 for _ in range(5000)]
    assert np.mean(flipped) == pytest.approx(norm.cdf(-1), abs=0.015)


@pytest.mark.parametrize("mode", ["OP", "OPN", "KNN"])
@given(relaxed=relaxed_decisions, k=counts)
def test_a_candidate_is_proposed_exactly_if_k_exceeds_its_rank(
    mode: str, relaxed: Floats, k: int
) -> None:
    def proposed(fewer: int) -> set[tuple[int, ...]]:
        candidates = quantize(relaxed, fewer, mode, np.random.default_rng(0))
        return {tuple(row) for row in candidates.decisions.tolist()}

    candidates = quantize(relaxed, k, mode, np.random.default_rng(0))
    for decision, rank in zip(candidates.decisions.tolist(), candidates.ranks, strict=True):
        assert tuple(decision) in proposed(rank + 1)
        assert rank == 0 or tuple(decision) not in proposed(rank)


def test_noise_adds_candidates_that_no_threshold_gives() -> None:
    relaxed = np.linspace(0.3, 0.7, 8)
    plain = order_preserving(relaxed, 8)
    noisy = noisy_order_preserving(relaxed, 8, np.random.default_rng(1))
    assert (noisy[: len(plain)] == plain).all()
    assert len(noisy) > len(plain)


@pytest.mark.parametrize("name", ["OP", "OPN", "KNN"])
@pytest.mark.parametrize(
    ("relaxed", "k", "error", "message"),
    [
        ([0.5, np.nan], 2, ValueError, "relaxed must lie in"),
        ([0.5, 1.5], 2, ValueError, "relaxed must lie in"),
        ([-0.5, 0.5], 2, ValueError, "relaxed must lie in"),
        ([[0.5, 0.5]], 2, ValueError, r"relaxed must have shape \[N\], got \[1, 2\]"),
        ([], 2, ValueError, r"relaxed must have shape \[N\], got \[0\]"),
        ([0.5, 0.6], 0, ValueError, "k must be at least 1, got 0"),
        ([0.5, 0.6], 1.5, TypeError, "k must be an integer of at least 1, got 1.5"),
    ],
)
def test_bad_input_is_named(
    name: str, relaxed: Floats, k: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        candidates_of(name, relaxed, k)


@settings(max_examples=100)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(2, 4), st.integers(1, 40))
def test_the_likeliest_decisions_are_those_of_enumeration(
    seed: int, num_devices: int, num_places: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(num_places, 0.7), num_devices)
    everything = np.array(list(itertools.product(range(num_places), repeat=num_devices)))
    joint = probabilities[np.arange(num_devices), everything].prod(axis=1)
    found = likeliest(probabilities, k)
    assert len(found) == len(np.unique(found, axis=0)) == min(k, num_places**num_devices)
    np.testing.assert_allclose(
        probabilities[np.arange(num_devices), found].prod(axis=1),
        np.sort(joint)[::-1][: len(found)],
        rtol=1e-9,
    )


def test_impossible_places_are_not_proposed() -> None:
    assert likeliest([[1.0, 0.0], [0.5, 0.5]], 4).tolist() == [[0, 0], [0, 1]]
    for bad, message in (([0.5], "shape"), ([[np.nan, 1]], "lie in"), ([[2.0, 0.0]], "lie in")):
        with pytest.raises(ValueError, match=f"probabilities must .*{message}"):
            likeliest(bad, 1)
