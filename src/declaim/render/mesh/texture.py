"""Pictures of the portrait's parts: the skin without eyes and teeth, the eyes without lids."""

from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numba import njit

from declaim.face.layouts import LEFT_EYE, LIPS_INNER, RIGHT_EYE

Image = UInt8[np.ndarray, "height width 3"]


@njit(cache=True)
@no_type_check
def _spline(points, per_edge):
    n = points.shape[0]
    out = np.empty((n * per_edge, 2))
    step = np.empty(n)  # square root of the distance to the next point
    for i in range(n):
        j = (i + 1) % n
        length = ((points[j, 0] - points[i, 0]) ** 2 + (points[j, 1] - points[i, 1]) ** 2) ** 0.5
        step[i] = length**0.5 + 1e-3
    for i in range(n):
        d0, d1, d2 = step[i - 1], step[i], step[(i + 1) % n]
        for c in range(2):
            p0, p1, p2, p3 = points[i - 1, c], points[i, c], points[(i + 1) % n, c], points[(i + 2) % n, c]
            m1 = (p2 - p1) + d1 * ((p1 - p0) / d0 - (p2 - p0) / (d0 + d1))
            m2 = (p2 - p1) + d1 * ((p3 - p2) / d2 - (p3 - p1) / (d1 + d2))
            a, b = 2 * (p1 - p2) + m1 + m2, -3 * (p1 - p2) - 2 * m1 - m2
            for k in range(per_edge):
                t = k / per_edge
                out[i * per_edge + k, c] = ((a * t + b) * t + m1) * t + p1
    return out


def smooth_contour(points: Float[np.ndarray, "corners 2"], per_edge: int = 6) -> Float[np.ndarray, "n 2"]:
    """A closed curve through the points (centripetal Catmull-Rom, so that tight corners do not overshoot)."""
    return np.asarray(_spline(np.asarray(points, np.float64), per_edge))


def polygon_coverage(
    outline: Float[np.ndarray, "corners 2"], size: tuple[int, int], finer: int = 4
) -> Float[np.ndarray, "height width"]:
    """Share of every pixel that a polygon covers; nothing at all where it has collapsed to a line.

    Args:
        outline: corners in pixels (pixel centres at whole numbers).
        size: width and height of the mask.
        finer: sub-pixels per pixel and axis.
    """
    width, height = size
    mask = np.zeros((height * finer, width * finer), np.uint8)
    scaled = (outline + 0.5) * finer - 0.5
    cv2.fillPoly(mask, [np.rint(scaled * 256).astype(np.int32)], 255, lineType=cv2.LINE_8, shift=8)
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)


def fill(image: Image, hole: Bool[np.ndarray, "height width"], radius: float) -> Image:
    """The picture with ``hole`` continued from its surroundings.

    Args:
        image: RGB.
        hole: True where to fill.
        radius: neighbourhood in pixels that is looked at.
    """
    if not hole.any():
        return image.copy()
    return cv2.inpaint(image, hole.astype(np.uint8) * 255, max(radius, 1.5), cv2.INPAINT_TELEA)


def polygon_mask(
    outline: Float[np.ndarray, "corners 2"], size: tuple[int, int], grow: float
) -> Bool[np.ndarray, "height width"]:
    """Pixels inside a polygon that was moved outward by ``grow`` pixels (inward if negative)."""
    width, height = size
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.rint(outline * 256).astype(np.int32)], 1, shift=8)
    if abs(grow) < 0.25:
        return mask > 0
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return outside <= grow if grow > 0 else inside > -grow


def fill_openings(image: Image, landmarks: Float[np.ndarray, "points 2"], pixels_per_cm: float) -> Image:
    """The picture with eyes and mouth painted over by the skin around them.

    Args:
        image: the moving region of the portrait.
        landmarks: the tracker's points in its pixels.
        pixels_per_cm: scale of the head.
    """
    out = image.copy()
    for outline, grow in ((RIGHT_EYE, 0.3), (LEFT_EYE, 0.3), (LIPS_INNER, 0.05 * pixels_per_cm + 0.6)):
        edge = landmarks[list(outline)]
        pad = int(np.ceil(0.5 * pixels_per_cm)) + 4
        low = np.maximum(np.floor(edge.min(0)).astype(int) - pad, 0)
        high = np.minimum(np.ceil(edge.max(0)).astype(int) + pad + 1, np.array(image.shape[1::-1]))
        if (high <= low).any():
            continue
        box = slice(low[1], high[1]), slice(low[0], high[0])
        part = np.ascontiguousarray(image[box])
        hole = polygon_mask(smooth_contour(edge - low), (part.shape[1], part.shape[0]), grow)
        out[box] = fill(part, hole, 3.0)
    return out


def blend(
    canvas: UInt8[np.ndarray, "height width 3"],
    layer: UInt8[np.ndarray, "height width 3"] | Float[np.ndarray, "height width 3"],
    alpha: Float[np.ndarray, "height width"],
) -> None:
    """Lay ``layer`` over ``canvas`` in place."""
    base = canvas.astype(np.float32)
    base += (layer.astype(np.float32) - base) * alpha[..., None]
    np.rint(np.clip(base, 0, 255, out=base), out=base)
    canvas[...] = base.astype(np.uint8)
