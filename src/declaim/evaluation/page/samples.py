"""The clips that the page shows: their curves beside the truth's, and side-by-side videos."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from declaim.data.corpus import PICTURE, SPEECH, ClipRecord
from declaim.errors import DeclaimError
from declaim.evaluation.judging.performance import Performance, Reference
from declaim.evaluation.judging.pictures import Gallery
from declaim.evaluation.judging.playing import Stage
from declaim.face.tracker import FaceTracker
from declaim.media import read_frames, write_video
from declaim.render.portrait import load_portrait
from declaim.timebase import samples_in
from declaim.types import Frames, OnStep, Portrait, Speech

CURVES, VIDEOS = 6, 6
"""Clips whose curves, and whose videos, are shown: of so many speakers."""
VIDEO_PX = 256
LONGEST_FRAMES = 200
"""Videos end after eight seconds."""
CRF = 26
"""Quality of the videos: six of them stay far below the page's limit."""


@dataclass(frozen=True, eq=False)
class Course:
    """One performance over time.

    Attributes:
        opening: of the mouth, cm.
        turns: head rotation around its mean, degrees (nod, turn, tilt).
    """

    opening: Float[Tensor, " frames"]
    turns: Float[Tensor, "frames 3"]

    @classmethod
    def of(cls, performance: Performance) -> "Course":
        """Of a performance."""
        return cls(performance.opening, torch.rad2deg(performance.turns))


@dataclass(frozen=True, eq=False)
class Sample:
    """One clip's curves.

    Attributes:
        name: the clip's.
        speaker: who speaks.
        speaking: runs of frames with speech.
        spans: frames of p, b and m.
        truth: the tracked truth.
        takes: by method.
    """

    name: str
    speaker: str
    speaking: list[tuple[int, int]]
    spans: list[tuple[int, int]]
    truth: Course
    takes: dict[str, list[Course]]


def spread_clips(clips: Sequence[ClipRecord], count: int) -> list[ClipRecord]:
    """The first clips of ``count`` speakers, evenly over those (GRID, whose speakers are alike, gives at most two)."""
    first: dict[str, ClipRecord] = {}
    for clip in clips:
        first.setdefault(clip.speaker, clip)
    grid = [clip for clip in first.values() if "grid" in clip.speaker.lower()]
    others = [clip for clip in first.values() if clip not in grid]
    few = grid[: max(2, count - len(others))]
    wanted = min(count - len(few), len(others))
    picks = [others[i] for i in np.linspace(0, len(others) - 1, wanted).round().astype(int)] if wanted > 0 else []
    return [*picks, *few][:count]


def samples(stage: Stage, count: int = CURVES) -> list[Sample]:
    """The curves of some clips, of every method and seed."""
    found = []
    for clip in spread_clips(stage.clips, count):
        reference = Reference.of(stage.corpus, clip, stage.model)
        takes = {
            actor.rows[0].key: [
                Course.of(Performance.of(stage.take(actor, clip, seed), stage.model).cut(len(reference)))
                for seed in stage.protocol.seeds
            ]
            for actor in stage.shown
        }
        edges = torch.nn.functional.pad(reference.speaking.int(), (1, 1)).diff()
        runs = zip((edges == 1).nonzero()[:, 0].tolist(), (edges == -1).nonzero()[:, 0].tolist(), strict=True)
        spans = reference.spans or []
        found.append(Sample(clip.name, clip.speaker, list(runs), spans, Course.of(reference.truth), takes))
    return found


def videos(gallery: Gallery, on_step: OnStep | None = None) -> list[tuple[str, str]]:
    """Side-by-side videos with sound, as (caption, data address): the clip, every method's first take, held still.

    Args:
        gallery: renderer, clips and methods.
        on_step: called with (videos done, videos in all).
    """
    stage, found = gallery.stage, []
    chosen = spread_clips(stage.clips, VIDEOS)
    titles = ["real", *(actor.name for actor in stage.shown), "held still"]
    for done, clip in enumerate(chosen):
        path = stage.store.path(
            "videos", ".mp4", picture=clip.files[PICTURE].sha256, speech=clip.files[SPEECH].sha256,
            methods=[a.depends(clip) for a in stage.shown], seed=stage.protocol.seeds[0],
            renderer=gallery.name, size=VIDEO_PX, frames=LONGEST_FRAMES, crf=CRF,
        )  # fmt: skip
        try:
            if not path.is_file():
                _write(gallery, clip, path)
            found.append((f"{clip.speaker}: {' | '.join(titles)}", as_address(path, "video/mp4")))
        except DeclaimError:  # no usable portrait in this clip: the others are shown
            continue
        finally:
            if on_step:
                on_step(done + 1, len(chosen))
    return found


def as_address(path: Path, kind: str) -> str:
    """A file as a ``data:`` address."""
    return f"data:{kind};base64,{b64encode(path.read_bytes()).decode()}"


def _write(gallery: Gallery, clip: ClipRecord, path: Path) -> None:
    stage = gallery.stage
    video = stage.corpus.path(clip, PICTURE)
    first = next(iter(read_frames(video))).images[0]
    with FaceTracker() as tracker:
        portrait = load_portrait(_sized(first), face="largest", model=stage.model, tracker=tracker)
    speech = stage.corpus.speech(clip)
    frames = min(clip.frames, speech.n_frames, LONGEST_FRAMES)
    takes = [stage.take(actor, clip, stage.protocol.seeds[0]).frames(0, frames) for actor in stage.shown]
    drawn = [_pictures(gallery.renderer.render(portrait, take, "rest")) for take in takes]
    columns = [_truth(video), *drawn, _still(portrait, frames)]
    sound = Speech(speech.samples[: samples_in(frames)], speech.sample_rate)
    rows = zip(*columns, strict=False)
    write_video(path, (Frames(np.concatenate(row, axis=1)[None]) for row in rows), sound, frames, crf=CRF)


def _truth(video: Path) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    return (_sized(image) for run in read_frames(video) for image in run.images)


def _pictures(runs: Iterator[Frames]) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    return (image.copy() for run in runs for image in run.images)


def _still(portrait: Portrait, frames: int) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    return (portrait.image for _ in range(frames))


def _sized(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "side side 3"]:
    if image.shape[:2] == (VIDEO_PX, VIDEO_PX):
        return np.ascontiguousarray(image)
    kind = cv2.INTER_AREA if image.shape[0] > VIDEO_PX else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(image), (VIDEO_PX, VIDEO_PX), interpolation=kind))
