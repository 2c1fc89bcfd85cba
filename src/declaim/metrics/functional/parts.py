"""Parts of the face and head as curves over time, so that amplitudes are told part by part; jitter of the lips."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.face.eyes import eye_opening
from declaim.face.layouts import (
    LEFT_BROW,
    LEFT_IRIS,
    LIPS,
    LIPS_OUTER,
    RIGHT_BROW,
    RIGHT_IRIS,
)
from declaim.metrics.functional.lip import mouth_opening

PARTS = ("mouth", "mouth_width", "brows", "eyelids", "gaze", "rotation", "translation")
"""Names of the parts that `motion_parts` gives."""


def motion_parts(
    points: Float[Tensor, "frames points 3"],
    rotation: Float[Tensor, "frames 3"],
    translation: Float[Tensor, "frames 3"],
) -> dict[str, Float[Tensor, "frames _"]]:
    """What each part does over time, for amplitudes (`amplitude_ratio`).

    Args:
        points: in the head frame, cm.
        rotation: of the head, around the clip's mean, rad.
        translation: of the head, cm.

    Returns:
        ``mouth`` opening, ``mouth_width`` (corner to corner), ``brows`` (mean height of each brow), ``eyelids`` (eye
        height over width), ``gaze`` (x and y of each iris's centre), ``rotation`` and ``translation`` as given.
    """
    corners = points[:, LIPS_OUTER[0]] - points[:, LIPS_OUTER[10]]
    brows = torch.stack([points[:, list(brow), 1].mean(1) for brow in (RIGHT_BROW, LEFT_BROW)], 1)
    irises = torch.cat([points[:, iris[0], :2] for iris in (RIGHT_IRIS, LEFT_IRIS)], 1)
    return {
        "mouth": mouth_opening(points)[:, None],
        "mouth_width": torch.linalg.vector_norm(corners, dim=-1)[:, None],
        "brows": brows,
        "eyelids": eye_opening(points)[:, None],
        "gaze": irises,
        "rotation": rotation,
        "translation": translation,
    }


def lip_jitter(points: Float[Tensor, "frames points 3"], inside: Bool[Tensor, " frames"]) -> float | None:
    """How much the lips tremble in some frames (silences): root mean square of their points' second difference, mm.

    The second difference ``x[t-1] - 2 x[t] + x[t+1]`` is 0 for lips that rest or glide and large for lips that shake
    from frame to frame. None where ``inside`` has no frame with both neighbours in the clip.
    """
    second = points[:-2, list(LIPS)] - 2 * points[1:-1, list(LIPS)] + points[2:, list(LIPS)]
    chosen = second[inside[1:-1]]
    if len(chosen) == 0:
        return None
    return float(10 * chosen.square().sum(-1).mean().sqrt())
