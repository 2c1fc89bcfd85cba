"""Faces found in one picture, the choice between them, and the windows in which they are looked for."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError, ManyFaces, NoFace

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""
FaceChoice = Literal["largest"] | int | str | None
MAX_FACES = 8
"""Most faces looked for in one picture."""
SMALLEST_FACE = 64
"""Least height in pixels of a face that can be animated."""
LARGEST_YAW = math.radians(35)
"""Turn in rad beyond which a face counts as a profile."""
RIVAL = 0.6
"""A second face this tall relative to the largest one makes the choice of a face necessary."""
_MASK = 2.0
"""Side of the window around the followed face, in faces; other faces outside it cannot be picked up."""


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """One face in one picture.

    Attributes:
        points: the 478 points in pixels: x right, y down, z away from the viewer in the same scale.
        scores: the tracker's 52 scores, its own order.
        size: width and height of the picture.
        yaw: turn of the head in rad, positive to the viewer's right.
    """

    points: Float[Tensor, "points 3"]
    scores: Float[Tensor, " 52"]
    size: tuple[int, int]
    yaw: float

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


def windows(size: tuple[int, int], share: float) -> Iterator[tuple[int, int, int, int]]:
    """Windows of a share of a picture of ``size`` (width, height), each half over its neighbours."""
    width, height = size
    side_y, side_x = max(round(height * share), 1), max(round(width * share), 1)
    steps = round(2 / share) - 1
    for i in range(steps):
        for j in range(steps):
            top = round((height - side_y) * i / max(steps - 1, 1))
            left = round((width - side_x) * j / max(steps - 1, 1))
            yield left, top, left + side_x, top + side_y


def same_face(a: Box, b: Box) -> bool:
    """Whether the middle of one box lies in the other: two sightings of one face."""
    x, y = (a[0] + a[2]) / 2, (a[1] + a[3]) / 2
    u, v = (b[0] + b[2]) / 2, (b[1] + b[3]) / 2
    return (b[0] < x < b[2] and b[1] < y < b[3]) or (a[0] < u < a[2] and a[1] < v < a[3])


def around(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The window around a box, `_MASK` times its longer side and within the picture."""
    half = _MASK / 2 * max(box[2] - box[0], box[3] - box[1])
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return max(int(x - half), 0), max(int(y - half), 0), min(int(x + half), size[0]), min(int(y + half), size[1])
