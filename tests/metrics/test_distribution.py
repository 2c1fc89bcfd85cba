"""Frechet distance: closed forms, and scipy's matrix root."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from declaim.errors import ConfigError
from declaim.metrics.functional.distribution import Gaussian, fid, frechet_distance


def normal(n, dim, seed):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gaussians_that_differ_in_mean_and_spread_along_the_axes():
    a = Gaussian(torch.zeros(3), torch.diag(torch.tensor([1.0, 4.0, 9.0])), 10)
    b = Gaussian(torch.tensor([1.0, 0.0, 2.0]), torch.diag(torch.tensor([4.0, 4.0, 1.0])), 10)
    assert frechet_distance(a, b) == pytest.approx(1 + 4 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_fid_equals_the_formula_with_scipys_root():
    a, b = normal(200, 12, 0), normal(150, 12, 1) @ normal(12, 12, 2) * 0.3 + 1
    ca, cb = np.cov(a.numpy().T), np.cov(b.numpy().T)
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum().item() + np.trace(ca + cb - 2 * np.real(sqrtm(ca @ cb)))
    assert fid(a, b) == pytest.approx(wanted, rel=1e-8)
    assert fid(a, b) == pytest.approx(fid(b, a), rel=1e-8)


def test_fewer_vectors_bias_it_upwards_and_singular_covariances_are_fine():
    few = fid(normal(8, 12, 3), normal(8, 12, 4))
    many = fid(normal(4000, 12, 5), normal(4000, 12, 6))
    assert few > 20 * many > 0
    assert fid(normal(8, 12, 3), normal(8, 12, 3)) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ConfigError, match="two vectors"):
        fid(normal(1, 3, 0), normal(5, 3, 0))
