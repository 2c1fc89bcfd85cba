"""The inside of the mouth: teeth, tongue and dark, under the lips and in the portrait's tone."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from declaim.face.layouts import LIPS_INNER
from declaim.render.geometry import smoothstep
from declaim.render.mesh.eyes import affine_between
from declaim.render.mesh.teeth import MouthTones, Texture, draw_teeth, draw_tongue
from declaim.render.mesh.texture import polygon_coverage, polygon_mask, smooth_contour

JAW = (152, 175, 199, 200, 148, 377, 176, 400)
"""Points of the chin that move with the jaw bone."""
TEETH_BEHIND_LIPS_CM = 0.65
OVERBITE_CM = 0.12
SLIT_CM = 0.28
BITE_BELOW_LIPS_CM = 0.22
"""How far the upper teeth's biting edge lies below the line where the lips meet."""


@dataclass(frozen=True, eq=False)
class OwnMouth:
    """What the portrait itself shows between its lips.

    Attributes:
        image: RGB in [0, 1], continued past the lips.
        alpha: 1 inside the lips.
        teeth: how much each pixel is tooth.
        origin: position of the cut in the portrait, pixels.
    """

    image: Float[np.ndarray, "height width 3"]
    alpha: Float[np.ndarray, "height width"]
    teeth: Float[np.ndarray, "height width"]
    origin: Float[np.ndarray, " 2"]


class Mouth:
    """Draws the mouth's inside.

    Args:
        image: the portrait.
        landmarks: the tracker's points in pixels.
        rest: the portrait's points in head space with its expression taken out, cm.
        own: the portrait's points in head space, cm.
        pixels_per_cm: scale of the head.
    """

    def __init__(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        landmarks: Float[np.ndarray, "points 3"],
        rest: Float[np.ndarray, "points 3"],
        own: Float[np.ndarray, "points 3"],
        pixels_per_cm: float,
    ) -> None:
        tones = MouthTones.of(image, landmarks)
        density = float(np.clip(2 * pixels_per_cm, 8, 90))
        self.tones = tones
        self.upper, self.lower = draw_teeth(tones, density, upper=True), draw_teeth(tones, density, upper=False)
        self.tongue = draw_tongue(tones, density)
        self.rest_jaw = rest[list(JAW)]
        meet = (rest[13] + rest[14]) / 2
        self.seat = meet + np.array([0.0, 0.0, -TEETH_BEHIND_LIPS_CM])
        self.own_points = landmarks[list(LIPS_INNER), :2].astype(np.float64)
        self.own_gap = float(own[13, 1] - own[14, 1])
        self.mouth = _cut_own_mouth(image, self.own_points, pixels_per_cm, self.own_gap)

    def planes(self, shape: Float[np.ndarray, "points 3"]) -> list[Float[np.ndarray, "3 3"]]:
        """Where the upper and the lower teeth are: three points of each plane in head space, cm.

        The points are the middle of the biting edge, 1 cm to the right of it and 1 cm above it. The lower teeth follow
        the jaw bone, of which the chin's skin tells.
        """
        jaw = (shape[list(JAW)] - self.rest_jaw).mean(0) * np.array([1.0, 0.9, 1.0])
        upper = self.seat + np.array([0.0, -BITE_BELOW_LIPS_CM, 0.0])
        lower = upper + np.array([0.0, OVERBITE_CM, -0.15]) + jaw
        span = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        return [upper + span, lower + span]


def _cut_own_mouth(
    image: UInt8[np.ndarray, "height width 3"], lips: Float[np.ndarray, "20 2"], pixels_per_cm: float, gap_cm: float
) -> OwnMouth | None:
    """The portrait's open mouth, or None if it is shut."""
    if gap_cm < 0.12 or gap_cm * pixels_per_cm < 1.5:
        return None
    pad = int(np.ceil(0.8 * pixels_per_cm)) + 2
    low = np.maximum(np.floor(lips.min(0)).astype(int) - pad, 0)
    high = np.minimum(np.ceil(lips.max(0)).astype(int) + pad + 1, np.array(image.shape[1::-1]))
    cut = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    size = (cut.shape[1], cut.shape[0])
    edge = smooth_contour(lips - low)
    inside = polygon_mask(edge, size, -0.4)
    filled = cv2.inpaint(cut, (~inside).astype(np.uint8) * 255, 3, cv2.INPAINT_TELEA).astype(np.float32) / 255
    light = filled.mean(-1)
    flat = 1 - np.ptp(filled, axis=-1) / np.maximum(filled.max(-1), 1e-3)  # teeth are nearly colourless
    bright = float(np.percentile(light[inside], 90)) if inside.any() else 1.0
    teeth = smoothstep((light / max(bright, 0.05) - 0.5) / 0.25) * smoothstep((flat - 0.55) / 0.15)
    if not inside.any() or teeth[inside].mean() < 0.15 or bright < 0.25:
        teeth = np.zeros_like(teeth)
    teeth = cv2.GaussianBlur(teeth.astype(np.float32), (0, 0), 0.6)
    return OwnMouth(filled, polygon_coverage(edge, size), teeth, low.astype(np.float64))


def lay_over(canvas: Float[np.ndarray, "height width 3"], layer: Float[np.ndarray, "height width 4"]) -> None:
    """Composite a premultiplied layer in place."""
    canvas *= 1 - layer[..., 3:]
    canvas += layer[..., :3]


def place(
    texture: Texture, target: Float[np.ndarray, "3 2"], size: tuple[int, int]
) -> Float[np.ndarray, "height width 4"]:
    """A texture drawn where three points of its plane (origin, 1 cm right, 1 cm up) are on the screen."""
    source = texture.to_pixel(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).astype(np.float32)
    matrix = cv2.getAffineTransform(source, target.astype(np.float32))
    out: Float[np.ndarray, "height width 4"] = cv2.warpAffine(
        texture.image, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT
    )
    return out


def draw_mouth(  # noqa: PLR0917
    mouth: Mouth,
    canvas: UInt8[np.ndarray, "height width 3"],
    now: Float[np.ndarray, "points 3"],
    rigid: Float[np.ndarray, "points 3"],
    planes: tuple[Float[np.ndarray, "3 2"], Float[np.ndarray, "3 2"]],
    pixels_per_cm: float,
) -> None:
    """Draw the opening between the lips.

    Args:
        mouth: the portrait's mouth.
        canvas: part of the frame; changed in place.
        now: target points in pixels of the canvas.
        rigid: where the portrait's points would be if only the head moved.
        planes: screen positions of the upper and the lower teeth's plane points.
        pixels_per_cm: scale of the head in this frame.
    """
    lips = now[list(LIPS_INNER), :2]
    low = np.maximum(np.floor(lips.min(0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(lips.max(0)).astype(int) + 2, np.array(canvas.shape[1::-1]))
    width, height = (int(v) for v in high - low)
    if width < 2 or height < 2:
        return
    at = low
    alpha = polygon_coverage(smooth_contour(lips - at), (width, height))
    if alpha.max() < 1 / 255:
        return
    inside = np.empty((height, width, 3), np.float32)
    inside[...] = np.array(mouth.tones.dark, np.float32)
    for texture, plane in ((mouth.tongue, planes[1]), (mouth.lower, planes[1]), (mouth.upper, planes[0])):
        shift = np.array([0.0, -0.35 * pixels_per_cm]) if texture is mouth.tongue else np.zeros(2)
        lay_over(inside, place(texture, plane - at + shift, (width, height)))
    gap = float(np.linalg.norm(now[13, :2] - now[14, :2])) / pixels_per_cm
    shade = shading(alpha, pixels_per_cm, gap)
    inside *= shade[..., None]
    # through a slit one sees the lips' own wet rims, not the depth of the mouth
    slit = 1 - smoothstep(alpha.sum(0) / pixels_per_cm / SLIT_CM)[None, :, None].astype(np.float32)
    if mouth.mouth is not None:
        _lay_own(mouth, inside, at, rigid, np.minimum(shade * 1.2, 1))
    inside += (np.array(mouth.tones.crease, np.float32) - inside) * slit
    part = canvas[low[1] : high[1], low[0] : high[0]]
    mixed = part.astype(np.float32)
    mixed += (inside * 255 - mixed) * alpha[..., None]
    part[...] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def shading(
    alpha: Float[np.ndarray, "height width"], pixels_per_cm: float, gap_cm: float
) -> Float[np.ndarray, "height width"]:
    """How much light reaches the inside: less at the corners, under the lips and through a narrow gap."""
    solid = np.pad((alpha > 0.5).astype(np.uint8), 1)
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1] / pixels_per_cm
    column = alpha.sum(0) / pixels_per_cm  # local height of the opening, cm
    narrow = 0.5 + 0.5 * smoothstep(column / 0.65)[None, :]
    edge = 0.6 + 0.4 * smoothstep(depth / 0.2)
    return (edge * narrow * (0.82 + 0.18 * float(smoothstep(np.array(gap_cm / 0.9))))).astype(np.float32)


def _lay_own(
    mouth: Mouth, inside: Float[np.ndarray, "height width 3"], at: Int[np.ndarray, " 2"],
    rigid: Float[np.ndarray, "points 3"], shade: Float[np.ndarray, "height width"],
) -> None:  # fmt: skip
    """The portrait's own teeth, which stay with the head."""
    own = mouth.mouth
    assert own is not None
    numbers = list(LIPS_INNER)
    matrix = affine_between(mouth.own_points, rigid[numbers, :2])
    matrix = matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ own.origin - at
    size = (inside.shape[1], inside.shape[0])
    layer = np.dstack([own.image, own.alpha, own.teeth]).astype(np.float32)
    warped = cv2.warpAffine(layer, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    share = warped[..., 4] * warped[..., 3]
    inside += (warped[..., :3] * shade[..., None] - inside) * share[..., None]
