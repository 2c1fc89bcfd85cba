"""The square around a portrait's head: cut out of frames for a network."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from declaim.face.square import square_corner, square_side


@dataclass(frozen=True)
class HeadSquare:
    """Where a head is in a picture, as the corpus's pictures show heads.

    Attributes:
        left: first column, whole pixels of the picture; it may lie outside, where edge pixels are repeated.
        top: first row, likewise.
        side: rows and columns.
    """

    left: float
    top: float
    side: float

    @classmethod
    def of(cls, landmarks: Float[Tensor, "points 3"], size: tuple[int, int]) -> "HeadSquare":
        """The square around a face, kept inside the picture where it fits.

        Args:
            landmarks: the face's points, pixels.
            size: width and height of the picture.
        """
        low, high = landmarks[:, :2].amin(0).tolist(), landmarks[:, :2].amax(0).tolist()
        box, height = (low[0], low[1], high[0], high[1]), high[1] - low[1]
        side = max(round(square_side(box, height)), 1)
        corner = [round(v) for v in square_corner(box, height, float(side))]
        left, top = (min(max(v, 0), n - side) if side <= n else v for v, n in zip(corner, size, strict=True))
        return cls(float(left), float(top), float(side))

    def cut(self, images: UInt8[np.ndarray, "frames h w 3"], side_px: int) -> UInt8[np.ndarray, "frames side side 3"]:
        """The square of every picture at a side of ``side_px`` pixels."""
        left, top, side = (round(v) for v in (self.left, self.top, self.side))
        rows = np.clip(np.arange(top, top + side), 0, images.shape[1] - 1)
        columns = np.clip(np.arange(left, left + side), 0, images.shape[2] - 1)
        inside = top >= 0 and left >= 0 and top + side <= images.shape[1] and left + side <= images.shape[2]
        out = np.empty((len(images), side_px, side_px, 3), np.uint8)
        for i, image in enumerate(images):
            part = image[top : top + side, left : left + side] if inside else image[rows[:, None], columns]
            out[i] = _resized(part, side_px)
        return out


def _resized(picture: np.ndarray, side: int) -> np.ndarray:
    """A square picture at another side."""
    if picture.shape[0] == side:
        return np.ascontiguousarray(picture)
    soft = cv2.INTER_CUBIC if picture.ndim == 3 else cv2.INTER_LINEAR
    how = cv2.INTER_AREA if picture.shape[0] > side else soft
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), (side, side), interpolation=how))
