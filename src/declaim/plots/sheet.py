"""Contact sheets: takes below each other, the same moments side by side."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from declaim.face.faces import around
from declaim.timebase import frame_start_s
from declaim.types import Frames, Portrait

Picture = UInt8[np.ndarray, "height width 3"]

COLUMNS = 6
"""Moments shown."""
THUMB_PX = 192
"""Longer side of a picture on the sheet."""
SURROUND = 2.0
"""Side of the part shown, in faces: with hair and chin, and with room to move."""
GAP, TEXT_PX = 6, 14
"""Between pictures, and height of the words, px."""
PAPER, INK = (251, 251, 249), (28, 33, 38)


def moments(n_frames: int, count: int = COLUMNS) -> list[int]:
    """Frames in the middles of ``count`` equal parts of a clip; all of them if it has fewer."""
    return sorted({(2 * i + 1) * n_frames // (2 * count) for i in range(count)}) if n_frames else []


class Row:
    """Collects the pictures of one take's moments while its frames pass by: the face and some surround.

    Args:
        n_frames: of the take.
        portrait: whose face it is.
    """

    def __init__(self, n_frames: int, portrait: Portrait) -> None:
        height, width = portrait.image.shape[:2]
        low, high = portrait.landmarks[:, :2].amin(0).tolist(), portrait.landmarks[:, :2].amax(0).tolist()
        left, top, right, bottom = around((*low, *high), (width, height), SURROUND)
        self.moments = moments(n_frames)
        self.pictures: list[Picture] = []
        self._seen, self._rows, self._columns = 0, slice(top, bottom), slice(left, right)

    def see(self, frames: Frames) -> None:
        """The next run of frames."""
        for moment in self.moments:
            if self._seen <= moment < self._seen + len(frames):
                self.pictures.append(_thumb(frames.images[moment - self._seen, self._rows, self._columns]))
        self._seen += len(frames)


def contact_sheet(rows: Sequence[Row], labels: Sequence[str]) -> Picture:
    """All rows below each other, with their labels on the left and times in seconds above.

    Args:
        rows: takes of one length, seen to their ends.
        labels: their names.
    """
    height, width = rows[0].pictures[0].shape[:2]
    font = ImageFont.load_default(TEXT_PX)
    left = 2 * GAP + int(max(font.getlength(label) for label in labels) + 1)
    top = TEXT_PX + 2 * GAP
    sheet = Image.new("RGB", (left + len(rows[0].moments) * (width + GAP), top + len(rows) * (height + GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, frame in enumerate(rows[0].moments):
        x = left + column * (width + GAP)
        pen.text((x + width / 2, top / 2), f"{frame_start_s(frame):.1f} s", INK, font, anchor="mm")
        for number, row in enumerate(rows):
            sheet.paste(Image.fromarray(row.pictures[column]), (x, top + number * (height + GAP)))
    for number, label in enumerate(labels):
        pen.text((GAP, top + number * (height + GAP) + height / 2), label, INK, font, anchor="lm")
    return np.asarray(sheet, dtype=np.uint8)


def _thumb(image: Picture) -> UInt8[np.ndarray, "rows columns 3"]:
    height, width = image.shape[:2]
    scale = THUMB_PX / max(height, width)
    if scale >= 1:
        return image.copy()
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
