"""Speech signals made ready for the encoders: one rate, finite values, exact length in frames."""

from dataclasses import replace

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import NoAudio
from declaim.timebase import SAMPLE_RATE, samples_in
from declaim.types import Speech


def resample(speech: Speech, sample_rate: int = SAMPLE_RATE) -> Speech:
    """``speech`` at another rate (band-limited, soxr's high quality); unchanged if it has that rate already."""
    if speech.sample_rate == sample_rate:
        return speech
    samples = soxr.resample(speech.samples.numpy(), speech.sample_rate, sample_rate, quality="HQ")
    return Speech(torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)), sample_rate)


def prepared(speech: Speech) -> Speech:
    """``speech`` at 16 kHz with every sample checked, clipped to [-1, 1].

    Raises:
        NoAudio: the signal is empty or holds values that are not finite.
    """
    if len(speech.samples) == 0:
        raise NoAudio("the speech is empty: expected at least one sample")
    if not bool(torch.isfinite(speech.samples).all()):
        raise NoAudio("the speech holds values that are not numbers: expected amplitudes in [-1, 1]")
    ready = resample(speech)
    low, high = ready.samples.aminmax()
    if ready.samples.dtype == torch.float32 and low >= -1.0 and high <= 1.0:
        return ready  # as it is: a copy of an hour takes 230 MB
    return replace(ready, samples=ready.samples.float().clamp(-1.0, 1.0))


def padded_to_frames(samples: Float[Tensor, " samples"], n_frames: int) -> Float[Tensor, " padded"]:
    """16 kHz ``samples`` cut or filled with zeros to exactly ``n_frames`` video frames."""
    wanted = samples_in(n_frames)
    return torch.nn.functional.pad(samples[:wanted], (0, max(wanted - len(samples), 0)))
