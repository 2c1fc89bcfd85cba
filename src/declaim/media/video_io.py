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

from declaim.errors import ConfigError, DeclaimWarning, Unreadable
from declaim.media.container import (
    LONGEST_STEP_BACK_S,
    decoded,
    frame_time,
    longest_gap,
    open_media,
    picture_stream,
    require_picture,
    sound_stream,
)
from declaim.media.declared import stream_end
from declaim.media.upright import Picture, Upright, display_turn
from declaim.timebase import FPS
from declaim.types import Frames

_RUN_BYTES = 12 * 2**20
_RUN_FRAMES = 16
"""Frames come in runs of at most this many frames and bytes (but at least one frame)."""
_TICK_S = Fraction(1, 1000)
"""Matroska rounds times to milliseconds: a picture up to one tick (at most this) late counts as in time."""
_SHORTFALL_S = Fraction(1, 2)


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
        width, height = Upright(path, picture).size(frame)
        degrees = display_turn(frame).quarters * 90
        return MediaInfo(float(seconds), _rate(picture), width, height, degrees, True, has_audio=sound is not None)


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
        timed = _Timed(stream, longest_gap(container))
        pictures = _repeated(
            timed.shown(decoded(container, stream, damage)), fps, Upright(path, stream, max_side), stream
        )
        yield from _runs(pictures, rate)
    end = timed.end
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
            return Upright(path, stream)(frame)
    raise Unreadable(f"cannot read {path}: its picture is corrupt, nothing of it could be decoded")


@dataclass(frozen=True)
class _Shown:
    """A decoded picture and when it is on screen: from ``start`` until ``stop``, seconds after the first picture."""

    frame: Any
    start: Fraction
    stop: Fraction


class _Timed:
    """Gives every picture its stretch of time.

    Attributes:
        end: when the last picture so far ends, in seconds after the first picture.
    """

    def __init__(self, stream: Any, longest_gap: Fraction) -> None:
        self.end = Fraction(0)
        self._step = 1 / (_rate(stream) or FPS)
        self._longest_gap = longest_gap
        self._origin: Fraction | None = None

    def shown(self, frames: Iterator[Any]) -> Iterator[_Shown]:
        """Pictures in order; one that is due before its predecessor is dropped."""
        held, start = None, Fraction(0)
        for frame in frames:
            now = self._time(frame, start + self._step if held is not None else start)
            if held is not None and now <= start:
                continue
            if held is not None:
                self.end = now
                yield _Shown(held, start, now)
            held, start = frame, now
        if held is not None:
            own = Fraction(getattr(held, "duration", 0) or 0) * Fraction(held.time_base or 0)
            self.end = start + (own if 0 < own <= 10 else self._step)
            yield _Shown(held, start, self.end)

    def _time(self, frame: Any, due: Fraction) -> Fraction:
        """Seconds after the first picture; ``due`` where the file says nothing or its clock was reset."""
        time = frame_time(frame)
        if time is None:
            return due
        if self._origin is None:
            self._origin = time
        if not -LONGEST_STEP_BACK_S <= time - self._origin - due <= self._longest_gap:
            self._origin = time - due
        return time - self._origin


def _repeated(shown: Iterator[_Shown], fps: Fraction | None, upright: Upright, stream: Any) -> Iterator[Picture]:
    """Every picture as often as it is due at ``fps``: for every i with start <= i / fps < stop; or once."""
    late = min(Fraction(stream.time_base or _TICK_S), _TICK_S)
    for each in shown:
        first, last = (0, 1) if fps is None else (ceil((time - late) * fps) for time in (each.start, each.stop))
        if last > first:
            picture = upright(each.frame)
            for _ in range(first, last):
                yield picture


def _runs(pictures: Iterator[Picture], fps: Fraction) -> Iterator[Frames]:
    """Pictures in runs, each in an array of its own."""
    run, n = np.zeros((0, 0, 0, 3), np.uint8), 0
    for picture in pictures:
        if n == len(run):
            run, n = np.empty((max(min(_RUN_BYTES // picture.nbytes, _RUN_FRAMES), 1), *picture.shape), np.uint8), 0
        run[n] = picture
        n += 1
        if n == len(run):
            yield Frames(run, fps)
    if 0 < n < len(run):
        yield Frames(run[:n], fps)


def _rate(stream: Any) -> Fraction | None:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return Fraction(rate) if rate else None


def _warn(path: Path, damage: list[str], end: Fraction, declared: Fraction | None) -> None:
    if declared is not None and end < declared - _SHORTFALL_S:
        text = f"{path} is cut off: {float(end):.2f} s of picture could be read, it declares {float(declared):.2f} s"
    elif damage:
        text = f"{path} is damaged: {len(damage)} packets were skipped, {float(end):.2f} s of picture could be read"
    else:
        return
    warnings.warn(text, DeclaimWarning, stacklevel=3)
