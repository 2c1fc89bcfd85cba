"""What a media file's header promises, to tell a whole file from one that was cut off."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av

_NO_LENGTH = frozenset(("aac", "ac3", "eac3", "amr", "mpegts", "mpeg", "h264", "hevc", "m4v", "mjpeg"))
_UNKNOWN_RIFF_SIZE = 0x7FFF_0000
"""Programs that write WAV to a pipe leave sizes from here up (or 0) for "unknown"."""


def stream_end(container: Any, stream: Any) -> Fraction | None:
    """When ``stream`` ends by the file's header, in seconds on the file's own clock; None where that is not known.

    Estimates from the bit rate (MP3 without a Xing header, raw AAC) do not count.
    """
    names = set(container.format.name.split(","))
    if names & _NO_LENGTH or ("mp3" in names and not _has_xing(_path(container))):
        return None
    if stream.duration is not None and stream.time_base is not None:
        end = int(stream.duration + (stream.start_time or 0)) * Fraction(stream.time_base)
        return end / _riff_share(_path(container)) if "wav" in names else end
    tag = stream.metadata.get("DURATION", "")  # Matroska: an end, whatever its name
    try:
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except ValueError:
        pass
    alone = len(container.streams) == 1
    return Fraction(container.duration, av.time_base) if container.duration and alone else None


def ends_open(container: Any) -> bool:
    """Whether an Ogg file lacks the mark on its last page that it is the last: it was cut off (or recorded live)."""
    if container.format.name != "ogg":
        return False
    path = _path(container)
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - (1 << 17), 0))
        tail = file.read()
    last = tail.rfind(b"OggS")
    return last < 0 or len(tail) < last + 6 or not tail[last + 5] & 4


def _path(container: Any) -> Path:
    return Path(container.name.removeprefix("file:"))


def _has_xing(path: Path) -> bool:
    """Whether an MP3 file starts with a frame that says how many follow."""
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            a, b, c, d = head[6:10]
            file.seek((a << 21 | b << 14 | c << 7 | d) + 10)
        else:
            file.seek(0)
        first = file.read(4096)
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def _riff_share(path: Path) -> Fraction:
    """How much of a WAV file there is, of what its first header promises: 1 when whole."""
    with path.open("rb") as file:
        head = file.read(8)
    promised = int.from_bytes(head[4:8], "little") + 8
    if head[:4] != b"RIFF" or not 8 < promised < _UNKNOWN_RIFF_SIZE:
        return Fraction(1)
    return min(Fraction(path.stat().st_size, promised), Fraction(1))
