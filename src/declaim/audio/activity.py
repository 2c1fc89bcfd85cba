"""Where somebody speaks: a level meter with a threshold of its own for every half minute.

    level of every 10 ms (after pre-emphasis) -> above the neighbourhood's threshold? -> video frames -> blips dropped

The threshold lies 6 dB above the quietest tenth of the 30 s around, but 20 to 30 dB below their loudest twentieth: a
frame's activity never depends on sound further away.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.audio.prosody import level_db
from declaim.audio.waveform import padded_to_frames, prepared
from declaim.timebase import SAMPLE_RATE
from declaim.types import Speech

PRE_EMPHASIS = 0.97
"""Weight of the sample before: takes out rumble, which is loud but no speech."""
ABOVE_QUIET_DB = 6.0
BELOW_LOUD_DB = (20.0, 30.0)
FLOOR_DB = -65.0
"""Never speech below this level, in decibels of full scale after pre-emphasis."""
BLIP_FRAMES = 2
"""Sound this short between silences is a click or a breath, not speech."""
AROUND_FRAMES = 375
"""Frames to either side that set the threshold."""
_EVERY = 25
"""The threshold is found anew once a second."""


def speech_activity(speech: Speech) -> Bool[Tensor, " frames"]:
    """For every 25 fps frame, whether it holds speech (or music: this is a level meter, not a recogniser).

    Raises:
        NoAudio: the speech is empty or not finite.
    """
    samples = prepared(speech).samples
    sharp = torch.cat([samples[:1], samples[1:] - PRE_EMPHASIS * samples[:-1]])
    levels = level_db(padded_to_frames(sharp, speech.n_frames).view(-1, 4, SAMPLE_RATE // 100))
    active = levels.amax(1) > _thresholds(levels)
    return _without_runs(active, BLIP_FRAMES)


def pauses(active: Bool[Tensor, " frames"]) -> list[tuple[int, int]]:
    """Runs without activity: first frame and frame after the last."""
    edges = torch.nn.functional.pad((~active).int(), (1, 1)).diff()
    starts, stops = (edges == 1).nonzero()[:, 0].tolist(), (edges == -1).nonzero()[:, 0].tolist()
    return list(zip(starts, stops, strict=True))


def _thresholds(levels: Float[Tensor, "frames pieces"]) -> Float[Tensor, " frames"]:
    found = []
    for start in range(0, len(levels), _EVERY):
        around = levels[max(start - AROUND_FRAMES, 0) : start + AROUND_FRAMES].flatten()
        quiet, loud = float(torch.quantile(around, 0.1)), float(torch.quantile(around, 0.95))
        level = min(max(quiet + ABOVE_QUIET_DB, loud - BELOW_LOUD_DB[1]), loud - BELOW_LOUD_DB[0])
        found.append(max(level, FLOOR_DB))
    return torch.tensor(found).repeat_interleave(_EVERY)[: len(levels)]


def _without_runs(active: Bool[Tensor, " frames"], longest: int) -> Bool[Tensor, " frames"]:
    """``active`` without True runs of at most ``longest`` frames."""
    kept = active.clone()
    for start, stop in pauses(~active):
        if stop - start <= longest:
            kept[start:stop] = False
    return kept
