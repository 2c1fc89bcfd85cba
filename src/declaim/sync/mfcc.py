"""Mel-frequency cepstral coefficients as SyncNet was trained on them.

The same numbers as the Python package python_speech_features gives with its default settings: 25 ms rectangular
windows every 10 ms, pre-emphasis .97, 512-point spectra, 26 triangles on HTK's mel scale, 13 coefficients, liftered,
the first one replaced by the logarithm of the energy.
"""

import math
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.timebase import SAMPLE_RATE

N_COEFFICIENTS, N_BANDS, N_FFT = 13, 26, 512
WINDOW, HOP = 400, 160
"""Samples at 16 kHz."""
PRE_EMPHASIS, LIFTER = 0.97, 22
FULL_SCALE = 32768.0
"""The network heard 16-bit integers."""
_SMALLEST = torch.finfo(torch.float64).eps


def mfcc(samples: Float[Tensor, " samples"]) -> Float[Tensor, "steps 13"]:
    """Coefficients of 16 kHz ``samples`` in [-1, 1], a row for every 10 ms; the end is filled with zeros."""
    signal = samples.double() * FULL_SCALE
    sharp = torch.cat([signal[:1], signal[1:] - PRE_EMPHASIS * signal[:-1]])
    steps = 1 + max(math.ceil((len(sharp) - WINDOW) / HOP), 0)
    padded = torch.nn.functional.pad(sharp, (0, (steps - 1) * HOP + WINDOW - len(sharp)))
    power = torch.fft.rfft(padded.unfold(0, WINDOW, HOP), N_FFT).abs().square() / N_FFT
    energy, bands = power.sum(1), power @ _triangles()
    cepstrum = bands.where(bands > 0, _SMALLEST).log() @ _cosines()
    cepstrum[:, 0] = energy.where(energy > 0, _SMALLEST).log()
    return cepstrum.float()


@cache
def _triangles() -> Float[Tensor, "bins bands"]:
    """HTK's mel scale; the corners lie on whole bins."""
    top = 2595.0 * math.log10(1.0 + SAMPLE_RATE / 2 / 700.0)
    hz = [700.0 * (10.0 ** (top * i / (N_BANDS + 1) / 2595.0) - 1.0) for i in range(N_BANDS + 2)]
    corners = torch.tensor([float(math.floor((N_FFT + 1) * f / SAMPLE_RATE)) for f in hz], dtype=torch.float64)
    bins = torch.arange(N_FFT // 2 + 1, dtype=torch.float64)[:, None]
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    return torch.where(bins < middle, rising, falling).clamp(min=0.0)


@cache
def _cosines() -> Float[Tensor, "bands 13"]:
    """Orthonormal cosine transform, each coefficient times its lifter."""
    k, n = torch.arange(N_COEFFICIENTS, dtype=torch.float64), torch.arange(N_BANDS, dtype=torch.float64)[:, None]
    scale = torch.full((N_COEFFICIENTS,), math.sqrt(2.0 / N_BANDS), dtype=torch.float64)
    scale[0] = math.sqrt(1.0 / N_BANDS)
    lift = 1.0 + LIFTER / 2 * torch.sin(math.pi * k / LIFTER)
    return torch.cos(math.pi * (n + 0.5) * k / N_BANDS) * scale * lift
