"""Averages by speaker and their bootstrap interval."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from declaim.metrics.averages import by_speaker, interval


def test_every_speaker_has_one_vote():
    means = by_speaker([("b", 1.0), ("a", 0.0), ("a", 0.5), ("a", 1.0)])
    assert means == {"a": 0.5, "b": 1.0}
    assert list(means) == ["a", "b"]


def test_interval_agrees_with_scipy_and_repeats_exactly():
    values = np.random.default_rng(3).normal(0.6, 0.2, 17)
    low, high = interval(values)
    expected = bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(1)).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.01)
    assert interval(values) == (low, high)
    assert interval([0.4]) == (0.4, 0.4)
