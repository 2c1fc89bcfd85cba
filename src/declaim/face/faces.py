"""Faces found in one picture, the choice between them, and the windows in which they are looked for."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from declaim.errors import ConfigError, ManyFaces, NoFace

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""
Window = tuple[int, int, int, int]
"""Left, top, right, bottom of a part of a picture, in whole pixels."""
FaceChoice = Literal["largest"] | int | str | None
MAX_FACES = 8
"""Most faces looked for in one picture."""
SMALLEST_FACE = 64
"""Least height in pixels of a face that can be animated."""
LARGEST_YAW = math.radians(35)
"""Turn in rad beyond which a face counts as a profile."""
RIVAL = 0.6
"""A second face this tall relative to the largest one makes the choice of a face necessary."""
OBLONG = 1.25
"""Ratio of the sides from which a picture is also looked at in squares."""
MASK = 2.5
"""Side in faces of what is shown around one of several faces; with less surround the detector loses some faces."""
ROOM = 5.0
"""Side in faces of the part of the picture in which one of several faces is followed: room to move, and not too small
for the detector."""


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """One face in one picture.

    Attributes:
        points: the 478 points in pixels: x right, y down, z away from the viewer in the same scale.
        scores: the tracker's 52 scores, its own order.
        size: width and height of the picture.
        yaw: turn of the head in rad, positive to the viewer's right.
        window: the part of the picture (left, top, right, bottom) in which the detector found it.
    """

    points: Float[Tensor, "points 3"]
    scores: Float[Tensor, " 52"]
    size: tuple[int, int]
    yaw: float
    window: Window

    @property
    def box(self) -> Box:
        """Left, top, right and bottom of the points, in pixels."""
        low, high = self.points[:, :2].amin(0), self.points[:, :2].amax(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def height(self) -> float:
        """Height of the face in pixels, forehead to chin."""
        return self.box[3] - self.box[1]


def choose_face(faces: list[TrackedFace], face: FaceChoice = None) -> int:
    """Index of the wanted face among ``faces``, which are sorted from left to right.

    Args:
        faces: the faces of one picture.
        face: ``"largest"``; a number, counted from 0 on the left; None if there should be no doubt: the only face, or
            one that is much larger than all others.

    Raises:
        NoFace: there is no face.
        ManyFaces: ``face`` is None and several faces are of similar size.
        ConfigError: there is no face of that number.
    """
    if not faces:
        raise NoFace("no face was found; use a picture in which the whole face is seen from the front and well lit")
    order = sorted(range(len(faces)), key=lambda i: -faces[i].height)
    if isinstance(face, str) and face != "largest":
        raise ConfigError(f"--face is {face!r}; it can be 'largest' or a number, counted from 0 on the left")
    if isinstance(face, int):
        if not 0 <= face < len(faces):
            raise ConfigError(f"--face is {face}, but there are {len(faces)} faces; the leftmost is 0")
        return face
    if face is None and len(faces) > 1 and faces[order[1]].height > RIVAL * faces[order[0]].height:
        raise ManyFaces(
            f"{len(faces)} faces were found; choose one with --face largest, or --face 0 to {len(faces) - 1}, "
            "counted from the left"
        )
    return order[0]


def nearest_face(faces: list[TrackedFace], box: Box) -> TrackedFace | None:
    """The face whose middle is nearest to that of ``box``, if they are sightings of one face."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    here = [face for face in faces if same_face(face.box, box)]
    return min(
        here, key=lambda f: math.dist((x, y), ((f.box[0] + f.box[2]) / 2, (f.box[1] + f.box[3]) / 2)), default=None
    )


def windows(size: tuple[int, int], share: float) -> Iterator[Window]:
    """Windows of a share of a picture of ``size`` (width, height), each half over its neighbours.

    With ``share`` 1 these are the whole picture and, if it is oblong, the squares along it: the detector pads oblong
    pictures to squares, in which faces get small.
    """
    if share == 1.0:
        yield 0, 0, size[0], size[1]
        short = min(size)
        if max(size) <= OBLONG * short:
            return
        sides = short, short
    else:
        sides = max(round(size[0] * share), 1), max(round(size[1] * share), 1)
    steps = [math.ceil(2 * (whole - side) / side) + 1 for whole, side in zip(size, sides, strict=True)]
    for i in range(steps[1]):
        for j in range(steps[0]):
            left = round((size[0] - sides[0]) * j / max(steps[0] - 1, 1))
            top = round((size[1] - sides[1]) * i / max(steps[1] - 1, 1))
            yield left, top, left + sides[0], top + sides[1]


def same_face(a: Box, b: Box) -> bool:
    """Whether the middle of one box lies in the other: two sightings of one face."""
    x, y = (a[0] + a[2]) / 2, (a[1] + a[3]) / 2
    u, v = (b[0] + b[2]) / 2, (b[1] + b[3]) / 2
    return (b[0] < x < b[2] and b[1] < y < b[3]) or (a[0] < u < a[2] and a[1] < v < a[3])


def seen_through(
    image: UInt8[np.ndarray, "height width 3"], window: Window, hole: Window | None
) -> UInt8[np.ndarray, "h w 3"]:
    """The part of a picture in ``window``, black outside ``hole`` if there is one (both in the picture's pixels)."""
    left, top, right, bottom = window
    part = image[top:bottom, left:right]
    if hole is None:
        return part
    masked = np.zeros_like(part)
    rows = slice(max(hole[1] - top, 0), max(hole[3] - top, 0))
    columns = slice(max(hole[0] - left, 0), max(hole[2] - left, 0))
    masked[rows, columns] = part[rows, columns]
    return masked


def around(box: Box, size: tuple[int, int], side: float = MASK) -> Window:
    """The window around a box, ``side`` times its longer side and within the picture."""
    half = side / 2 * max(box[2] - box[0], box[3] - box[1])
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return max(int(x - half), 0), max(int(y - half), 0), min(int(x + half), size[0]), min(int(y + half), size[1])
