"""Certificates computed beside the frames are those computed afterwards."""

import numpy as np
import pytest

from droo_core.arrays import Floats
from experiments.problems.wpmec.certificates import Certificates, in_background

WEIGHTS = np.array([1.0, 1.5, 1.0, 1.5])


def gains(frames: int = 600) -> Floats:
    return np.random.default_rng(0).exponential(1e-6, (frames, 4))


def test_certificates_are_the_same_beside_the_frames() -> None:
    weights_from = {0: WEIGHTS, 400: WEIGHTS[::-1]}
    beside, afterwards = (Certificates(gains(), weights_from, 1.0) for _ in range(2))
    beside.begin()
    bounds, facts = beside.results
    expected, others = afterwards.results
    assert (bounds == expected).all()
    assert facts.keys() == others.keys()
    assert facts["optimum_gap"] == others["optimum_gap"]


def test_an_error_beside_the_frames_is_raised_where_the_results_are_needed() -> None:
    certificates = Certificates(gains() * np.nan, {0: WEIGHTS}, 1.0)
    certificates.begin()
    with pytest.raises(ValueError, match="gain"):
        _ = certificates.results


def test_a_function_in_the_background_hands_over_its_result_and_its_error() -> None:
    assert in_background(lambda: 3).result() == 3
    with pytest.raises(ZeroDivisionError):
        in_background(lambda: 1 / 0).result()
