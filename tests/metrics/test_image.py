"""Picture metrics against scikit-image."""

import numpy as np
import pytest
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from declaim.errors import ConfigError
from declaim.metrics.functional.image import psnr, ssim


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    truth = astronaut()[100:260, 150:330]
    noise = np.random.default_rng(0).normal(0, 12, truth.shape)
    return np.clip(truth + noise, 0, 255).astype(np.uint8), truth


def test_psnr_equals_skimage(pair):
    assert psnr(*pair) == pytest.approx(peak_signal_noise_ratio(pair[1], pair[0], data_range=255), abs=1e-9)


def test_psnr_of_a_known_error():
    black = np.zeros((4, 5, 3), np.uint8)
    assert psnr(black + np.uint8(255), black) == 0.0
    assert psnr(black + np.uint8(1), black) == pytest.approx(20 * np.log10(255))
    assert psnr(black, black) == float("inf")


def test_ssim_equals_skimage_with_wangs_settings(pair):
    expected = structural_similarity(
        pair[0],
        pair[1],
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(*pair) == pytest.approx(expected, abs=1e-7)
    assert ssim(pair[1], pair[1]) == 1.0


def test_ssim_refuses_pictures_smaller_than_its_window():
    with pytest.raises(ConfigError, match="11x11"):
        ssim(np.zeros((10, 20, 3), np.uint8), np.zeros((10, 20, 3), np.uint8))
