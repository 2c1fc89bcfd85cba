"""Loudness and voicing of every video frame, straight from the waveform: they know silence for certain."""

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.audio.mel import power
from declaim.audio.waveform import padded_to_frames
from declaim.timebase import SAMPLE_RATE, frames_in

FLOOR_DB = -80.0
"""Level, in decibels of full scale, under which everything counts as the same silence."""

PROSODY_DIM = 4
_FRAME = SAMPLE_RATE // 25


def level_db(samples: Float[Tensor, "*rows samples"]) -> Float[Tensor, "*rows"]:
    """Root-mean-square level in decibels of full scale, at least ``FLOOR_DB``."""
    power = samples.square().mean(-1)
    return 10.0 * power.clamp(min=10.0 ** (FLOOR_DB / 10.0)).log10()


def frame_levels_db(samples: Float[Tensor, " samples"]) -> Float[Tensor, " frames"]:
    """Level of every 40 ms video frame of 16 kHz ``samples``, in decibels of full scale."""
    n_frames = frames_in(len(samples))
    return level_db(padded_to_frames(samples, n_frames).view(n_frames, _FRAME))


def voicing(frames: Float[Tensor, "frames samples"]) -> Float[Tensor, " frames"]:
    """Height, 0 to 1, of the normalised autocorrelation's peak between 70 and 400 Hz of 16 kHz frames."""
    frames = frames - frames.mean(-1, keepdim=True)
    spectrum = torch.fft.rfft(frames, 2 * frames.shape[-1])
    correlation = torch.fft.irfft(power(spectrum))[..., : frames.shape[-1]]
    peak = correlation[..., SAMPLE_RATE // 400 : SAMPLE_RATE // 70].amax(-1)
    energy = correlation[..., 0]
    return torch.where(energy > 1e-6 * frames.shape[-1], peak / energy.clamp(min=1e-9), 0.0).clamp(0.0, 1.0)


def prosody(samples: Float[Tensor, " samples"]) -> Float[Tensor, "frames 4"]:
    """Per 25 fps frame of 16 kHz ``samples``: level of its two halves, level above 4 kHz, voicing.

    Levels are scaled to 0 (at -80 dB of full scale) .. 1 (at 0 dB).
    """
    n_frames = frames_in(len(samples))
    whole = padded_to_frames(samples, n_frames)
    halves = whole.view(n_frames, 2, _FRAME // 2)
    spectrum = torch.fft.rfft(whole.view(n_frames, _FRAME) * torch.hann_window(_FRAME))
    high = power(spectrum[:, _FRAME * 4000 // SAMPLE_RATE :]).sum(-1) * (2.0 / 0.375 / _FRAME**2)
    high_db = 10.0 * high.clamp(min=10.0 ** (FLOOR_DB / 10.0)).log10()
    context = torch.nn.functional.pad(whole, (_FRAME // 2, _FRAME // 2)).unfold(0, 2 * _FRAME, _FRAME)
    columns = [level_db(halves), high_db[:, None], voicing(context)[:, None]]
    levels = torch.cat(columns[:2], dim=1)
    return torch.cat([(levels - FLOOR_DB) / -FLOOR_DB, columns[2]], dim=1)
