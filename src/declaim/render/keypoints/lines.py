"""Which points of the face are joined to lines, and in what colours they are drawn."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from declaim.face.layouts import (
    FACE_OVAL,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    LEFT_IRIS,
    LIPS_INNER,
    LIPS_OUTER,
    NOSE_BASE,
    NOSE_BRIDGE,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
    RIGHT_IRIS,
)

Colour = tuple[int, int, int]
RED, ORANGE, BLUE, GREEN, YELLOW, GREY = (
    (255, 86, 86), (255, 160, 110), (90, 170, 255), (120, 225, 140), (245, 210, 90), (185, 190, 200),
)  # fmt: skip


class Line(NamedTuple):
    """Points joined in order.

    Attributes:
        points: their numbers.
        colour: RGB.
        closed: the last point is joined to the first.
    """

    points: tuple[int, ...]
    colour: Colour
    closed: bool = True


LINES = (
    Line(FACE_OVAL, GREY),
    Line(NOSE_BRIDGE, GREEN, closed=False),
    Line(NOSE_BASE, GREEN, closed=False),
    Line(RIGHT_BROW, YELLOW),
    Line(LEFT_BROW, YELLOW),
    Line(RIGHT_EYE, BLUE),
    Line(LEFT_EYE, BLUE),
    Line(LIPS_OUTER, RED),
    Line(LIPS_INNER, ORANGE),
)
EYES = ((RIGHT_IRIS, RIGHT_EYE_UPPER, RIGHT_EYE_LOWER), (LEFT_IRIS, LEFT_EYE_UPPER, LEFT_EYE_LOWER))
"""Iris, upper and lower lid."""

_TURN = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_FRACTION_BITS = 4
_FURTHEST_PX = 1e6


def iris_rings(shape: Float[np.ndarray, "points 3"]) -> Iterator[Float[np.ndarray, "ring 3"]]:
    """The rims of both irises as far as the lids leave them free, in head space, cm."""
    for iris, upper, lower in EYES:
        centre, a, top, b, bottom = shape[list(iris)]
        across, up = (a - b) / 2, (top - bottom) / 2
        ring = centre + np.cos(_TURN)[:, None] * across + np.sin(_TURN)[:, None] * up
        lids = [_height_of(shape[list(edge)], ring[:, 0]) for edge in (lower, upper)]
        ring[:, 1] = np.clip(ring[:, 1], np.minimum(*lids), lids[1])
        yield ring


def _height_of(lid: Float[np.ndarray, "edge 3"], x: Float[np.ndarray, " ring"]) -> Float[np.ndarray, " ring"]:
    order = np.argsort(lid[:, 0])
    return np.interp(x, lid[order, 0], lid[order, 1])


def draw_line(
    canvas: UInt8[np.ndarray, "height width 3"], points: Float[np.ndarray, "points 2"], colour: Colour, closed: bool,
    thickness: int,
) -> None:  # fmt: skip
    """Draw an anti-aliased line through ``points`` (pixels, to a sixteenth) onto ``canvas``."""
    fixed = np.rint(np.clip(points, -_FURTHEST_PX, _FURTHEST_PX) * 2**_FRACTION_BITS).astype(np.int32)
    cv2.polylines(canvas, [fixed], closed, colour, thickness, cv2.LINE_AA, _FRACTION_BITS)
