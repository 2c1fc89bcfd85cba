"""The same speech from another microphone: colour, room and noise, drawn from a seed."""

import math
import zlib

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.types import Speech, seeded_generator

EQ_DB = 6.0
"""Standard deviation, in decibels, of the random equaliser at each of its seven nodes."""
SNR_DB = (12.0, 35.0)
"""Range of the signal-to-noise ratio."""
ROOM_S = (0.05, 0.3)
"""Range of the room's decay: time in which its echo falls by 60 dB."""
ROOM_SHARE = 0.3
"""Greatest amplitude of the echo relative to the direct sound."""


def seed_of(name: str) -> int:
    """A seed that belongs to a clip's name, the same in every process."""
    return zlib.crc32(name.encode("utf-8"))


def roughened(speech: Speech, seed: int) -> Speech:
    """``speech`` as another, worse recording of it: random gain, equaliser, short room echo, coloured noise.

    Lengths and times stay as they are.
    """
    generator = seeded_generator(seed)
    samples = speech.samples
    n = len(samples)
    low, high = ROOM_S
    decay_s = low + (high - low) * _uniform(generator)
    echo = torch.randn(int(decay_s * speech.sample_rate) + 1, generator=generator)
    echo = echo * torch.exp(-math.log(1000.0) * torch.arange(len(echo)) / len(echo))
    echo = echo / echo.norm() * ROOM_SHARE * _uniform(generator)
    echo[0] = 1.0
    size = n + len(echo)
    spectrum = torch.fft.rfft(samples, size) * torch.fft.rfft(echo, size)
    colour = _curve(torch.randn(7, generator=generator) * EQ_DB, len(spectrum))
    rough = torch.fft.irfft(spectrum * colour, size)[:n]
    hiss = torch.fft.rfft(torch.randn(size, generator=generator)) * _curve(
        torch.randn(7, generator=generator) * EQ_DB, len(spectrum)
    )
    noise = torch.fft.irfft(hiss, size)[:n]
    snr_db = SNR_DB[0] + (SNR_DB[1] - SNR_DB[0]) * _uniform(generator)
    level = rough.square().mean().sqrt() / noise.square().mean().sqrt().clamp(min=1e-9)
    rough = rough + noise * level * 10.0 ** (-snr_db / 20.0)
    gain = 10.0 ** ((_uniform(generator) * 24.0 - 12.0) / 20.0)
    return Speech((rough * gain).clamp(-1.0, 1.0), speech.sample_rate)


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand(1, generator=generator))


def _curve(nodes_db: Float[Tensor, " nodes"], bins: int) -> Float[Tensor, " bins"]:
    """Amplitudes of a smooth equaliser, its nodes evenly spaced from 0 Hz up."""
    curve = torch.nn.functional.interpolate(nodes_db[None, None], bins, mode="linear", align_corners=True)[0, 0]
    return 10.0 ** (curve / 20.0)
