"""Picture metrics on 8-bit RGB: PSNR and SSIM."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from declaim.errors import ConfigError

WINDOW = 11
"""Side in pixels of SSIM's Gaussian window."""

SIGMA = 1.5
"""Standard deviation in pixels of SSIM's Gaussian window."""

PEAK = 255.0
"""Largest value of an 8-bit channel."""


def psnr(picture: UInt8[np.ndarray, "*shape"], truth: UInt8[np.ndarray, "*shape"]) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels; infinite for equal pictures."""
    error = np.mean(np.square(picture.astype(np.float64) - truth.astype(np.float64)))
    return float("inf") if error == 0 else float(10 * np.log10(PEAK**2 / error))


def ssim(picture: UInt8[np.ndarray, "height width 3"], truth: UInt8[np.ndarray, "height width 3"]) -> float:
    """Structural similarity: 1 for equal pictures; mean over pixels whose window lies inside, and over R, G and B.

    Gaussian window of 11x11 pixels, sigma 1.5, K1 = .01, K2 = .03, population covariance.

    Raises:
        ConfigError: a side is shorter than the window.

    Paper: Wang et al. (IEEE TIP 2004), eq. 13
    """
    if min(picture.shape[:2]) < WINDOW:
        raise ConfigError(f"SSIM needs pictures of at least {WINDOW}x{WINDOW} pixels, got {picture.shape[:2]}")
    x, y = picture.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    score = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return float(score.mean())


def _blur(channels: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, "inner_height inner_width 3"]:
    """Gaussian mean at every pixel whose window lies inside the picture."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    kernel = np.exp(-(offsets**2) / (2 * SIGMA**2))
    kernel /= kernel.sum()
    rim = WINDOW // 2
    return np.asarray(cv2.sepFilter2D(channels, cv2.CV_64F, kernel, kernel))[rim:-rim, rim:-rim]
