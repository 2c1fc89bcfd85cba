"""What the head looks like: colours of its vertices, a picture for its eyes, its normals.

Painted from the head's own geometry, so that nothing but the mesh has to ship: lips, brows, cropped hair above a
hairline, a mouth that darkens inwards. Colours are sRGB in [0, 1].
"""

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from declaim.face.head3d import PARTS, Head3D
from declaim.face.layouts import ARKIT_NAMES

Colour = tuple[float, float, float]
SKIN: Colour = (0.76, 0.57, 0.47)
HAIR: Colour = (0.19, 0.14, 0.11)
LID: Colour = (0.42, 0.27, 0.22)
PART_COLOURS: dict[str, Colour] = {
    "skin": SKIN, "lips": (0.68, 0.41, 0.37), "mouth": (0.48, 0.2, 0.19), "eyes": (0.93, 0.92, 0.9),
    "teeth": (0.9, 0.87, 0.8), "tongue": (0.66, 0.32, 0.31),
}  # fmt: skip
HAIRLINE = ((0.0, 0.73, -0.686), 3.9, 0.5)
"""Hair grows where a vertex lies further along this direction than this many cm, within that softness."""
BROW_CM = ((1.6, 5.3), 4.62, 0.42)
"""A brow's inner and outer end to the side of the middle, its height at the inner end, half its thickness."""
LID_CM = 0.16
"""The skin is darker within this distance of an eyeball: the roots of the lashes."""
DARK_CM = 3.0
"""How far behind the lips the mouth becomes dark."""
IRIS_CM, PUPIL_CM = 0.62, 0.26
"""Radius of iris and pupil; an iris is 1.2 cm wide."""
EYE_CM = 1.4
"""Half the width of what the eye's picture shows."""


def normals(
    vertices: Float[Tensor, "*batch vertices 3"], triangles: Int[Tensor, "triangles 3"]
) -> Float[Tensor, "*batch vertices 3"]:
    """Unit normals of the vertices: the mean of their triangles' normals, weighted by area."""
    a, b, c = (vertices[..., triangles[:, k], :] for k in range(3))
    faces = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for k in range(3):
        total.index_add_(-2, triangles[:, k], faces)
    return torch.nn.functional.normalize(total, dim=-1)


def linear(srgb: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Linear light of sRGB values in [0, 1] (IEC 61966-2-1)."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def vertex_colours(head: Head3D) -> Float[Tensor, "vertices 3"]:
    """A colour for every vertex."""
    colours = torch.tensor([PART_COLOURS[name] for name in PARTS])[head.part]
    skin = (head.part == PARTS.index("skin"))[:, None]
    painted = _mix(colours, HAIR, 0.85 * _hair(head.rest))
    painted = _mix(painted, HAIR, 0.8 * _brows(head.rest))
    painted = _mix(painted, LID, 0.8 * _lids(head))
    inside = torch.isin(head.part, torch.tensor([PARTS.index(n) for n in ("mouth", "tongue", "teeth")]))
    depth = head.rest[head.lips, 2].mean() - head.rest[:, 2]
    teeth = head.part == PARTS.index("teeth")
    least = torch.where(teeth, 0.6, 0.25)
    shade = torch.where(inside, torch.clamp(1 - depth / DARK_CM, least, torch.ones(())), 1.0)
    return torch.where(skin, painted, colours) * shade[:, None]


def eye_coordinates(head: Head3D) -> Float[Tensor, "vertices 2"]:
    """Where each vertex lies on the eyes' picture (`eye_picture`), in [0, 1] from the upper left; only eyes matter."""
    coordinates = torch.zeros(len(head.rest), 2)
    eyes = torch.nonzero(head.part == PARTS.index("eyes"))[:, 0]
    for side in (head.rest[eyes, 0] > 0, head.rest[eyes, 0] < 0):
        eye = eyes[side]
        pupil = head.rest[eye][head.rest[eye, 2].argmax()]
        behind = (pupil[2] - head.rest[eye, 2])[:, None]  # the ball's back is spread over the picture's rim
        offset = (head.rest[eye] - pupil)[:, :2] * (1 + (behind - 1.0).clamp(min=0))
        coordinates[eye] = (0.5 + offset * torch.tensor([0.5, -0.5]) / EYE_CM).clamp(0, 1)
    return coordinates


def eye_picture(size: int = 256) -> UInt8[np.ndarray, "size size 3"]:
    """An eye seen from the front: pupil, brown iris with a dark rim, white."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size * 2 * EYE_CM - EYE_CM
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    fibres = 0.5 + 0.25 * np.sin(37 * angle) * np.sin(61 * angle + 5 * radius) - 0.3 * (radius / IRIS_CM) ** 3
    iris = np.array([0.36, 0.22, 0.12]) * (0.6 + 0.9 * fibres[..., None])
    soft = 0.5 * size / EYE_CM / 2  # half a pixel each way
    white = np.array(PART_COLOURS["eyes"]) * (1.0 - 0.12 * np.clip(radius / EYE_CM, 0, 1)[..., None])
    picture = _over(white, iris, np.clip((IRIS_CM - radius) * soft + 0.5, 0, 1))
    picture = _over(picture, np.full(3, 0.02), np.clip((PUPIL_CM - radius) * soft + 0.5, 0, 1))
    return np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def _over(below: np.ndarray, above: np.ndarray, share: np.ndarray) -> np.ndarray:
    result: np.ndarray = below + share[..., None] * (above - below)
    return result


def _mix(
    colours: Float[Tensor, "vertices 3"], other: Colour, share: Float[Tensor, " vertices"]
) -> Float[Tensor, "vertices 3"]:
    return colours + share[:, None] * (torch.tensor(other) - colours)


def _hair(rest: Float[Tensor, "vertices 3"]) -> Float[Tensor, " vertices"]:
    direction, least, soft = HAIRLINE
    x, y, z = rest.unbind(-1)
    ears = (x.abs() > 7.75) & (y < 3.4) & (z > -9)
    return torch.sigmoid((rest @ torch.tensor(direction) - least) / soft).where(~ears, torch.zeros(()))


def _brows(rest: Float[Tensor, "vertices 3"]) -> Float[Tensor, " vertices"]:
    (inner, outer), height, half = BROW_CM
    along = (rest[:, 0].abs() - inner) / (outer - inner)
    arch = height + 0.9 * along - 1.3 * along**2
    thickness = half * (1.15 - 0.6 * along.clamp(0, 1))
    near = 1 - ((rest[:, 1] - arch).abs() / thickness - 0.4).clamp(0, 1)
    ends = (1 - ((along - 0.5).abs() / 0.5 - 0.9).clamp(min=0) / 0.2).clamp(0, 1)
    return near * ends * (rest[:, 2] > 0)


def _lids(head: Head3D) -> Float[Tensor, " vertices"]:
    blinks = [ARKIT_NAMES.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
    moved = head.units[blinks].norm(dim=-1).amax(0)
    eyes = head.rest[head.part == PARTS.index("eyes")]
    near = torch.cdist(head.rest, eyes).amin(1)
    return ((1 - near / LID_CM).clamp(0, 1) > 0).float() * (moved > 0)
