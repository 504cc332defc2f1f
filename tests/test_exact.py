import numpy as np
import pytest

from env import WPMECCritic, WPMECParameters, default_channel, default_weights
from env.datasets import read_dataset
from env.schemes.exact import full_enumeration, threshold_enumeration
from tests.conftest import published


@pytest.mark.parametrize("num_devices", [1, 2, 5, 8, 11])
def test_thresholds_within_weight_classes_hold_the_optimum(num_devices: int) -> None:
    rng = np.random.default_rng(num_devices)
    critic = WPMECCritic(default_weights(num_devices))
    gains = default_channel(num_devices).sample(rng, 40)
    decisions, rates = threshold_enumeration(critic, gains)
    for gain, decision, rate in zip(gains, decisions, rates, strict=True):
        assert full_enumeration(critic, gain)[1] == pytest.approx(rate, rel=1e-12)
        assert critic.score(gain, decision[None])[0] == pytest.approx(rate, rel=1e-12)


def test_thresholds_with_other_weights() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        weights = rng.choice([0.5, 1.0, 3.0], 8)
        critic = WPMECCritic(weights)
        gain = default_channel(8).sample(rng, 1)
        decision, rate = threshold_enumeration(critic, gain)
        best, best_rate = full_enumeration(critic, gain[0])
        assert rate[0] == pytest.approx(best_rate, rel=1e-12)
        assert (decision[0] == best).all()


def test_published_labels_are_optimal_but_for_fifteen() -> None:
    data = read_dataset(published("data/data_10.mat"))
    _, optimum = threshold_enumeration(WPMECCritic(default_weights(10)), data.gain)
    ratio = data.computation_rate / optimum
    assert ratio.max() < 1 + 2e-6
    assert (ratio < 1 - 3e-6).sum() == 15
    assert ratio.min() == pytest.approx(1 - 0.0018, abs=1e-4)


def test_thresholds_are_not_the_optimum_at_any_snr() -> None:
    # What the docstring warns of: full enumeration does better by 3 %.
    parameters = WPMECParameters(noise_power=1e-17, cycles_per_bit=250, bandwidth=1e4)
    critic, gain = WPMECCritic([1.0, 1.0], parameters), np.array([5e-5, 1e-3])
    _, rate = threshold_enumeration(critic, gain[None])
    assert full_enumeration(critic, gain)[1] > 1.03 * rate[0]


def test_too_much_to_enumerate_is_refused() -> None:
    rng = np.random.default_rng(0)
    critic = WPMECCritic(rng.uniform(1, 2, 30))
    gain = default_channel(30).sample(rng, 1)
    with pytest.raises(ValueError, match="weights must leave at most 1048576 combinations"):
        threshold_enumeration(critic, gain)
    with pytest.raises(ValueError, match="num_devices must be at most 20"):
        full_enumeration(critic, gain[0])


def test_bad_gains_are_named() -> None:
    critic = WPMECCritic(default_weights(3))
    with pytest.raises(ValueError, match=r"gains must have shape \[T, 3\], got \[3\]"):
        threshold_enumeration(critic, np.ones(3))
    with pytest.raises(ValueError, match="gains must be finite"):
        threshold_enumeration(critic, np.full((1, 3), np.nan))
