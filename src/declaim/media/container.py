"""Opening media files safely: the content decides what a file is, and every refusal is one clear sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from declaim.errors import DeclaimError, NoPicture, Unreadable

# fmt: off
AUDIO_FORMATS = frozenset((
    "wav", "w64", "aiff", "au", "caf", "flac", "mp3", "aac", "ogg", "amr", "ac3", "eac3", "ape", "wv", "tta", "tak",
    "dts", "dtshd", "truehd", "mpc", "mpc8", "voc", "qoa", "dsf",
))
VIDEO_FORMATS = frozenset((
    "mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "asf", "dv", "gif", "apng", "mjpeg", "m4v",
    "h264", "hevc", "ivf", "obu", "rm", "nut", "mxf", "swf", "wtv", "yuv4mpegpipe",
))
# fmt: on

LONGEST_STEP_BACK_S = 1
"""Time stamps that fall back further than this were reset: what follows is joined on, not dropped."""
_LONGEST_GAP_S = Fraction(60)


def check_is_file(path: Path) -> None:
    """Refuse what is no readable, non-empty file.

    Raises:
        Unreadable: ``path`` is missing, a folder, empty, not a regular file, or may not be read.
    """
    try:
        if path.is_dir():
            raise Unreadable(f"cannot read {path}: it is a folder; give a file")
        if not path.exists():
            raise Unreadable(f"cannot read {path}: there is no such file")
        if not path.is_file():
            raise Unreadable(f"cannot read {path}: it is not a regular file")
        if path.stat().st_size == 0:
            raise Unreadable(f"cannot read {path}: the file is empty (0 bytes)")
        with path.open("rb"):
            pass
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:  # a null character in the name
        raise Unreadable(f"cannot read {str(path)!r}: {error}") from error


@contextmanager
def open_media(path: Path) -> Iterator[Any]:
    """Open an audio or video file for reading; only the local file itself is ever opened.

    Playlists, text shown as pictures (FFmpeg's ``tty``) and stills are refused although FFmpeg would open them.

    Raises:
        Unreadable: not a file, or no audio or video in a format known here.
    """
    check_is_file(path)
    try:
        # "file:" keeps names with a colon from being taken for addresses.
        container = av.open(f"file:{path}", metadata_errors="replace", container_options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        raise Unreadable(f"cannot read {path}: {_why(error)}") from error
    try:
        names = set(container.format.name.split(","))
        if not names & (AUDIO_FORMATS | VIDEO_FORMATS):
            raise Unreadable(f"cannot read {path}: its content is no audio or video that declaim knows")
        yield container
    except DeclaimError:
        raise
    except av.FFmpegError as error:
        raise Unreadable(f"cannot read {path}: {_why(error)}") from error
    finally:
        container.close()


def _why(error: Exception) -> str:
    """The reason in plain words; FFmpeg's own text where it helps."""
    if isinstance(error, av.error.DecoderNotFoundError):
        return "its sound or picture is coded in a way that this build cannot decode"
    if isinstance(error, av.error.InvalidDataError):
        return "it is no audio or video file, or it is corrupt or cut off before its index"
    return str(getattr(error, "strerror", None) or error)


def picture_stream(container: Any) -> Any | None:
    """The main video stream; cover art of a music file does not count."""
    cover = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    moving = [s for s in container.streams.video if not s.disposition & cover and s.codec_context is not None]
    best = container.streams.best("video")
    return best if best in moving else next(iter(moving), None)


def sound_stream(container: Any) -> Any | None:
    """The main audio stream."""
    known = [s for s in container.streams.audio if s.codec_context is not None]
    best = container.streams.best("audio")
    return best if best in known else next(iter(known), None)


def decoded(container: Any, stream: Any, damage: list[str]) -> Iterator[Any]:
    """Decoded frames of one stream; damaged packets are skipped and noted in ``damage``."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError as error:
            damage.append(str(error))
            packet = None
        if packet is None:  # the file cannot be read further: what the decoder holds is still good
            yield from _decode(stream.codec_context.decode, None, damage)
            return
        yield from _decode(stream.codec_context.decode, packet, damage)


def _decode(decode: Any, packet: Any, damage: list[str]) -> Iterator[Any]:
    try:
        yield from decode(packet)
    except av.error.EOFError:
        return
    except av.FFmpegError as error:
        damage.append(str(error))


def frame_time(frame: Any) -> Fraction | None:
    """Presentation time of a decoded frame in seconds on the file's own clock."""
    stamp = frame.pts if frame.pts is not None else frame.dts
    return None if stamp is None or frame.time_base is None else stamp * Fraction(frame.time_base)


def longest_gap(container: Any) -> Fraction:
    """A jump of time stamps beyond this many seconds is a fault of the file, not a pause."""
    if container.format.name in ("mpegts", "mpeg"):  # no header: FFmpeg takes the jump itself for the length
        return _LONGEST_GAP_S
    return max(Fraction(container.duration or 0, 1_000_000), _LONGEST_GAP_S)


def first_picture_time(path: Path) -> Fraction | None:
    """Time of the first picture that can be shown, in seconds; None without a picture."""
    with open_media(path) as container:
        stream = picture_stream(container)
        if stream is None:
            return None
        for frame in decoded(container, stream, []):
            return frame_time(frame)
    return None


def require_picture(container: Any, path: Path) -> Any:
    """The main video stream.

    Raises:
        NoPicture: the file has none.
    """
    stream = picture_stream(container)
    if stream is None:
        what = "sound but no moving picture" if container.streams.audio else "no moving picture"
        raise NoPicture(f"{path} has {what}; give a video")
    return stream
