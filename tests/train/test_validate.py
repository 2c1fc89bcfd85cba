import pytest
import torch

from declaim.metrics.functional.lip import mouth_correlation
from declaim.train.validate import mouth_figures


def test_mouth_figures_average_by_speaker():
    time = torch.linspace(0, 20, 200)
    wave, other = time.sin(), time.cos()
    figures = mouth_figures([("a", 2 * wave, wave), ("a", 2 * wave, wave), ("b", other, wave)])
    assert figures["mouth_correlation"] == pytest.approx((1 + float(mouth_correlation(other, wave))) / 2, abs=1e-3)
    assert figures["mouth_amplitude"] == pytest.approx((2 + float(other.std() / wave.std())) / 2, abs=1e-3)
