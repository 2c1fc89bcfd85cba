"""When somebody speaks, and when the sound has beats: a level meter that ignores rumble and clicks.

    level of every 10 ms (after pre-emphasis) ─► above the clip's own threshold? ─► video frames ─► short blips dropped

The threshold lies 6 dB above the quietest tenth of the clip, but 20 to 30 dB below its loudest twentieth.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.audio.prosody import level_db
from declaim.audio.waveform import padded_to_frames, prepared
from declaim.timebase import SAMPLE_RATE
from declaim.types import Speech

ABOVE_QUIET_DB = 6.0
BELOW_LOUD_DB = (20.0, 30.0)
FLOOR_DB = -65.0
"""Never speech below this level, in decibels of full scale after pre-emphasis."""

BLIP_FRAMES = 2
"""Sound this short between silences is a click or a breath, not speech."""

PRE_EMPHASIS = 0.97
"""Weight of the sample before: takes out rumble, which is loud but no speech."""

ONSET_RISE_DB = 9.0
"""Least rise of level over 50 ms that counts as an onset."""

_PIECE = SAMPLE_RATE // 100


def speaking(speech: Speech) -> Bool[Tensor, " frames"]:
    """For every 25 fps frame, whether it holds speech: its loudest 10 ms against the clip's own levels.

    Not a recogniser: music counts as speech.
    """
    levels = _levels(speech)
    active = levels.view(-1, 4).amax(1) > _threshold(levels)
    edges = torch.diff(torch.nn.functional.pad(active.int(), (1, 1)))
    starts, stops = (edges == 1).nonzero()[:, 0].tolist(), (edges == -1).nonzero()[:, 0].tolist()
    for start, stop in zip(starts, stops, strict=True):
        if stop - start <= BLIP_FRAMES:
            active[start:stop] = False
    return active


def onsets_s(speech: Speech) -> Float[Tensor, " onsets"]:
    """Syllable onsets: times in seconds where the level rises fastest, :data:`ONSET_RISE_DB` or more in 50 ms."""
    levels = _levels(speech)
    levels = levels.clamp(min=_threshold(levels))
    rise = torch.nn.functional.pad(levels[5:] - levels[:-5], (5, 0))
    window = torch.nn.functional.max_pool1d(rise[None], 11, 1, 5)[0]  # one onset per 100 ms
    peaks = ((rise == window) & (rise >= ONSET_RISE_DB)).nonzero()[:, 0]
    first = torch.ones_like(peaks, dtype=torch.bool)
    first[1:] = peaks.diff() > 5  # a plateau is one onset
    return (peaks[first] - 2).clamp(min=0) * 0.01


def _levels(speech: Speech) -> Float[Tensor, " pieces"]:
    """Level of every 10 ms, in decibels of full scale, four to a video frame."""
    ready = prepared(speech)
    sharp = torch.cat([ready.samples[:1], ready.samples[1:] - PRE_EMPHASIS * ready.samples[:-1]])
    return level_db(padded_to_frames(sharp, ready.n_frames).view(-1, _PIECE))


def _threshold(levels: Float[Tensor, " pieces"]) -> float:
    """Level in decibels that separates speech from silence."""
    quiet, loud = float(torch.quantile(levels, 0.1)), float(torch.quantile(levels, 0.95))
    return max(min(max(quiet + ABOVE_QUIET_DB, loud - BELOW_LOUD_DB[1]), loud - BELOW_LOUD_DB[0]), FLOOR_DB)
