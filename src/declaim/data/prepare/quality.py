"""What is odd about a clip, measured on its finished files."""

import math
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.assets import shipped
from declaim.audio.prosody import frame_levels_db, level_db
from declaim.data.corpus import ACTIVITY, MOTION, SPEECH, Quality, features_key, file_entry
from declaim.data.prepare.options import PrepareOptions
from declaim.data.prepare.stages import stage_file
from declaim.errors import DeclaimError
from declaim.face.layouts import FACE64
from declaim.face.rotations import yaw_pitch_roll
from declaim.face.smoothing import longest_gap
from declaim.media import read_audio
from declaim.pretrained import WEIGHTS_FILE, load_tensors
from declaim.sync import SyncExpert
from declaim.timebase import SAMPLE_RATE

JUDGES_VERSION = 3
"""Raised whenever clips are judged otherwise; the judgement alone is then made anew, not the clips."""
SMALL_FACE_PX = 64
"""Below this height the tracker's jitter is a fifth of what expressions are."""
TURNED_DEG = 35.0
"""Beyond this the far half of the face is guessed."""
TURNED_SHARE = 0.2
"""Share of turned frames from which the clip is flagged."""
MISSING_SHARE, LONG_GAP = 0.05, 12
"""Share of frames without a face, and of frames in a row, from which gaps are flagged."""
UNSEEN_SHARE = 0.2
"""Share of frames without a face from which a clip is not usable."""
QUIET_SHARE = 0.1
"""Clips in which less than this share of the frames holds speech say nothing."""
RIVAL_SHARE = 0.1
"""Share of the time with a second face of similar size from which nobody knows who speaks."""
STEADY_DB = 10.0
"""Speech pauses, music and noise do not. Between quietest and loudest tenth of their 20 ms pieces, all 575 clips
of talking footage of the open set hold 10.9 dB or more, half of them 30; six sound tracks under people who do not speak
7, 8, 9.5, 16, 17 and 26: so this finds half of the music, and takes no speech for it."""
LEAST_FPS = 15.0
"""Motion from fewer pictures a second is stairs."""
OUT_OF_STEP, SURE, LONG_ENOUGH = 2, 0.2, 100
"""Frames of audio-visual offset that are flagged, least confidence of the sync expert, and least frames of the clip: in
clips of three seconds that are in step, the best offset is far off now and then, and looks sure."""

UNUSABLE = frozenset(("no sound", "no speech", "several faces", "face rarely seen", "low frame rate", "music or noise"))
"""Flags that take a clip out of training and evaluation; the others only say what to expect."""


@cache
def sync_expert() -> SyncExpert | None:
    """The sync expert that ships with declaim; None if none does."""
    try:
        return SyncExpert.from_pretrained()
    except (DeclaimError, OSError):
        return None


@cache
def judges() -> str:
    """Changes with the rules and the networks by which clips are judged."""
    expert = "no sync expert"
    if sync_expert() is not None:
        folder = shipped("sync-expert")
        expert = file_entry(folder, folder / WEIGHTS_FILE).sha256
    return f"{JUDGES_VERSION}, {expert}"


def judge(
    folder: Path, options: PrepareOptions, *, face_px: float, rivals: float, source_fps: float, damaged: bool
) -> tuple[Quality, tuple[str, ...]]:
    """Measures and flags of a clip whose files are all there.

    Args:
        folder: the clip's.
        options: encoder.
        face_px: height of the face in the source.
        rivals: share of the time in which another face is about as tall.
        source_fps: pictures a second in the source.
        damaged: whether the source could be read in part only.
    """
    motion = load_tensors(stage_file(folder, MOTION))
    values, valid = motion["motion"], motion["valid"].bool()
    angles = torch.rad2deg(yaw_pitch_roll(values[valid][:, FACE64.part("rotation").columns]))
    turned = float((angles[:, 0].abs() > TURNED_DEG).float().mean())
    missing, gap = float((~valid).float().mean()), longest_gap(valid)
    quality = Quality(
        face_px=round(face_px, 1),
        yaw_deg=_range(angles[:, 0]),
        pitch_deg=_range(angles[:, 1]),
        roll_deg=_range(angles[:, 2]),
        missing=round(missing, 4),
        longest_gap=gap,
        **_sound_measures(folder, options, values, valid),
    )
    found = {
        "small face": face_px < SMALL_FACE_PX,
        "turned head": turned > TURNED_SHARE,
        "tracking gaps": missing > MISSING_SHARE or gap > LONG_GAP,
        "face rarely seen": missing > UNSEEN_SHARE,
        "several faces": rivals > RIVAL_SHARE,
        "no sound": quality.speech_share is None,
        "no speech": quality.speech_share is not None and quality.speech_share < QUIET_SHARE,
        "music or noise": quality.level_range_db is not None and 0.0 < quality.level_range_db < STEADY_DB,
        "low frame rate": source_fps < LEAST_FPS,
        "damaged file": damaged,
        "out of step": quality.av_offset is not None
        and abs(quality.av_offset) >= OUT_OF_STEP
        and (quality.av_confidence or 0.0) >= SURE
        and len(valid) >= LONG_ENOUGH,
    }
    return quality, tuple(flag for flag, holds in found.items() if holds)


def _sound_measures(
    folder: Path, options: PrepareOptions, values: Tensor, valid: Tensor
) -> dict[str, float | int | None]:
    if not stage_file(folder, SPEECH).is_file():
        return {}
    speaking = load_tensors(stage_file(folder, ACTIVITY))["speaking"].bool()
    samples = read_audio(stage_file(folder, SPEECH)).samples
    levels = frame_levels_db(samples)[: len(speaking)]
    heard = levels[speaking[: len(levels)]]
    features = load_tensors(stage_file(folder, features_key(options.encoder)))["features"].float()
    offset, confidence = _offset(features, values, valid, options.encoder)
    return {
        "speech_share": round(float(speaking.float().mean()), 4),
        "level_range_db": round(level_range_db(samples), 1),
        "level_db": round(float(heard.mean()), 1) if len(heard) else None,
        "av_offset": offset,
        "av_confidence": confidence,
    }


def level_range_db(samples: Float[Tensor, " samples"]) -> float:
    """Difference in level between the loudest and the quietest tenth of the 20 ms pieces of 16 kHz ``samples``."""
    return range_of_levels(piece_levels_db(samples))


def piece_levels_db(samples: Float[Tensor, " samples"]) -> Float[Tensor, " pieces"]:
    """Level of every whole 20 ms of 16 kHz ``samples``."""
    piece = SAMPLE_RATE // 50
    return level_db(samples[: len(samples) // piece * piece].view(-1, piece))


def range_of_levels(levels: Float[Tensor, " pieces"]) -> float:
    """Difference between the loudest and the quietest tenth."""
    return float(torch.quantile(levels, 0.9) - torch.quantile(levels, 0.1))


def _offset(features: Tensor, values: Tensor, valid: Tensor, encoder: str) -> tuple[int | None, float | None]:
    expert = sync_expert()
    if expert is None or expert.config.encoder != encoder:
        return None, None
    try:
        offset, confidence = expert.offset(features, values, valid)
    except DeclaimError:  # too short, or the face is seen too rarely
        return None, None
    return offset, None if math.isnan(confidence) else round(confidence, 3)


def _range(degrees: Tensor) -> tuple[float, float] | None:
    return (round(float(degrees.min()), 1), round(float(degrees.max()), 1)) if len(degrees) else None
