import pytest
import torch

from declaim.metrics.functional.lip import mouth_correlation
from declaim.train.validate import mouth_figures, opening_curves


def test_mouth_figures_average_by_speaker():
    time = torch.linspace(0, 20, 200)
    wave, other = time.sin(), time.cos()
    figures = mouth_figures([("a", 2 * wave, wave), ("a", 2 * wave, wave), ("b", other, wave)])
    assert figures["mouth_correlation"] == pytest.approx((1 + float(mouth_correlation(other, wave))) / 2, abs=1e-3)
    assert figures["mouth_amplitude"] == pytest.approx((2 + float(other.std() / wave.std())) / 2, abs=1e-3)


def test_every_clip_is_generated_with_every_seed():
    clips = [("a", torch.ones(3, 2), torch.zeros(3, 4)), ("b", torch.ones(5, 2), torch.zeros(5, 4))]
    curves = opening_curves(lambda heard, seed: seed * torch.ones(len(heard), 4), clips, lambda m: m.sum(1), range(2))
    assert [(speaker, float(made[0]), len(truth)) for speaker, made, truth in curves] == [
        ("a", 0.0, 3), ("a", 4.0, 3), ("b", 0.0, 5), ("b", 4.0, 5),
    ]  # fmt: skip
