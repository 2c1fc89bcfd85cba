"""From a picture file to a Portrait: the face found, measured, and cut or scaled as wished."""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.faces import FaceChoice
from declaim.face.model import FaceModel
from declaim.face.tracker import FaceTracker
from declaim.media.image_io import read_portrait_image
from declaim.types import Portrait

Crop = Literal["none", "head"]

LARGEST_SIDE = 1920
"""Pictures with a longer side, in pixels, are scaled down to it (1080p video)."""
SIZES = (64, 3840)
"""Range of ``size`` in pixels."""
HEAD_CROP = 2.5
"""Side of the square of ``crop="head"``, in face heights: head and shoulders."""


def load_portrait(
    source: str | Path | UInt8[np.ndarray, "height width 3"],
    *,
    face: FaceChoice = None,
    crop: Crop = "none",
    size: int | None = None,
    model: FaceModel | None = None,
    tracker: FaceTracker | None = None,
) -> Portrait:
    """A portrait ready to be animated.

    Args:
        source: a picture file, a video file (its first frame is taken), or an RGB array.
        face: which face, if there are several: ``"largest"`` or its number, counted from 0 on the left.
        crop: ``"none"``, or ``"head"``: a square with head and shoulders.
        size: longer side of the result in pixels (with ``crop="head"`` the side of the square); None: as it is, but
            at most 1920.
        model: the face model; the shipped one if None.
        tracker: an open tracker; a new one if None.

    Raises:
        Unreadable: the file is no picture, or is corrupt.
        NoFace: there is no face, or it is less than 64 pixels high.
        ManyFaces: there are several and ``face`` is None.
        ConfigError: ``crop`` or ``size`` is not allowed.

    Warns:
        DeclaimWarning: the head is turned far to the side.
    """
    if crop not in ("none", "head"):
        raise ConfigError(f"crop is {crop!r}; it can be 'none' or 'head'")
    if size is not None and not SIZES[0] <= size <= SIZES[1]:
        raise ConfigError(f"size is {size} pixels; it can be {SIZES[0]} to {SIZES[1]}")
    image = source if isinstance(source, np.ndarray) else read_portrait_image(source)
    if tracker is None:
        with FaceTracker() as opened:
            points = opened.portrait_face(image, face).points
    else:
        points = tracker.portrait_face(image, face).points
    if crop == "head":
        image, points = crop_head(image, points)
    image, points = scale(image, points, size)
    return portrait_of(image, points, model or FaceModel.from_pretrained())


def portrait_of(
    image: UInt8[np.ndarray, "height width 3"], points: Float[Tensor, "points 3"], model: FaceModel
) -> Portrait:
    """The portrait with its identity, expression and pose.

    Args:
        image: RGB picture.
        points: the tracker's points in its pixels.
        model: the face model.
    """
    fit = model.fit_portrait(points, (image.shape[1], image.shape[0]))
    landmarks = points.clone()
    landmarks[:, 2] -= fit.pose.depth  # so that landmarks and pose alone give the points in head space
    return Portrait(
        np.ascontiguousarray(image), landmarks, fit.identity, fit.expression, fit.pose.rotation, fit.pose.translation
    )


def crop_head(
    image: UInt8[np.ndarray, "height width 3"], points: Float[Tensor, "points 3"]
) -> tuple[UInt8[np.ndarray, "side side 3"], Float[Tensor, "points 3"]]:
    """A square around head and shoulders, inside the picture; smaller where the picture does not reach."""
    low, high = points[:, :2].amin(0), points[:, :2].amax(0)
    side = min(round(HEAD_CROP * float((high - low).max())), *image.shape[:2])
    centre = (low + high) / 2
    corner = [round(float(c) - side / 2) for c in centre]
    left, top = (min(max(c, 0), n - side) for c, n in zip(corner, image.shape[1::-1], strict=True))
    return image[top : top + side, left : left + side], points - torch.tensor([left, top, 0.0])


def scale(
    image: UInt8[np.ndarray, "height width 3"], points: Float[Tensor, "points 3"], size: int | None
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[Tensor, "points 3"]]:
    """Picture and points with a longer side of ``size`` pixels; None: at most `LARGEST_SIDE`."""
    height, width = image.shape[:2]
    longer = size or min(max(height, width), LARGEST_SIDE)
    if longer == max(height, width):
        return image, points
    factor = longer / max(height, width)
    new = max(round(width * factor), 2), max(round(height * factor), 2)
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    ratio = torch.tensor([new[0] / width, new[1] / height, new[0] / width])
    # pixel centres are whole numbers here: (x + 1/2) * ratio - 1/2
    shift = (ratio - 1) / 2 * torch.tensor([1.0, 1.0, 0.0])
    return cv2.resize(image, new, interpolation=kind), points * ratio + shift
