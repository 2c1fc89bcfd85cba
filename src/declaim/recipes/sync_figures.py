"""How well a sync expert judges people it does not know: windows of .4 s told apart, known shifts found in 3 s.

Every figure is a mean over speakers, each with one vote. Footage may itself be out of step: a clip's true offset is its
own over its whole length, or one that another judge found. The figures also tell how often the offset is within a frame
of nothing at all.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.sync.offsets import REACH, active_windows, offset, whole_windows

OUT_OF_SYNC = (*range(-15, -4), *range(5, 16))
"""Frames by which a window is shifted to be out of sync: .2 to .6 s, early or late."""
SHIFTS = range(-5, 6)
"""Known shifts of 3 s of picture, in frames."""
SPAN, STEP, LEAST = 75, 25, 65
"""Frames of those 3 s, frames between their starts, and how many are enough at the end of a clip."""
_BAND = REACH + max(SHIFTS)


@dataclass(frozen=True, eq=False)
class Judged:
    """A clip's embeddings.

    Attributes:
        speaker: who speaks.
        distances: of every speech window (rows) to every window of what is seen; infinite where no face was seen.
        active: windows of speech with somebody speaking.
        window: frames of a window.
    """

    speaker: str
    distances: Float[Tensor, "windows windows"]
    active: Bool[Tensor, " windows"]
    window: int

    @classmethod
    def of(cls, speaker: str, embeddings: tuple[Tensor, Tensor], valid: Tensor, active: Tensor) -> "Judged":
        """From the embeddings of speech and of what is seen; frames with a face, and with speech."""
        window = len(valid) - len(embeddings[0]) + 1
        distances = torch.cdist(*embeddings).masked_fill(~whole_windows(valid, window)[None], torch.inf)
        return cls(speaker, distances, active_windows(active, window), window)

    def curve(self, start: int = 0, shift: int = 0, windows: int | None = None) -> Float[Tensor, " offsets"]:
        """Mean distance for every offset of ``windows`` windows, the picture's beginning ``shift`` frames later."""
        size = len(self.distances) if windows is None else windows
        offsets = torch.arange(-REACH, REACH + 1)
        first, stop = start + (-offsets).clamp(min=0), start + size - offsets.clamp(min=0)
        columns = offsets + shift + _BAND
        total, count = (sums[stop.clamp(min=first), columns] - sums[first, columns] for sums in self._sums)
        return torch.where(count > 0, total / count.clamp(min=1.0), torch.inf)

    @cached_property
    def _sums(self) -> tuple[Tensor, Tensor]:
        """Running sums along the windows of ``distances[t, t + o]`` where finite, and of how many there are."""
        n = len(self.distances)
        padded = torch.full((n, n + 2 * _BAND), torch.inf, dtype=torch.float64)
        padded[:, _BAND : _BAND + n] = self.distances
        band = padded.gather(1, torch.arange(n)[:, None] + torch.arange(2 * _BAND + 1))
        known = band.isfinite()
        rows = (band.where(known, 0.0), known.double())
        return tuple(torch.nn.functional.pad(x.cumsum(0), (0, 0, 1, 0)) for x in rows)  # type: ignore[return-value]


Known = tuple[Judged, int]
"""A clip with its true offset."""


def by_speaker(clips: Sequence[Judged], truth: Sequence[int] | None = None) -> dict[str, dict[str, float]]:
    """Figures of every speaker, see `figures`, and ``own_offset``, the median of the clips' true ones.

    Args:
        clips: judged clips.
        truth: their true offsets; what is found over each clip as a whole if left out.
    """
    owns = [own_offset(clip) for clip in clips] if truth is None else truth
    grouped: dict[str, list[Known]] = defaultdict(list)
    for clip, own in zip(clips, owns, strict=True):
        grouped[clip.speaker].append((clip, own))
    threshold = {active: _equal_error(grouped, active) for active in (False, True)}
    return {
        speaker: {
            "own_offset": float(np.median([own for _, own in group])),
            **_found(group),
            **_told_apart(group, threshold[False], active=False),
            **_told_apart(group, threshold[True], active=True),
        }
        for speaker, group in grouped.items()
    }


def figures(clips: Sequence[Judged], truth: Sequence[int] | None = None) -> dict[str, float]:
    """Means over speakers.

    - ``pair``: of .4 s windows and their out-of-sync versions (`OUT_OF_SYNC`), how often the true one is nearer.
    - ``equal``: windows told in sync from out of sync by one threshold for all speakers, set where both errors are
      equal over all speakers.
    - ``pair_speech``, ``equal_speech``: the same among windows that hold speech in half of their frames.
    - ``found``, ``found_zero``: 3 s of picture shifted by a known -5 .. 5 frames; the offset is found within one frame
      of the shift plus the clip's own offset, and plus nothing. ``found_speech``: where at least half of the 3 s hold
      speech.
    """
    return {name: float(_known_mean(column)) for name, column in _columns(by_speaker(clips, truth)).items()}


def intervals(
    rows: Mapping[str, Mapping[str, float]], draws: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % intervals of the means by bootstrap over speakers."""
    drawn = np.random.default_rng(seed).integers(0, len(rows), (draws, len(rows)))
    found = {}
    for name, column in _columns(rows).items():
        low, high = np.nanquantile(_known_mean(column[drawn]), (0.025, 0.975))
        found[name] = (float(low), float(high))
    return found


def _columns(rows: Mapping[str, Mapping[str, float]]) -> dict[str, np.ndarray]:
    """A value a speaker for every figure that could be measured for one of them."""
    names = [name for name in next(iter(rows.values())) if name != "own_offset"]
    columns = {name: np.array([row[name] for row in rows.values()]) for name in names}
    return {name: column for name, column in columns.items() if np.isfinite(column).any()}


def _known_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis without what is not a number; not a number where nothing else is there."""
    known = np.isfinite(values)
    count = known.sum(-1)
    total = np.where(known, values, 0.0).sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def own_offset(clip: Judged) -> int:
    """The offset over a whole clip, of windows with speech if there are enough."""
    spoken = clip.distances.masked_fill(~clip.active[:, None], torch.inf)
    curve = Judged(clip.speaker, spoken, clip.active, clip.window).curve()
    return offset(curve if bool(curve.isfinite().all()) else clip.curve())


def _found(clips: Sequence[Known]) -> dict[str, float]:
    hits: dict[str, list[bool]] = {"found": [], "found_zero": [], "found_speech": []}
    for clip, own in clips:
        frames = len(clip.distances) + clip.window - 1
        for start in range(0, max(frames - SPAN, 0) + 1, STEP):
            for shift in SHIFTS:
                first = max(start, -shift)  # the picture's part must not begin before the clip
                size = min(SPAN, frames - first - max(shift, 0))
                if size < LEAST:
                    continue
                windows = size - clip.window + 1
                late = offset(clip.curve(first, shift, windows)) + shift
                hits["found"].append(abs(late - own) <= 1)
                hits["found_zero"].append(abs(late) <= 1)
                if bool(clip.active[first : first + windows].float().mean() >= 0.5):
                    hits["found_speech"].append(abs(late - own) <= 1)
    return {name: float(np.mean(found)) if found else np.nan for name, found in hits.items()}


def _samples(clips: Sequence[Known], active: bool) -> tuple[Tensor, Tensor]:
    """Distances of windows in sync, and of the same windows out of sync (NaN beyond the clip)."""
    right, wrong = [], []
    for clip, own in clips:
        n = len(clip.distances)
        padded = torch.full((n, n + 80), torch.nan)
        padded[:, 40 : 40 + n] = clip.distances.masked_fill(~clip.distances.isfinite(), torch.nan)
        place = torch.arange(n)
        true = padded[place, place + 40 + own]
        others = torch.stack([padded[place, place + 40 + own + k] for k in OUT_OF_SYNC], 1)
        kept = ~true.isnan() & ~others.isnan().all(1) & (clip.active if active else torch.ones_like(clip.active))
        right.append(true[kept])
        wrong.append(others[kept])
    return torch.cat(right), torch.cat(wrong)


def _told_apart(clips: Sequence[Known], threshold: float, *, active: bool) -> dict[str, float]:
    right, wrong = _samples(clips, active)
    name = "_speech" if active else ""
    if len(right) == 0:
        return {f"pair{name}": np.nan, f"equal{name}": np.nan}
    known = ~wrong.isnan()
    pairs = ((wrong > right[:, None]) & known).sum(1) / known.sum(1)
    accepted, refused = (right <= threshold).float().mean(), (wrong[known] > threshold).float().mean()
    return {f"pair{name}": float(pairs.mean()), f"equal{name}": float((accepted + refused) / 2)}


def _equal_error(groups: Mapping[str, Sequence[Known]], active: bool) -> float:
    """The distance at which windows in sync are refused as often as windows out of sync are accepted."""
    thresholds = torch.linspace(0.0, 2.0, 401)
    refused, accepted = torch.zeros(401), torch.zeros(401)
    for clips in groups.values():
        right, wrong = _samples(clips, active)
        if len(right):
            others = wrong[~wrong.isnan()].sort().values
            refused += 1.0 - torch.searchsorted(right.sort().values, thresholds, right=True) / len(right)
            accepted += torch.searchsorted(others, thresholds, right=True) / len(others)
    return float(thresholds[(refused - accepted).abs().argmin()])
