"""Which part of a patch is drawn anew, with soft edges."""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float

from declaim.face.layouts import LIPS_OUTER
from declaim.render.patches import View

Region = Literal["face", "mouth", "lips"]

GROWN_CM = {"face": 0.4, "mouth": 0.8, "lips": 0.2}
"""By how much the region is grown beyond its points."""
SOFT_CM = {"face": 0.6, "mouth": 0.4, "lips": 0.3}
"""Width of its soft edge."""


def region_mask(points: Float[np.ndarray, "points 2"], view: View, region: Region) -> Float[np.ndarray, "side side"]:
    """1 in the region's middle, 0 outside and at the edges, soft between.

    Args:
        points: the face's 478 points in pixels of the patch.
        view: the patch.
        region: the whole face, or lips and what is between them, with the skin around them or without.
    """
    side = view.px
    mask = np.zeros((side, side), np.uint8)
    chosen = points if region == "face" else points[list(LIPS_OUTER)]
    # far outside the patch numbers would be too large for the rasteriser
    hull = cv2.convexHull(np.rint(chosen.clip(-side, 2 * side)).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 255)
    grown, soft = (round(cm[region] * view.px_per_cm) for cm in (GROWN_CM, SOFT_CM))
    soft = max(soft, 1)
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grown + 1, 2 * grown + 1)))
    edge = 3 * soft
    mask[:edge], mask[-edge:], mask[:, :edge], mask[:, -edge:] = 0, 0, 0, 0
    blurred = cv2.GaussianBlur(mask.astype(np.float32) / 255.0, (4 * soft + 1, 4 * soft + 1), soft)
    return np.asarray(blurred)


def lips_mask(points: Float[np.ndarray, "points 2"], view: View) -> Float[np.ndarray, "side side"]:
    """Where the mesh renderer's own detail is not wanted: lips and what is between them."""
    return region_mask(points, view, "lips")


def shown_mask(points: Float[np.ndarray, "points 2"], view: View) -> Float[np.ndarray, "side side"]:
    """What is shown of a patch: the face of the head's square; lips and the skin around them of the mouth's patch."""
    return region_mask(points, view, "face" if view.cm is None else "mouth")
