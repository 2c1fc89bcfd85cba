"""Where somebody speaks: a level meter with a threshold of its own for every half minute.

    level of every 10 ms (after pre-emphasis) -> above the neighbourhood's threshold? -> video frames -> blips dropped

The threshold lies 6 dB above the quietest tenth of the 30 s around, but 20 to 30 dB below their loudest twentieth: a
frame's activity never depends on sound further away.
"""

from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.audio.arriving import ReadThrough
from declaim.audio.prosody import level_db
from declaim.audio.waveform import padded_to_frames
from declaim.timebase import SAMPLE_RATE
from declaim.types import Spoken

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
_AT_ONCE = 1500
_EVERY = 25
"""The threshold is found anew once a second."""


_known: WeakKeyDictionary[Spoken, Bool[Tensor, " frames"]] = WeakKeyDictionary()


def speech_activity(speech: Spoken) -> Bool[Tensor, " frames"]:
    """For every 25 fps frame, whether it holds speech (or music: this is a level meter, not a recogniser).

    A speech is metered once: the answer is kept for as long as somebody holds the speech.

    Raises:
        NoAudio: the speech is empty or not finite.
    """
    if speech not in _known:
        meter, sound = ActivityMeter(), ReadThrough(speech)
        for start in range(0, speech.n_frames, _AT_ONCE):  # an hour at once would need a gigabyte
            stop = min(start + _AT_ONCE, speech.n_frames)
            meter.hear(sound.between(start, stop), stop - start)
        _known[speech] = meter.between(0, speech.n_frames)
    return _known[speech]


class ActivityMeter:
    """`speech_activity` of 16 kHz sound that is heard little by little."""

    def __init__(self) -> None:
        self._levels, self._first = torch.zeros(0, 4), 0
        self._last_sample = torch.zeros(0)

    @property
    def frames(self) -> int:
        """Frames heard."""
        return self._first + len(self._levels)

    def hear(self, samples: Float[Tensor, " samples"], n_frames: int) -> None:
        """Take in the next ``n_frames`` frames of sound; only the last of all may be partly filled."""
        joined = torch.cat([self._last_sample, samples])
        sharp = joined[1:] - PRE_EMPHASIS * joined[:-1]
        if not len(self._last_sample):
            sharp = torch.cat([joined[:1], sharp])
        self._last_sample = joined[-1:].clone()
        levels = level_db(padded_to_frames(sharp, n_frames).view(-1, 4, SAMPLE_RATE // 100))
        self._levels = torch.cat([self._levels, levels])

    def between(self, begin: int, end: int) -> Bool[Tensor, " frames"]:
        """Activity of the frames ``begin`` to ``end - 1`` as if the speech ended with what was heard."""
        first, last = max(begin - BLIP_FRAMES - 1, 0), min(end + BLIP_FRAMES + 1, self.frames)
        active = self._levels[first - self._first : last - self._first].amax(1) > self._thresholds(first, last)
        return _without_runs(active, BLIP_FRAMES)[begin - first :][: end - begin]

    def forget(self, before: int) -> None:
        """Frames before ``before`` will not be asked for again."""
        first = min(max(before - BLIP_FRAMES - 1 - _EVERY - AROUND_FRAMES, self._first), self.frames)
        self._levels, self._first = self._levels[first - self._first :].clone(), first

    def _thresholds(self, begin: int, end: int) -> Float[Tensor, " frames"]:
        found, shares = [], torch.tensor([0.1, 0.95])
        aligned = begin - begin % _EVERY
        for start in range(aligned, end, _EVERY):
            lower = max(start - AROUND_FRAMES, 0)
            around = self._levels[lower - self._first : start + AROUND_FRAMES - self._first].flatten()
            quiet, loud = torch.quantile(around, shares).tolist()
            level = min(max(quiet + ABOVE_QUIET_DB, loud - BELOW_LOUD_DB[1]), loud - BELOW_LOUD_DB[0])
            found.append(max(level, FLOOR_DB))
        return torch.tensor(found).repeat_interleave(_EVERY)[begin - aligned :][: end - begin]


def pauses(active: Bool[Tensor, " frames"]) -> list[tuple[int, int]]:
    """Runs without activity: first frame and frame after the last."""
    edges = torch.nn.functional.pad((~active).int(), (1, 1)).diff()
    starts, stops = (edges == 1).nonzero()[:, 0].tolist(), (edges == -1).nonzero()[:, 0].tolist()
    return list(zip(starts, stops, strict=True))


def _without_runs(active: Bool[Tensor, " frames"], longest: int) -> Bool[Tensor, " frames"]:
    """``active`` without True runs of at most ``longest`` frames."""
    kept = active.clone()
    for start, stop in pauses(~active):
        if stop - start <= longest:
            kept[start:stop] = False
    return kept
