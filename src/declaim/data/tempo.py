"""Speech played faster or slower, and motion that keeps time with it: further speakers for training."""

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.audio.waveform import prepared, resample
from declaim.timebase import SAMPLE_RATE
from declaim.types import Speech


def at_tempo(speech: Speech, speed: float) -> Speech:
    """``speech`` played ``speed`` times as fast: pitch and formants shift along, as if another person spoke."""
    ready = prepared(speech)
    if speed == 1.0:
        return ready
    return Speech(resample(Speech(ready.samples, round(SAMPLE_RATE * speed))).samples, SAMPLE_RATE)


def motion_at_tempo(values: Float[Tensor, "frames dim"], n_frames: int, speed: float) -> Float[Tensor, "resampled dim"]:
    """Motion sampled at ``speed`` times the rate for ``n_frames`` frames, linearly; the last row is held."""
    at = (torch.arange(n_frames, dtype=torch.float64) * speed).clamp(max=len(values) - 1)
    low = at.floor().long()
    high = (low + 1).clamp(max=len(values) - 1)
    share = (at - low)[:, None].to(values.dtype)
    return values[low] * (1.0 - share) + values[high] * share
