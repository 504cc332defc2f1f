from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare, expon, kstest, poisson

from env import ArrivalModel, ExponentialArrivals, PoissonBatches, RecordedArrivals

FRAMES = 20_000


def poisson_pvalue(batches: Any, mean: float) -> float:
    """Return the p-value of Pearson's test against a Poisson distribution."""
    most = int(poisson.ppf(0.999, mean))
    counts = np.bincount(np.minimum(np.rint(batches).astype(int), most), minlength=most + 1)
    expected = poisson.pmf(np.arange(most + 1), mean)
    expected[-1] += 1 - expected.sum()
    return float(chisquare(counts, len(batches) * expected).pvalue)


def test_exponential_arrivals_are_exponential() -> None:
    arrivals = ExponentialArrivals([3.0, 0.5]).sample(np.random.default_rng(0), FRAMES)
    assert arrivals.shape == (FRAMES, 2)
    assert arrivals.dtype == np.float64
    for column, mean in zip(arrivals.T, (3.0, 0.5), strict=True):
        assert kstest(column / mean, expon.cdf).pvalue > 0.01
        assert column.mean() == pytest.approx(mean, rel=0.03)
        assert column.std() == pytest.approx(mean, rel=0.04)
    # The negative control: the same test rejects a mean a few percent off, and batches.
    assert kstest(arrivals[:, 0] / 3.2, expon.cdf).pvalue < 1e-6
    batches = PoissonBatches([3.0]).sample(np.random.default_rng(0), FRAMES)[:, 0]
    assert kstest(batches / 3, expon.cdf).pvalue < 1e-6


@pytest.mark.parametrize("batch", [1.0, 0.25, 6.0])
def test_poisson_batches_are_poissons(batch: float) -> None:
    mean = 3.0
    arrivals = PoissonBatches([mean, 0.0], batch).sample(np.random.default_rng(0), FRAMES)
    assert arrivals.shape == (FRAMES, 2)
    assert arrivals.dtype == np.float64
    assert (arrivals[:, 1] == 0).all()
    batches = arrivals[:, 0] / batch
    np.testing.assert_allclose(batches, np.rint(batches), atol=1e-12)
    assert batches.mean() * batch == pytest.approx(mean, rel=0.05)
    assert arrivals[:, 0].var() == pytest.approx(mean * batch, rel=0.06)
    assert poisson_pvalue(batches, mean / batch) > 0.01
    # The negative control: the same test rejects a mean a tenth off, and exponential numbers.
    assert poisson_pvalue(batches, 1.1 * mean / batch) < 1e-6
    other = ExponentialArrivals([mean / batch]).sample(np.random.default_rng(0), FRAMES)[:, 0]
    assert poisson_pvalue(other, mean / batch) < 1e-6


@pytest.mark.parametrize(
    "arrivals",
    [
        ExponentialArrivals([3.0, 0.0, 1.0]),
        PoissonBatches([3.0, 0.0, 1.0], 0.5),
        PoissonBatches([300.0, 12.0, 1.0]),
        RecordedArrivals(np.arange(21.0).reshape(7, 3)),
    ],
)
def test_frames_come_out_the_same_at_once_and_one_by_one(arrivals: ArrivalModel) -> None:
    assert arrivals.num_devices == 3
    arrivals.reset()
    at_once = arrivals.sample(np.random.default_rng(0), 50)
    assert at_once.shape == (50, 3)
    arrivals.reset()
    rng = np.random.default_rng(0)
    assert (np.concatenate([arrivals.sample(rng, 1) for _ in range(50)]) == at_once).all()
    arrivals.reset()
    rng = np.random.default_rng(0)
    parts = [arrivals.sample(rng, frames) for frames in (7, 0, 20, 23)]
    assert (np.concatenate(parts) == at_once).all()


def test_devices_and_frames_are_independent() -> None:
    for arrivals in (ExponentialArrivals([1.0, 1.0]), PoissonBatches([1.0, 1.0])):
        sample = arrivals.sample(np.random.default_rng(1), FRAMES)
        assert abs(np.corrcoef(sample[:, 0], sample[:, 1])[0, 1]) < 0.03
        assert abs(np.corrcoef(sample[1:, 0], sample[:-1, 0])[0, 1]) < 0.03


def test_a_recording_plays_in_order_and_again() -> None:
    arrivals, rng = RecordedArrivals([[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]]), np.random.default_rng(0)
    assert arrivals.num_devices == 2
    assert arrivals.sample(rng, 2).tolist() == [[1, 2], [3, 4]]
    assert arrivals.sample(rng, 2).tolist() == [[5, 0], [1, 2]]
    assert arrivals.sample(rng, 7).tolist() == [*[[3, 4], [5, 0], [1, 2]] * 2, [3, 4]]
    arrivals.reset()
    assert arrivals.sample(rng, 1).tolist() == [[1, 2]]
    assert rng.random() == np.random.default_rng(0).random()  # a recording draws no random numbers


def test_arrivals_do_not_follow_their_callers_array() -> None:
    mean, recorded = np.ones(2), np.ones((2, 2))
    models = ExponentialArrivals(mean), PoissonBatches(mean), RecordedArrivals(recorded)
    mean[:], recorded[:] = 0, 0
    for model in models:
        assert model.sample(np.random.default_rng(3), 20).any()
    sample = models[2].sample(np.random.default_rng(3), 2)
    sample[:] = 7
    assert (models[2].sample(np.random.default_rng(3), 2) == 1).all()


@pytest.mark.parametrize("model", [ExponentialArrivals, PoissonBatches])
@pytest.mark.parametrize(
    ("mean", "error", "message"),
    [
        ([1.0, -1.0], ValueError, "mean must be finite"),
        ([1.0, np.nan], ValueError, "mean must be finite"),
        ([np.inf], ValueError, "mean must be finite"),
        ([], ValueError, "mean must not be empty"),
        (3.0, ValueError, r"mean must have shape \[N\], got \[\]"),
        ([[3.0]], ValueError, r"mean must have shape \[N\], got \[1, 1\]"),
        (["much"], TypeError, "mean must hold real numbers"),
        (None, TypeError, "mean must hold real numbers"),
    ],
)
def test_a_bad_mean_is_named(model: Any, mean: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        model(mean)


@pytest.mark.parametrize("batch", [0.0, -1.0, np.nan, np.inf, [1.0]])
def test_a_bad_batch_is_named(batch: Any) -> None:
    with pytest.raises(ValueError, match="batch must"):
        PoissonBatches([1.0], batch)
    with pytest.raises(TypeError, match="batch must hold real numbers"):
        PoissonBatches([1.0], "big")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arrivals", "error", "message"),
    [
        ([1.0, 2.0], ValueError, r"arrivals must have shape \[T, N\], got \[2\]"),
        ([[1.0, -2.0]], ValueError, "arrivals must be finite"),
        ([[1.0, np.nan]], ValueError, "arrivals must be finite"),
        (np.empty((0, 2)), ValueError, "arrivals must not be empty"),
        ([["a"]], TypeError, "arrivals must hold real numbers"),
    ],
)
def test_bad_recordings_are_named(arrivals: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        RecordedArrivals(arrivals)
