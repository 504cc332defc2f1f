import math

import numpy as np
import pytest
from scipy.special import j0
from scipy.stats import expon, kstest, ncx2

from env import (
    BlockFading,
    RecordedChannel,
    default_channel,
    jakes_correlation,
    linear_placement,
    path_loss_gain,
    rayleigh,
    rician,
)
from env.datasets import read_gains
from tests.conftest import published

FRAMES = 20_000


def test_path_loss_is_the_published_one() -> None:
    recorded = read_gains(published("data/data_10.mat"))[0]
    np.testing.assert_allclose(
        recorded.mean(axis=0), path_loss_gain(linear_placement(10)), rtol=0.02
    )


def test_path_loss_by_hand() -> None:
    wavelength = 299_792_458 / 915e6
    expected = 3 * (wavelength / (4 * math.pi * 2.5)) ** 2.8
    assert path_loss_gain([2.5])[0] == pytest.approx(expected, rel=1e-12)


def test_rayleigh_gains_are_exponential() -> None:
    gains = rayleigh([2.0]).sample(np.random.default_rng(0), FRAMES)[:, 0]
    assert kstest(gains / 2, expon.cdf).pvalue > 0.01
    # The negative control: the same test rejects Rician fading.
    gains = rician([2.0], 0.5).sample(np.random.default_rng(0), FRAMES)[:, 0]
    assert kstest(gains / 2, expon.cdf).pvalue < 1e-6


@pytest.mark.parametrize("line_of_sight", [0.1, 0.3, 0.9])
def test_rician_gains_are_noncentral_chi_square(line_of_sight: float) -> None:
    gains = rician([1.0], line_of_sight).sample(np.random.default_rng(0), FRAMES)[:, 0]
    scattered = (1 - line_of_sight) / 2
    assert kstest(gains / scattered, ncx2(2, line_of_sight / scattered).cdf).pvalue > 0.01


def test_a_line_of_sight_alone_does_not_fade() -> None:
    gains = rician([1.0, 2.0], 1.0).sample(np.random.default_rng(0), 5)
    np.testing.assert_allclose(gains, [[1.0, 2.0]] * 5)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95, jakes_correlation(50, 0.01)])
def test_successive_gains_are_correlated_as_asked(correlation: float) -> None:
    gains = rayleigh(np.ones(20), correlation).sample(np.random.default_rng(0), FRAMES)
    for lag in (1, 3):
        measured = np.mean([np.corrcoef(gain[lag:], gain[:-lag])[0, 1] for gain in gains.T])
        assert measured == pytest.approx(correlation ** (2 * lag), abs=0.02)
    assert gains.mean() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_frames_come_out_the_same_at_once_and_one_by_one(correlation: float) -> None:
    channel = rician([1.0, 2.0, 3.0], 0.3, correlation)
    at_once = channel.sample(np.random.default_rng(0), 50)
    channel.reset()
    rng = np.random.default_rng(0)
    assert (np.concatenate([channel.sample(rng, 1) for _ in range(50)]) == at_once).all()


def test_jakes() -> None:
    assert jakes_correlation(10, 0.01) == pytest.approx(j0(0.2 * math.pi))
    assert jakes_correlation(0, 1) == 1


def test_a_recording_plays_in_order_and_again() -> None:
    channel = RecordedChannel([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    rng = np.random.default_rng(0)
    assert channel.sample(rng, 2).tolist() == [[1, 2], [3, 4]]
    assert channel.sample(rng, 2).tolist() == [[5, 6], [1, 2]]
    channel.reset()
    assert channel.sample(rng, 1).tolist() == [[1, 2]]


def test_a_channel_does_not_follow_its_callers_array() -> None:
    gains = np.ones((2, 2))
    recorded, fading = RecordedChannel(gains), BlockFading(gains[0], line_of_sight=1.0)
    gains[:] = -1
    assert recorded.sample(np.random.default_rng(0), 1).tolist() == [[1, 1]]
    assert fading.sample(np.random.default_rng(0), 1) == pytest.approx(np.ones((1, 2)))


def test_the_default_channel_is_the_papers() -> None:
    channel = default_channel(10)
    assert (channel.num_devices, channel.line_of_sight, channel.correlation) == (10, 0, 0)
    assert channel.average_gain[0] == path_loss_gain([2.5])[0]
    assert channel.average_gain[-1] == path_loss_gain([5.2])[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BlockFading([1.0, -1.0]), "average_gain must be finite"),
        (lambda: BlockFading([[1.0]]), r"average_gain must have shape \[N\]"),
        (lambda: BlockFading([1.0], np.ones(2)), r"line_of_sight must have shape \[\], got \[2\]"),  # type: ignore[arg-type]
        (lambda: BlockFading([1.0], 1.5), r"line_of_sight must be finite and in \[0, 1\]"),
        (lambda: BlockFading([1.0], correlation=-1.1), "correlation must be finite and in"),
        (lambda: RecordedChannel([1.0, 2.0]), r"gains must have shape \[T, N\], got \[2\]"),
        (lambda: RecordedChannel([[1.0, np.nan]]), "gains must be finite"),
        (lambda: RecordedChannel(np.empty((0, 3))), "gains must not be empty"),
        (lambda: path_loss_gain([0.0]), r"distance must be finite and in \(0, inf\]"),
        (lambda: path_loss_gain([1.0], exponent=0), "exponent must be finite"),
        (lambda: linear_placement(0), "num_devices must be at least 1"),
        (lambda: linear_placement(3, 5.0, 2.0), "farthest must be finite and in"),
    ],
)
def test_bad_arguments_are_named(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
