"""Whisper's log-mel front end in torch: 80 bands, 10 ms hop, 25 ms Hann window at 16 kHz."""

import math
from functools import cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from declaim.timebase import SAMPLE_RATE

N_FFT = 400
HOP = 160
N_MELS = 80


def _hz_to_mel(hz: float) -> float:
    """Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    return hz / (200.0 / 3.0) if hz < 1000.0 else 15.0 + math.log(hz / 1000.0) * 27.0 / math.log(6.4)


def _mel_to_hz(mel: float) -> float:
    return mel * 200.0 / 3.0 if mel < 15.0 else 1000.0 * math.exp((mel - 15.0) * math.log(6.4) / 27.0)


@cache
def mel_filters(n_mels: int = N_MELS, n_fft: int = N_FFT, sample_rate: int = SAMPLE_RATE) -> Float[Tensor, "bins mels"]:
    """Triangular filters on Slaney's mel scale, each of unit area (librosa's default)."""
    bins = torch.linspace(0.0, sample_rate / 2.0, n_fft // 2 + 1, dtype=torch.float64)
    top = _hz_to_mel(sample_rate / 2.0)
    edges = torch.tensor([_mel_to_hz(top * i / (n_mels + 1)) for i in range(n_mels + 2)], dtype=torch.float64)
    width = edges.diff()
    slopes = edges[None, :] - bins[:, None]
    rising, falling = -slopes[:, :-2] / width[:-1], slopes[:, 2:] / width[1:]
    area = 2.0 / (edges[2:] - edges[:-2])
    return (torch.minimum(rising, falling).clamp(min=0.0) * area).float()


def log_mel(samples: Float[Tensor, " samples"]) -> Float[Tensor, "mels steps"]:
    """Whisper's scaled log-mel spectrogram, one column per 10 ms (``len(samples) // 160`` columns).

    The values are ``(log10 power + 4) / 4`` with the quietest bands raised to 8 decades under the loudest.
    """
    window = torch.hann_window(N_FFT, dtype=samples.dtype)
    spectrum = torch.stft(samples, N_FFT, HOP, window=window, center=True, pad_mode="reflect", return_complex=True)
    level = (mel_filters().T.to(samples.dtype) @ power(spectrum[:, :-1])).clamp(min=1e-10).log10()
    return (torch.maximum(level, level.max() - 8.0) + 4.0) / 4.0


def power(spectrum: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Squared magnitudes; ``abs().square()`` takes three to seven times as long, for it guards against overflow."""
    return spectrum.real.square() + spectrum.imag.square()
