"""Head and background as two layers: the background behind the head is painted in and never moves."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from declaim.render.geometry import smoothstep
from declaim.render.mesh.surround import FaceFrame

RIM = 0.055
"""The matte reaches this far, in face widths, past the outline, so that single hairs move with the head."""
SOFT = 0.06
"""Width of the matte's soft edge, in face widths."""
FILL_FACE_WIDTH = 72
"""Face width in pixels at which the background is painted in."""


@dataclass(frozen=True, eq=False)
class Backdrop:
    """The still layer behind the head.

    Attributes:
        alpha: 255 where the moving layer hides the background (all of it, where the outline is not to be trusted).
        plate: the portrait with the person painted over.
    """

    alpha: UInt8[np.ndarray, "height width"]
    plate: UInt8[np.ndarray, "height width 3"]

    def behind(
        self,
        front: UInt8[np.ndarray, "height width 3"],
        map_x: Float[np.ndarray, "height width"],
        map_y: Float[np.ndarray, "height width"],
    ) -> UInt8[np.ndarray, "height width 3"]:
        """The warped layer ``front`` over the still background."""
        alpha = cv2.remap(self.alpha, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha3 = cv2.merge([alpha, alpha, alpha])
        return over(front, self.plate, alpha3)


def over(
    front: UInt8[np.ndarray, "height width 3"],
    back: UInt8[np.ndarray, "height width 3"],
    alpha: UInt8[np.ndarray, "height width 3"],
) -> UInt8[np.ndarray, "height width 3"]:
    """``front`` over ``back``, in 8 bits; exactly ``front`` where alpha is 255 or both are equal."""
    a = cv2.multiply(front, alpha, scale=1 / 255, dtype=cv2.CV_32F)
    b = cv2.multiply(back, cv2.bitwise_not(alpha), scale=1 / 255, dtype=cv2.CV_32F)
    return cv2.add(a, b, dtype=cv2.CV_8U)


def build_backdrop(
    image: UInt8[np.ndarray, "height width 3"], person: Bool[np.ndarray, "height width"], frame: FaceFrame
) -> Backdrop | None:
    """Two layers from one picture.

    Args:
        image: the moving region of the portrait.
        person: True on the person.
        frame: place of the face in the region's pixels.
    """
    width = frame.width
    outward = cv2.distanceTransform((~person).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    matte = 1 - smoothstep((outward / width - RIM) / SOFT)
    trust = _trust(image, person, frame)
    alpha = np.rint(255 * (1 - trust * (1 - matte))).astype(np.uint8)
    if (alpha == 255).all():
        return None
    hole = (alpha == 255) | (outward <= RIM * width)
    return Backdrop(alpha, _paint_in(image, hole & (matte >= 1), width))


def _trust(
    image: UInt8[np.ndarray, "height width 3"], person: Bool[np.ndarray, "height width"], frame: FaceFrame
) -> Float[np.ndarray, "height width"]:
    """In [0, 1]: how much the colours differ across the nearest piece of the outline.

    Where they hardly differ the outline may cut through hair; there the background bends with the head instead.
    """
    scale = min(1.0, 48 / frame.width)
    size = max(round(image.shape[1] * scale), 8), max(round(image.shape[0] * scale), 8)
    small = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB).astype(np.float32)
    mask = cv2.resize(person.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    inside, outside = (mask > 0.5).astype(np.float32), (mask <= 0.5).astype(np.float32)
    sigma = 0.05 * frame.width * scale

    def local_mean(weight: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
        total = cv2.GaussianBlur(weight, (0, 0), sigma)
        return cv2.GaussianBlur(small * weight[..., None], (0, 0), sigma) / np.maximum(total, 1e-4)[..., None]

    contrast = np.linalg.norm(local_mean(inside) - local_mean(outside), axis=-1)
    edge = cv2.morphologyEx((mask > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    edge = edge.astype(np.float32)
    good = smoothstep((contrast - 9) / 14).astype(np.float32)
    wide = 0.12 * frame.width * scale
    total = cv2.GaussianBlur(edge, (0, 0), wide)
    near = cv2.GaussianBlur(edge * good, (0, 0), wide) / np.maximum(total, 1e-6)
    # far from any edge nothing is known; the nearest edge's value is carried outward
    _, labels = cv2.distanceTransformWithLabels(
        1 - edge.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    values = np.zeros(labels.max() + 1, np.float32)
    values[labels[edge > 0]] = near[edge > 0]
    carried = cv2.GaussianBlur(values[labels], (0, 0), wide)
    return np.clip(cv2.resize(carried, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), 0, 1).astype(np.float64)


def _paint_in(
    image: UInt8[np.ndarray, "height width 3"], hole: Bool[np.ndarray, "height width"], face_width: float
) -> UInt8[np.ndarray, "height width 3"]:
    """The picture with the hole painted in from its surroundings, at reduced resolution."""
    scale = min(1.0, FILL_FACE_WIDTH / face_width)
    size = max(round(image.shape[1] * scale), 8), max(round(image.shape[0] * scale), 8)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    covered = cv2.resize(hole.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    covered = cv2.dilate(covered, np.ones((3, 3), np.uint8))
    if covered.all():
        return image.copy()
    filled = cv2.inpaint(small, covered, 4, cv2.INPAINT_TELEA)
    out = image.copy()
    large = cv2.resize(filled, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    out[hole] = large[hole]
    return out
