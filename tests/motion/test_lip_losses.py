import pytest
import torch

from declaim.motion.lip_losses import closed_frames, lip_losses
from declaim.motion.normalizer import Normalizer


def test_closed_frames_are_the_lowest_of_a_sequence():
    opening = torch.tensor([[0.0, 0.1, 0.5, 1.0, 0.0]])
    mask = torch.tensor([[True, True, True, True, False]])
    assert closed_frames(opening, mask).tolist() == [[True, True, False, False, False]]


def test_errors_of_lips_are_relative_to_their_variance():
    units, mask = Normalizer.identity(4, 70), torch.ones(2, 400, dtype=torch.bool)
    beta = torch.randn(2, 400, 64)
    right = lip_losses(beta, beta, mask, units, 2.0)
    assert all(float(value) == 0.0 for value in right.values())
    elsewhere = beta + torch.cat([torch.zeros(2, 400, 8), torch.randn(2, 400, 56)], -1)
    assert all(float(value) == 0.0 for value in lip_losses(beta, elsewhere, mask, units, 2.0).values())
    none = lip_losses(beta, torch.zeros_like(beta), mask, units, 0.0)
    assert float(none["lips"]) == pytest.approx(8.0, rel=0.1)
    assert float(none["opening"]) == pytest.approx(1.0, rel=0.15)
