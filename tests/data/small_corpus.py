"""A corpus made of nothing: smooth motion, tones and small pictures, in the format that `declaim prepare` writes."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from declaim.data.corpus import (
    ACTIVITY,
    CLIPS_FILE,
    CLIPS_FOLDER,
    MOTION,
    PICTURE,
    REFUSED_FILE,
    SPEECH,
    ClipRecord,
    Corpus,
    CorpusInfo,
    Quality,
    Refusal,
    features_key,
    file_entry,
    write_info,
    write_lines,
)
from declaim.media import write_audio, write_video
from declaim.pretrained import save_tensors
from declaim.types import Frames, Speech

ENCODER = "whisper-tiny.en"


def write_corpus(folder: Path, speakers: tuple[str, ...] = ("ann", "bob", "cid"), per_speaker: int = 2) -> Corpus:
    """The last speaker is in ``eval``; the first clip of the first has no picture and is not usable."""
    records = []
    for s, speaker in enumerate(speakers):
        for n in range(per_speaker):
            odd = s == 0 and n == 0
            split = "eval" if s == len(speakers) - 1 else "train"
            records.append(_clip(folder, f"{speaker}_{n}", speaker, split, 30 + 10 * n, odd))
    write_info(folder, CorpusInfo(encoder=ENCODER, made_by="a test"))
    write_lines(folder / CLIPS_FILE, records)
    write_lines(folder / REFUSED_FILE, [Refusal(source="walls.mp4", reason="no face was found in any of its frames")])
    return Corpus(folder)


def _clip(folder: Path, name: str, speaker: str, split: str, frames: int, odd: bool) -> ClipRecord:
    place = folder / CLIPS_FOLDER / name
    place.mkdir(parents=True)
    time = torch.arange(frames) / 25
    motion = torch.zeros(frames, 70)
    motion[:, 0] = 2 * torch.sin(2 * math.pi * 3 * time)
    motion[:, 64] = 0.2 * torch.sin(2 * math.pi * 0.5 * time)
    motion[:, 69] = -50
    valid = torch.ones(frames, dtype=torch.bool)
    valid[5:8] = False
    features = features_key(ENCODER)
    save_tensors(place / "motion.safetensors", {"motion": motion, "valid": valid})
    save_tensors(place / "activity.safetensors", {"speaking": time % 0.8 < 0.5})
    save_tensors(place / f"{features}.safetensors", {"features": torch.randn(frames, 8).half()})
    samples = 0.1 * torch.sin(2 * math.pi * 220 * torch.arange(frames * 640) / 16_000)
    write_audio(place / "speech.flac", Speech(samples, 16_000))
    files = {
        MOTION: "motion.safetensors", ACTIVITY: "activity.safetensors", features: f"{features}.safetensors",
        SPEECH: "speech.flac",
    }  # fmt: skip
    if not odd:
        shade = np.linspace(40, 200, frames).astype(np.uint8)
        images = np.broadcast_to(shade[:, None, None, None], (frames, 64, 64, 3)).copy()
        write_video(place / "picture.mp4", [Frames(images, Fraction(25))])
        files[PICTURE] = "picture.mp4"
    return ClipRecord(
        name=name,
        speaker=speaker,
        split=split,
        language="en",
        licence="CC0",
        source=f"{speaker}/{name}.mkv",
        frames=frames,
        files={key: file_entry(folder, place / file) for key, file in sorted(files.items())},
        quality=Quality(
            face_px=90.0 + frames, yaw_deg=(-8.0, 9.5), pitch_deg=(-11.5, 11.5), roll_deg=(-1.0, 1.0),
            missing=3 / frames, longest_gap=3, speech_share=0.62, level_db=-23.0, av_offset=1, av_confidence=0.8,
        ),
        flags=("several faces", "small face") if odd else (),
        usable=not odd,
    )  # fmt: skip
