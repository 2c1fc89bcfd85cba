"""Where the drawn square is shown: on the face, with soft edges."""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from declaim.face.layouts import LIPS_OUTER
from declaim.render.cutout import HeadSquare

Region = Literal["face", "mouth"]
Lips = Literal["lips"]

GROWN = {"face": 0.02, "mouth": 0.05, "lips": 0.01}
"""By how much the region is grown beyond its points, in sides of the square."""
SOFT = 0.03
"""Width of the soft edge, likewise."""


def region_mask(
    points: Float[np.ndarray, "points 2"], side: int, region: Region | Lips
) -> Float[np.ndarray, "side side"]:
    """1 in the region's middle, 0 outside and at the square's edges, soft between.

    Args:
        points: the face's 478 points in pixels of the square.
        side: pixels of the square's side.
        region: the whole face, lips and what is around them, or lips and what is between them.
    """
    mask = np.zeros((side, side), np.uint8)
    chosen = points if region == "face" else points[list(LIPS_OUTER)]
    # far outside the square numbers would be too large for the rasteriser
    hull = cv2.convexHull(np.rint(chosen.clip(-side, 2 * side)).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 255)
    grown, soft = round(GROWN[region] * side), max(round(SOFT * side), 1)
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grown + 1, 2 * grown + 1)))
    edge = 3 * soft
    mask[:edge], mask[-edge:], mask[:, :edge], mask[:, -edge:] = 0, 0, 0, 0
    blurred = cv2.GaussianBlur(mask.astype(np.float32) / 255.0, (4 * soft + 1, 4 * soft + 1), soft)
    return np.asarray(blurred)


def matched(
    squares: Float[np.ndarray, "frames side side 3"],
    guides: UInt8[np.ndarray, "frames side side 3"],
    masks: Float[np.ndarray, "frames side side"],
) -> UInt8[np.ndarray, "frames side side 3"]:
    """Squares whose mean colour on the mask's soft edge is the guide's there, so that no edge is seen."""
    edges = masks * (1.0 - masks)
    weights = edges / np.maximum(edges.sum((1, 2), keepdims=True), 1e-6)
    apart = ((guides - squares) * weights[..., None]).sum((1, 2), keepdims=True)
    return np.clip(np.rint(squares + apart), 0, 255).astype(np.uint8)


def add_back(
    square: HeadSquare,
    frames: UInt8[np.ndarray, "frames h w 3"],
    change: Float[np.ndarray, "frames side side 3"],
) -> None:
    """Add what a network changed of squares to the frames that they were cut from, in place.

    The frames keep their own detail, however large they are; where nothing is changed they stay as they are.

    Args:
        square: where the squares were cut.
        frames: pictures.
        change: of the squares, in units of 255.
    """
    left, top, side = (round(v) for v in (square.left, square.top, square.side))
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + side, frames.shape[1]), min(left + side, frames.shape[2])
    if y1 <= y0 or x1 <= x0:
        return
    how = cv2.INTER_AREA if change.shape[1] > side else cv2.INTER_LINEAR
    for frame, own in zip(frames, change, strict=True):
        large = cv2.resize(np.ascontiguousarray(own), (side, side), interpolation=how)
        part = frame[y0:y1, x0:x1]
        part[...] = np.clip(np.rint(part + large[y0 - top : y1 - top, x0 - left : x1 - left]), 0, 255)
