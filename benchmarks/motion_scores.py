"""Scores of one generated take against the tracked truth of the same clip."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from declaim.face.model import FaceModel
from declaim.metrics.activity import onsets_s, speaking
from declaim.metrics.functional import lip
from declaim.metrics.functional import motion as m
from declaim.metrics.phonemes import align, frame_spans, grid_words
from declaim.types import Motion, Speech

GAP_S = 2.0
"""Length of the digital silence put between two readings of a clip."""


@dataclass(frozen=True, eq=False)
class Performance:
    """A motion as points of the mean person in the head frame, and its head turns."""

    points: Tensor
    turns: Tensor

    @classmethod
    def of(cls, motion: Motion, model: FaceModel) -> "Performance":
        return cls(model.points(motion["expression"]), m.head_deviation(motion["rotation"]))

    @property
    def opening(self) -> Tensor:
        return lip.mouth_opening(self.points)

    def cut(self, frames: int) -> "Performance":
        return Performance(self.points[:frames], m.head_deviation(self.turns[:frames]))

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True, eq=False)
class Reference:
    """What a clip's sound and picture say: truth, speech activity, spans of p, b and m."""

    name: str
    speaker: str
    speech: Speech
    truth: Performance
    speaking: Tensor
    spans: list[tuple[int, int]] | None

    @classmethod
    def of(cls, name: str, speaker: str, source: str, speech: Speech, truth: Motion, model: FaceModel) -> "Reference":
        frames = min(len(truth), speech.n_frames)
        words = grid_words(source) if "grid" in speaker else None
        spans = frame_spans(align(speech, words), frames) if words else None
        performance = Performance.of(truth, model).cut(frames)
        return cls(name, speaker, speech, performance, speaking(speech)[:frames], spans)


def alone(take: Performance, reference: Reference) -> dict[str, Any]:
    """Scores that need no truth: computed for the truth itself and for every generated take."""
    opening, closure = take.opening, m.lid_closure(m.eye_opening(take.points))
    blinks = m.blinks(closure)
    return {
        "mouth_sd_cm": float(opening.std(unbiased=False)),
        "mouth_mean_cm": float(opening.mean()),
        "head_sd_deg": float(m.spread(take.turns)) * 57.29578,
        "silence_movement": m.silence_movement(opening, reference.speaking),
        "closed": None if reference.spans is None else lip.closures(opening, reference.spans).tolist(),
        "closed_anywhere": _closed_anywhere(opening, reference),
        "blinks": len(blinks),
        "blink_s": [b.duration_s for b in blinks],
        "seconds": len(take) / 25,
        "beat_align": m.beat_align(onsets_s(reference.speech), m.motion_beats_s(take.turns)),
    }


def against_truth(take: Performance, truth: Performance) -> dict[str, Any]:
    """Scores of a take beside the truth (cut to the shorter one)."""
    frames = min(len(take), len(truth))
    a, b = take.cut(frames), truth.cut(frames)
    return {
        "mouth_correlation": float(lip.mouth_correlation(a.opening, b.opening)),
        "mouth_lag": lip.mouth_lag(a.opening, b.opening) if frames >= 20 else None,
        "lmd": float(lip.lmd(a.points, b.points)),
        "lve_cm": float(lip.lve(a.points, b.points)),
        "mod_cm": float(lip.mod(a.points, b.points)),
        "fdd_cm": float(lip.fdd(a.points, b.points)),
    }


def movement_in_gap(opening: Tensor, first: int, gap: int) -> float:
    """Movement of the mouth in an inserted silence, relative to the speech before and after it."""
    talk = torch.ones(len(opening), dtype=torch.bool)
    talk[first : first + gap] = False
    inside = m.silent_frames(talk)
    return float(opening[inside].std(unbiased=False) / opening[talk].std(unbiased=False))


def _closed_anywhere(opening: Tensor, reference: Reference) -> float | None:
    """Chance level of closures: share of windows as long as the spans, anywhere within speech, that hold a closure."""
    if not reference.spans:
        return None
    talk = reference.speaking.nonzero()[:, 0]
    length = max(round(sum(b - a for a, b in reference.spans) / len(reference.spans)), 1)
    windows = [(i, i + length) for i in range(int(talk[0]), int(talk[-1]) - length + 2)]
    return float(lip.closures(opening, windows).float().mean()) if windows else None
