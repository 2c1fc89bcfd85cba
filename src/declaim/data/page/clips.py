"""One clip as a card: the picture that plays with its sound, its curves, its flags."""

import base64
import os
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np
import torch

from declaim.data.corpus import ACTIVITY, PICTURE, SPEECH, ClipRecord, Corpus
from declaim.data.page.figures import Curve, Lane, lanes_svg
from declaim.data.prepare.quality import UNUSABLE
from declaim.face.model import FaceModel
from declaim.face.rest import lip_opening
from declaim.face.rotations import yaw_pitch_roll
from declaim.timebase import FPS, duration_s


@dataclass
class Budget:
    """How much of the clips' media goes into the page itself; what does not is linked.

    Attributes:
        file_bytes: a larger file is linked.
        left_bytes: what may still be embedded.
    """

    file_bytes: int
    left_bytes: int
    linked: int = field(default=0)

    def address(self, path: Path, kind: str, page: Path) -> str:
        """A data URI, or the path from the page to the file."""
        size = path.stat().st_size
        if size > min(self.file_bytes, self.left_bytes):
            self.linked += 1
            return Path(os.path.relpath(path.resolve(), page.resolve().parent)).as_posix()
        self.left_bytes -= size
        return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def clip_card(corpus: Corpus, clip: ClipRecord, model: FaceModel, page: Path, budget: Budget) -> str:
    """A clip's card."""
    badges = [flag_badge(flag) for flag in clip.flags]
    if not clip.usable:
        badges.insert(0, '<span class="badge bad">not used</span>')
    words = [clip.name, clip.speaker, clip.source, clip.language or "", clip.licence or "", *_tags(clip)]
    origin = f" · {escape(clip.origin)}" if clip.origin else ""
    return (
        f'<article class="card clip" data-seconds="{duration_s(clip.frames):.2f}" '
        f'data-text="{escape(" ".join(words).lower())}">'
        f'<div><div class="screen">{_screen(corpus, clip, page, budget)}</div></div>'
        f"<div><h3>{escape(clip.name)}</h3><p>{escape(_who(clip))}{origin}</p><div>{''.join(badges)}</div>"
        f"<p>{escape(_measures(clip))}</p>{_curves(corpus, clip, model)}</div></article>"
    )


def flag_badge(flag: str) -> str:
    """Red for what takes a clip out of use, yellow for what only says what to expect."""
    return f'<span class="badge {"bad" if flag in UNUSABLE else "odd"}">{escape(flag)}</span>'


def _tags(clip: ClipRecord) -> list[str]:
    """Words that the filter's buttons ask for."""
    tags = [clip.split, *clip.flags, "used" if clip.usable else "not used"]
    return [f"|{tag}|" for tag in tags]


def _who(clip: ClipRecord) -> str:
    parts = [clip.speaker, clip.split, f"{duration_s(clip.frames):.1f} s", clip.language, clip.licence]
    at = f" from {clip.start_s:.1f} s" if clip.start_s else ""
    return " · ".join([*(part for part in parts if part), f"{clip.source}{at}"])


def _measures(clip: ClipRecord) -> str:
    q = clip.quality
    parts = []
    if q.face_px is not None:
        parts.append(f"face {q.face_px:.0f} px")
    for name, span in (("yaw", q.yaw_deg), ("pitch", q.pitch_deg), ("roll", q.roll_deg)):
        if span is not None:
            parts.append(f"{name} {round(span[0])} to {round(span[1])}°")
    if q.missing:
        parts.append(f"no face in {q.missing:.1%}, at most {q.longest_gap} frames in a row")
    if q.speech_share is not None:
        parts.append(f"speech {q.speech_share:.0%}" + (f" at {q.level_db:.0f} dB" if q.level_db is not None else ""))
    if q.av_offset is not None:
        sure = f" (confidence {q.av_confidence:.2f})" if q.av_confidence is not None else ""
        late = "in step" if q.av_offset == 0 else f"{abs(q.av_offset)} frames {'late' if q.av_offset > 0 else 'early'}"
        parts.append(f"picture {late}{sure}")
    return " · ".join(parts)


def _screen(corpus: Corpus, clip: ClipRecord, page: Path, budget: Budget) -> str:
    video, sound = (corpus.path(clip, key) if key in clip.files else None for key in (PICTURE, SPEECH))
    parts = []
    if video is not None and video.is_file():
        source = escape(budget.address(video, "video/mp4", page))
        parts.append(f'<video src="{source}" preload="metadata" muted playsinline></video>')
    else:
        parts.append('<div class="none">no picture</div>')
    if sound is not None and sound.is_file():
        source = escape(budget.address(sound, "audio/flac", page))
        parts.append(f'<audio src="{source}" preload="none"></audio>')
    if len(parts) > 1 or "<video" in parts[0]:
        parts.append('<button type="button" aria-label="play">▶</button>')
    return "".join(parts)


def _curves(corpus: Corpus, clip: ClipRecord, model: FaceModel) -> str:
    motion = corpus.motion(clip)
    valid = torch.ones(len(motion), dtype=torch.bool) if motion.valid is None else motion.valid
    angles = torch.rad2deg(yaw_pitch_roll(motion["rotation"]))
    opening = 10 * lip_opening(model.points(motion["expression"]))
    seen = valid.numpy()

    def curve(label: str, values: torch.Tensor, colour: str) -> Curve:
        return Curve(label, np.where(seen, values.double().numpy(), np.nan), colour)

    if not seen.any():
        return "<p>The face was seen in no frame.</p>"
    lanes = [
        Lane("mouth opening, mm", [curve("mouth", opening.clamp(min=0), "c1")], 8.0, zero=True),
        Lane(
            "head, degrees",
            [curve(name, angles[:, i], f"c{i + 1}") for i, name in enumerate(("yaw", "pitch", "roll"))],
            10.0,
        ),
    ]
    speaking = corpus.speaking(clip).tolist() if ACTIVITY in clip.files else None
    return lanes_svg(lanes, speaking, seen.tolist(), float(FPS))
