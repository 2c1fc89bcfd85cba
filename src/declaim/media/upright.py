"""From a decoded video frame to an upright RGB array with square pixels."""

import warnings
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import UInt8

from declaim.errors import DeclaimWarning

Picture = UInt8[np.ndarray, "_ _ 3"]

_BT601, _BT709 = 5, 1
_UNTAGGED = (0, 2)
_HDR = {16: "PQ", 18: "HLG"}
_BILINEAR, _AREA = (0x2 | 0x40000 | 0x2000, 0x20 | 0x40000 | 0x2000)
"""swscale with exact rounding and full chroma; its fast path is 1/255 too dark and skips chroma interpolation."""


@dataclass(frozen=True)
class Turn:
    """How a stored picture is turned for display: an optional left-right mirror, then quarter turns clockwise."""

    quarters: int
    mirrored: bool

    def apply(self, image: Picture) -> Picture:
        """The picture as it is shown, contiguous."""
        if self.mirrored:
            image = image[:, ::-1]
        return np.ascontiguousarray(np.rot90(image, -self.quarters))


def display_turn(frame: Any) -> Turn:
    """Read the display matrix (16.16 fixed point, row vectors: x' = a x + c y, y' = b x + d y, y down)."""
    for side in frame.side_data:
        if side.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = (int(v) for v in np.frombuffer(bytes(side), np.int32)[:5])
            mirrored = a * d - b * c < 0
            if mirrored:  # the mirror comes first: x -> -x
                a, b = -a, -b
            return Turn(round(float(np.arctan2(b, a)) / (np.pi / 2)) % 4, mirrored)
    return Turn(0, False)


class Upright:
    """Turns the frames of one stream into pictures, all of the size of the first.

    Untagged colours are BT.709 from 720 lines up and BT.601 below, as players take them.

    Args:
        path: of the file, for messages.
        stream: the video stream.
        max_side: larger pictures are scaled down so that the longer side has this many pixels.
    """

    def __init__(self, path: Path, stream: Any, max_side: int | None = None) -> None:
        self._path, self._stream, self._max_side = path, stream, max_side
        self._shown: tuple[int, int] | None = None
        self._reformatter = av.video.reformatter.VideoReformatter()

    def size(self, frame: Any) -> tuple[int, int]:
        """Width and height as shown."""
        width, height = self._stored_size(frame)
        return (height, width) if display_turn(frame).quarters % 2 else (width, height)

    def __call__(self, frame: Any) -> Picture:
        """The frame as a contiguous upright RGB array."""
        turn = display_turn(frame)
        if self._shown is None:
            self._shown = self.size(frame)
            self._mention_hdr(frame)
        width, height = self._shown[::-1] if turn.quarters % 2 else self._shown
        if frame.colorspace in _UNTAGGED and not frame.format.is_rgb:
            frame.colorspace = _BT709 if frame.height >= 720 else _BT601
        flags = _BILINEAR if (width, height) == (frame.width, frame.height) else _AREA
        rgb = self._reformatter.reformat(
            frame, width, height, "rgb24", interpolation=flags, dst_color_range="JPEG", threads=1
        )
        # Rows of a plane are padded to the alignment of the CPU: never take the plane's bytes as they are.
        return turn.apply(np.ascontiguousarray(rgb.to_ndarray()))

    def _stored_size(self, frame: Any) -> tuple[int, int]:
        """Width and height before turning, with square pixels, at most ``max_side``."""
        aspect = Fraction(self._stream.sample_aspect_ratio or 1)
        width = max(round(frame.width * aspect), 1) if Fraction(1, 10) < aspect < 10 else int(frame.width)
        height, longest = int(frame.height), max(width, int(frame.height))
        if self._max_side is not None and longest > self._max_side:
            width, height = (max(round(side * self._max_side / longest), 1) for side in (width, height))
        return width, height

    def _mention_hdr(self, frame: Any) -> None:
        if frame.color_trc in _HDR:
            warnings.warn(
                f"{self._path} is an HDR video ({_HDR[frame.color_trc]}), read without tone mapping: its colours will "
                "look pale; export it as SDR for true colours",
                DeclaimWarning,
                stacklevel=2,
            )
