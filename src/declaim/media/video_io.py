"""Pictures in: any common video to RGB frames at an exact rate, upright, in constant memory.

Time zero is the first picture. At the rate ``fps`` output frame ``i`` is the picture that is on screen at time
``i / fps`` (hold: the latest picture whose presentation time has come), so variable frame rates come out exact and
in step with ``read_audio``. Display rotation and mirroring are undone, non-square pixels are made square.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from declaim.errors import ConfigError, DeclaimWarning, Unreadable
from declaim.media.container import (
    decoded,
    frame_time,
    open_media,
    picture_stream,
    require_picture,
    sound_stream,
)
from declaim.media.declared import stream_end
from declaim.timebase import FPS
from declaim.types import Frames

Picture = UInt8[np.ndarray, "_ _ 3"]

_RUN_BYTES = 24 * 2**20
_RUN_FRAMES = 32
"""Frames come in runs of at most this many frames and bytes (but at least one frame)."""
_TICK_S = Fraction(1, 1000)
"""Matroska rounds times to milliseconds: a picture up to one tick (at most this) late counts as in time."""
_SHORTFALL_S = Fraction(1, 2)
_BT601, _BT709 = 5, 1
_BILINEAR, _AREA = (0x2 | 0x40000 | 0x2000, 0x20 | 0x40000 | 0x2000)
"""swscale with exact rounding and full chroma; its fast path is 1/255 too dark and skips chroma interpolation."""


@dataclass(frozen=True)
class MediaInfo:
    """What a media file holds.

    Attributes:
        duration_s: of the picture if there is one, else of the sound; as the file declares it, 0 if it does not.
        fps: average frame rate; None without a picture.
        width: of the upright picture in square pixels; 0 without a picture.
        height: likewise.
        rotation: degrees, clockwise, by which the stored picture is turned for display (0, 90, 180, 270).
        has_video: whether there is a moving picture.
        has_audio: whether there is sound.
    """

    duration_s: float
    fps: Fraction | None
    width: int
    height: int
    rotation: int
    has_video: bool
    has_audio: bool


def probe(path: str | Path) -> MediaInfo:
    """Look at a media file without decoding it all.

    Raises:
        Unreadable: the file is missing, empty, corrupt or no audio or video.
    """
    path = Path(path)
    with open_media(path) as container:
        picture, sound = picture_stream(container), sound_stream(container)
        main = picture or sound
        if main is None:
            raise Unreadable(f"cannot read {path}: it holds neither picture nor sound that can be decoded")
        end = stream_end(container, main)
        if end is None:
            seconds = Fraction(container.duration or 0, 1_000_000)
        else:
            seconds = end - (main.start_time or 0) * Fraction(main.time_base or 0)
        if picture is None:
            return MediaInfo(float(seconds), None, 0, 0, 0, False, True)
        frame = next(decoded(container, picture, []), None)
        if frame is None:
            raise Unreadable(f"cannot read {path}: its picture is corrupt, nothing of it could be decoded")
        width, height = _upright_size(frame, picture, None)
        turn = _display_turn(frame)
        return MediaInfo(
            float(seconds), _rate(picture), width, height, turn.degrees, has_video=True, has_audio=sound is not None
        )


def read_frames(path: str | Path, fps: Fraction | None = FPS, max_side: int | None = None) -> Iterator[Frames]:
    """Read the pictures of a video as runs of upright RGB frames.

    Args:
        path: mp4, mov, mkv, webm, avi, ...; the content decides, not the name.
        fps: exact rate of the result, by hold; None yields every picture once, whatever the rate.
        max_side: larger pictures are scaled down so that the longer side has this many pixels.

    Yields:
        Runs of consecutive frames, all of one size.

    Raises:
        Unreadable: the file is missing, empty, corrupt or of another kind.
        NoPicture: it has no moving picture.

    Warns:
        DeclaimWarning: the file is damaged or cut off.
    """
    if fps is not None and fps <= 0:
        raise ConfigError(f"frame rate must be positive, not {fps}")
    if max_side is not None and max_side < 1:
        raise ConfigError(f"max_side must be at least 1 pixel, not {max_side}")
    path = Path(path)
    damage: list[str] = []
    with open_media(path) as container:
        stream = require_picture(container, path)
        stream.thread_type = "AUTO"
        rate = fps or _rate(stream) or FPS
        declared = stream_end(container, stream)
        if declared is not None:
            declared -= (stream.start_time or 0) * Fraction(stream.time_base or 0)
        end = Fraction(0)
        run: list[Picture] = []
        for shown in _timed(decoded(container, stream, damage), stream):
            end = shown.stop
            for picture in _repeated(shown, fps, stream, max_side):
                run.append(picture)
                if len(run) >= _RUN_FRAMES or len(run) * picture.nbytes >= _RUN_BYTES:
                    yield Frames(np.stack(run), rate)
                    run = []
        if run:
            yield Frames(np.stack(run), rate)
    if not end:
        raise Unreadable(f"cannot read {path}: its picture is corrupt, nothing of it could be decoded")
    _warn(path, damage, end, declared)


def first_frame(path: str | Path) -> Picture:
    """The first picture of a video, upright, RGB.

    Raises:
        Unreadable, NoPicture: as ``read_frames``.
    """
    path = Path(path)
    with open_media(path) as container:
        stream = require_picture(container, path)
        for frame in decoded(container, stream, []):
            return _upright(frame, stream, None)
    raise Unreadable(f"cannot read {path}: its picture is corrupt, nothing of it could be decoded")


@dataclass(frozen=True)
class _Shown:
    """A decoded picture and when it is on screen: from ``start`` until ``stop``, seconds after the first picture."""

    frame: Any
    start: Fraction
    stop: Fraction


def _timed(frames: Iterator[Any], stream: Any) -> Iterator[_Shown]:
    """Give every picture its stretch of time; pictures that come too late in the file are dropped."""
    step = 1 / (_rate(stream) or FPS)
    origin: Fraction | None = None
    held, start = None, Fraction(0)
    for frame in frames:
        time = frame_time(frame)
        if origin is None:
            origin = time or Fraction(0)
        now = time - origin if time is not None else start + (step if held is not None else 0)
        if held is not None:
            if now <= start:
                continue
            yield _Shown(held, start, now)
            step_seen = now - start
            step = min(step_seen, Fraction(1)) if not _rate(stream) else step
        held, start = frame, now
    if held is not None:
        own = Fraction(getattr(held, "duration", 0) or 0) * Fraction(held.time_base or 0)
        yield _Shown(held, start, start + (own if 0 < own <= 10 else step))


def _repeated(shown: _Shown, fps: Fraction | None, stream: Any, max_side: int | None) -> Iterator[Picture]:
    """The picture as often as it is due at ``fps``: for every i with start <= i / fps < stop."""
    if fps is None:
        yield _upright(shown.frame, stream, max_side)
        return
    late = min(Fraction(stream.time_base or _TICK_S), _TICK_S)
    first, last = (ceil((time - late) * fps) for time in (shown.start, shown.stop))
    if last > first:
        picture = _upright(shown.frame, stream, max_side)
        for _ in range(first, last):
            yield picture


def _rate(stream: Any) -> Fraction | None:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return Fraction(rate) if rate else None


@dataclass(frozen=True)
class _Turn:
    """How the stored picture is turned for display: quarter turns clockwise after an optional left-right mirror."""

    quarters: int
    mirrored: bool

    @property
    def degrees(self) -> int:
        return self.quarters * 90

    def apply(self, image: Picture) -> Picture:
        if self.mirrored:
            image = image[:, ::-1]
        return np.ascontiguousarray(np.rot90(image, -self.quarters))


def _display_turn(frame: Any) -> _Turn:
    """Read the display matrix (16.16 fixed point, row vectors: x' = a x + c y, y' = b x + d y, y down)."""
    for side in frame.side_data:
        if side.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = (int(v) for v in np.frombuffer(bytes(side), np.int32)[:5])
            mirrored = a * d - b * c < 0
            if mirrored:  # undo a mirror along x first: stored x -> -x
                a, b = -a, -b
            quarters = round(float(np.arctan2(b, a)) / (np.pi / 2)) % 4
            return _Turn(quarters, mirrored)
    return _Turn(0, False)


def _upright_size(frame: Any, stream: Any, max_side: int | None) -> tuple[int, int]:
    width, height = _stored_size(frame, stream, max_side)
    return (height, width) if _display_turn(frame).quarters % 2 else (width, height)


def _stored_size(frame: Any, stream: Any, max_side: int | None) -> tuple[int, int]:
    """Width and height before turning, with square pixels, at most ``max_side``."""
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    width = frame.width if not Fraction(1, 10) < aspect < 10 else max(round(frame.width * aspect), 1)
    height = int(frame.height)
    longest = max(width, height)
    if max_side is not None and longest > max_side:
        width, height = (max(round(side * max_side / longest), 1) for side in (width, height))
    return width, height


def _upright(frame: Any, stream: Any, max_side: int | None) -> Picture:
    """A decoded frame as a contiguous upright RGB array.

    Untagged colours are BT.709 from 720 lines up and BT.601 below, as players take them.
    """
    width, height = _stored_size(frame, stream, max_side)
    if frame.colorspace in (0, 2) and not frame.format.is_rgb:
        frame.colorspace = _BT709 if frame.height >= 720 else _BT601
    scaled = (width, height) != (frame.width, frame.height)
    flags = _AREA if scaled else _BILINEAR
    rgb = frame.reformat(width, height, "rgb24", interpolation=flags, dst_color_range="JPEG", threads=1)
    # Rows of a plane are padded to the alignment of the CPU: never take the plane's bytes as they are.
    return _display_turn(frame).apply(np.ascontiguousarray(rgb.to_ndarray()))


def _warn(path: Path, damage: list[str], end: Fraction, declared: Fraction | None) -> None:
    if declared is not None and end < declared - _SHORTFALL_S:
        text = f"{path} is cut off: {float(end):.2f} s of picture could be read, it declares {float(declared):.2f} s"
    elif damage:
        text = f"{path} is damaged: {len(damage)} packets were skipped, {float(end):.2f} s of picture could be read"
    else:
        return
    warnings.warn(text, DeclaimWarning, stacklevel=3)
