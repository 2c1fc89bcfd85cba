"""Scores of one performance of one clip: plain numbers by name, and curves for the plots."""

import math
from typing import Any

import torch
from torch import Tensor

from declaim.errors import ConfigError
from declaim.evaluation.judging.performance import Performance, Reference
from declaim.face.eyes import (
    Blink,
    Shifts,
    blinks,
    eye_opening,
    gaze,
    gaze_shifts,
    lid_closure,
    seen_gaze,
)
from declaim.face.head3d import Head3D
from declaim.metrics.functional import lip
from declaim.metrics.functional import motion as m
from declaim.metrics.functional.parts import lip_jitter, motion_parts
from declaim.metrics.functional.waiting import Wait, waits
from declaim.metrics.head import arkit_scores_on
from declaim.sync import SyncExpert, lse_c, lse_d, offset
from declaim.timebase import FPS

Scores = dict[str, float | None]

SPEED_BINS_DEG_S = torch.linspace(0, 60, 31)
"""Borders of the head speed histogram, degrees a second."""
BEAT_BINS_S = torch.linspace(0, 0.6, 25)
"""Borders of the histogram of distances from audio beats to motion beats, seconds."""

WAITS = ("blink", "gaze")
"""Events between which the waits are measured: see `waiting`."""

MOST_LATE, LONG_ENOUGH = 5, 100
"""Greatest offset of footage that is believed, in frames; and least frames of its clip."""


def score(take: Performance, reference: Reference, borders: list[int], head: Head3D | None = None) -> Scores:
    """All motion scores of a take, judged by a clip (cut to the shorter one).

    Args:
        take: what is judged.
        reference: the clip whose speech it claims to speak.
        borders: first frames of the windows in which it was generated.
        head: the full head, for performances that have their ``arkit``.
    """
    frames = min(len(take), len(reference))
    a, ref = take.cut(frames), reference.cut(frames)
    own, true = alone(a, ref, borders), _true_scores(reference, frames)
    kept = [name for name in true if name.startswith(("sd_", "speed_", "beat_align"))]
    off = {f"off_{part}": off_person(own[f"sd_{part}"], true[f"sd_{part}"]) for part in ("mouth", "rotation")}
    whole = {} if head is None else on_head(a, ref.truth, head)
    return {**own, **against_truth(a, ref.truth), **whole, **off, **{f"true_{name}": true[name] for name in kept}}


def off_person(own: float | None, true: float | None) -> float | None:
    """How far an amplitude is from the person's, in doublings; None where one of them is 0."""
    return abs(math.log2(own / true)) if own and true else None


def on_head(take: Performance, truth: Performance, head: Head3D) -> Scores:
    """Scores on the full head, over the frames in which both have a face."""
    if take.arkit is None or truth.arkit is None:
        return {}
    seen = torch.ones(len(truth), dtype=torch.bool)
    for valid in (take.motion.valid, truth.motion.valid):
        seen = seen if valid is None else seen & valid
    return {**arkit_scores_on(head, take.arkit[seen], truth.arkit[seen])} if bool(seen.any()) else {}


def _true_scores(reference: Reference, frames: int) -> Scores:
    """The truth's own scores over its first frames; kept, as every take of a clip is put beside them."""
    known = reference.true_scores
    if frames not in known:
        ref = reference.cut(frames)
        known[frames] = alone(ref.truth, ref, [])
    return known[frames]


def alone(take: Performance, ref: Reference, borders: list[int]) -> Scores:
    """Scores that need no truth."""
    opening = take.opening
    translation = take.motion["translation"]
    parts = motion_parts(take.points, take.turns, translation)
    borders = [b for b in borders if b < len(take)]
    return {
        **{f"sd_{name}": float(m.spread(curve)) for name, curve in parts.items()},
        "mouth_mean_cm": float(opening.mean()),
        "head_sd_deg": math.degrees(float(m.spread(take.turns))),
        "silence_movement": m.silence_movement(opening, ref.speaking),
        "lip_jitter_mm": lip_jitter(take.points, m.silent_frames(ref.speaking)),
        **closing(opening, ref),
        **eye_scores(take, ref),
        **head_speed(take),
        "beat_align": m.beat_align(ref.onsets, m.motion_beats_s(take.turns)),
        "seam": m.seam_jump(take.points.flatten(1), borders),
        "seam_head": m.seam_jump(take.turns, borders),
    }


def head_speed(take: Performance) -> Scores:
    """Median and greatest tenth of the head's angular speed, degrees a second; None for a single frame."""
    speed = _speed_deg_s(take)
    if not len(speed):
        return {"speed_median": None, "speed_p90": None}
    return {"speed_median": float(speed.median()), "speed_p90": float(speed.quantile(0.9))}


def _speed_deg_s(take: Performance) -> Tensor:
    return torch.rad2deg(torch.linalg.vector_norm(take.turns.diff(dim=0), dim=-1)) * float(FPS)


def eye_events(take: Performance) -> tuple[list[Blink], Shifts]:
    """Blinks and shifts of gaze."""
    closure = lid_closure(eye_opening(take.points))
    return blinks(closure), gaze_shifts(seen_gaze(gaze(take.points), closure))


def eye_scores(take: Performance, ref: Reference) -> Scores:
    """Counts of blinks and shifts of gaze, in speech and in pauses, with the minutes of each."""
    found, shifts = eye_events(take)
    spoken = sum(bool(ref.speaking[round(b.at_s * FPS)]) for b in found)
    return {
        "blinks": float(len(found)),
        "blinks_speech": float(spoken),
        "blinks_pause": float(len(found) - spoken),
        "blink_s": float(sum(b.duration_s for b in found)),
        "gaze_shifts": float(len(shifts.frames)),
        "gaze_moved_mm": 10 * float(shifts.moved.norm(dim=1).sum()),
        "minutes": len(take) / float(FPS) / 60,
        "minutes_speech": int(ref.speaking.sum()) / float(FPS) / 60,
        "minutes_pause": int((~ref.speaking).sum()) / float(FPS) / 60,
    }


def waiting(take: Performance, reference: Reference) -> dict[str, list[Wait]]:
    """Waits between blinks and between shifts of gaze, for their distributions."""
    a = take.cut(min(len(take), len(reference)))
    found, shifts = eye_events(a)
    events = ([round(b.at_s * FPS) for b in found], shifts.frames)
    return {kind: waits(at, len(a)) for kind, at in zip(WAITS, events, strict=True)}


def closing(opening: Tensor, ref: Reference) -> Scores:
    """How many p, b and m there are and close the lips; and chance: windows of their length anywhere in speech."""
    if not ref.spans:
        return {"closed": None, "instants": None, "closed_anywhere": None}
    talk = ref.speaking.nonzero()[:, 0].tolist()
    length = max(round(sum(b - a for a, b in ref.spans) / len(ref.spans)), 1)
    windows = [(i, i + length) for i in range(talk[0], talk[-1] - length + 2)] if talk else []
    return {
        "closed": float(lip.closures(opening, ref.spans).sum()),
        "instants": float(len(ref.spans)),
        "closed_anywhere": float(lip.closures(opening, windows).float().mean()) if windows else None,
    }


def against_truth(take: Performance, truth: Performance) -> Scores:
    """Scores beside the truth, of equal length."""
    follows = float(lip.mouth_correlation(take.opening, truth.opening))
    # A mouth that never moves is neither early nor late.
    lag = lip.mouth_lag(take.opening, truth.opening) if len(take) >= 20 and follows else None
    return {
        "mouth_correlation": follows,
        "mouth_lag": None if lag is None else float(lag),
        "lmd": float(lip.lmd(take.points, truth.points)),
        "lve_cm": float(lip.lve(take.points, truth.points)),
        "mod_cm": float(lip.mod(take.points, truth.points)),
        "fdd_cm": float(lip.fdd(take.points, truth.points)),
    }


def in_step(take: Performance, truth: Performance, late: float | None) -> float:
    """Mouth correlation with a truth whose picture comes ``late`` frames after its sound, brought into step.

    Offsets of more than `MOST_LATE` frames, and those of clips of less than `LONG_ENOUGH` frames, are taken for the
    sync expert's mistakes: the clip stays as it is.
    """
    if late is None or abs(late) > MOST_LATE or len(truth) < LONG_ENOUGH:
        late = 0.0
    frames = min(len(take), len(truth))
    return float(lip.shifted_correlation(take.opening[:frames], truth.opening[:frames], -round(late)))


def movement_in_gap(opening: Tensor, first: int, gap: int) -> float:
    """Movement of the mouth in an inserted silence, relative to the speech before and after it."""
    talk = torch.ones(len(opening), dtype=torch.bool)
    talk[first : first + gap] = False
    inside = m.silent_frames(talk)
    spoken = float(opening[talk].std(unbiased=False))
    return float(opening[inside].std(unbiased=False)) / spoken if spoken else math.inf


def sync_scores(expert: SyncExpert, features: Tensor, take: Performance, *, valid: bool) -> tuple[Scores, list[float]]:
    """LSE-D, LSE-C, offset, and the distance curve; nothing for clips too short for it.

    Args:
        expert: judges.
        features: of the speech, by the expert's encoder.
        take: what is judged.
        valid: leave out frames in which the tracker saw no face.
    """
    frames = min(len(features), len(take))
    seen = take.motion.valid if valid else None
    try:
        curve = expert.curve(features[:frames], take.motion.values[:frames], None if seen is None else seen[:frames])
    except ConfigError:
        return {"lse_d": None, "lse_c": None, "sync_offset": None, "sync_offset_size": None}, []
    late = offset(curve)
    scores: Scores = {
        "lse_d": lse_d(curve), "lse_c": lse_c(curve), "sync_offset": float(late), "sync_offset_size": float(abs(late)),
    }  # fmt: skip
    return scores, [round(v, 4) for v in curve.tolist()]


def histograms(take: Performance, reference: Reference) -> dict[str, Any]:
    """Counts for the plots: head speed and distances of audio beats to motion beats."""
    frames = min(len(take), len(reference))
    a = take.cut(frames)
    speed = _speed_deg_s(a)
    beats, onsets = m.motion_beats_s(a.turns), reference.onsets
    apart = (onsets[:, None] - beats[None]).abs().amin(1) if len(beats) and len(onsets) else torch.zeros(0)
    return {
        "head_speed": torch.histogram(speed.float().clamp(max=59.99), SPEED_BINS_DEG_S).hist.int().tolist(),
        "beat_distance": torch.histogram(apart.float().clamp(max=0.599), BEAT_BINS_S).hist.int().tolist(),
    }
