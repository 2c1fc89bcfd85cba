"""Lip metrics: how far the mouth opens, how well that follows the truth, whether p, b and m close the lips.

Points are those of the face model or the tracker in the head frame: centimetres, x to the viewer's right, y up,
z toward the viewer (head rotation and translation taken out).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.layouts import (
    CHIN,
    FACE_OVAL,
    FOREHEAD,
    LEFT_EYE_UPPER,
    LIPS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    NOSE_TIP,
    RIGHT_EYE_UPPER,
    UPPER_FACE,
)

CLOSED = 0.15
"""Lips count as closed below this share of the clip's range of opening."""

RANGE_QUANTILES = (0.02, 0.98)
"""The clip's range of opening: from the 2nd to the 98th percentile, so that one odd frame does not set the scale."""

MIDDLE_UPPER: tuple[int, ...] = LIPS_INNER_UPPER[4:7]
"""The three middle points of the upper lip's inner contour, which runs from corner to corner over 11 points."""

MIDDLE_LOWER: tuple[int, ...] = LIPS_INNER_LOWER[4:7]
"""The points below :data:`MIDDLE_UPPER`."""

STEADY = (
    RIGHT_EYE_UPPER[0],
    RIGHT_EYE_UPPER[-1],
    LEFT_EYE_UPPER[0],
    LEFT_EYE_UPPER[-1],
    NOSE_TIP,
    *FACE_OVAL[:9],
    *FACE_OVAL[-8:],
)
"""Points that speech hardly moves: eye corners, tip of the nose, upper half of the face's outline."""


def mouth_opening(
    points: Float[Tensor, "*batch points 3"], upper: Sequence[int] = MIDDLE_UPPER, lower: Sequence[int] = MIDDLE_LOWER
) -> Float[Tensor, "*batch"]:
    """Vertical gap between the inner lips, at least 0: mean over the middle pairs of points, cm.

    Along y alone, because a lower lip that lies further back opens nothing; lips that overlap are closed lips. Turn
    tracked points into the head frame first (`FaceModel.pose_free`). The tracker sees closed lips 0 to 0.1 cm apart.

    Args:
        points: the tracker's points or the face model's, or another head's vertices.
        upper: points of the upper lip's inner edge.
        lower: the points below them.
    """
    return (points[..., list(upper), 1] - points[..., list(lower), 1]).clamp(min=0).mean(-1)


def face_height(points: Float[Tensor, "*batch points 3"]) -> Float[Tensor, ""]:
    """Distance from the top of the face's outline to the chin: the median over all frames, in the points' unit."""
    result: Tensor = (
        torch.linalg.vector_norm(points[..., FOREHEAD, :] - points[..., CHIN, :], dim=-1).flatten().median()
    )
    return result


def rigid_align(
    points: Float[Tensor, "frames points 3"],
    reference: Float[Tensor, "frames points 3"],
    on: tuple[int, ...] = STEADY,
) -> Float[Tensor, "frames points 3"]:
    """Turn and shift every frame of ``points`` onto ``reference``: least squares over the points ``on`` (Kabsch)."""
    source, target = points[:, list(on)], reference[:, list(on)]
    source_mean, target_mean = source.mean(1, keepdim=True), target.mean(1, keepdim=True)
    u, _, vt = torch.linalg.svd((source - source_mean).mT @ (target - target_mean))
    flip = torch.ones_like(u[:, 0])
    flip[:, 2] = torch.sign(torch.linalg.det(u @ vt))
    rotation = (u * flip[:, None]) @ vt
    result: Tensor = (points - source_mean) @ rotation + target_mean
    return result


def lmd(generated: Float[Tensor, "frames points 3"], truth: Float[Tensor, "frames points 3"]) -> Float[Tensor, ""]:
    """Landmark distance: mean over frames and lip points after rigid alignment, in units of the truth's face height."""
    _same_shape(generated, truth)
    lips = list(LIPS)
    distance = torch.linalg.vector_norm((rigid_align(generated, truth) - truth)[:, lips], dim=-1)
    result: Tensor = distance.mean() / face_height(truth)
    return result


def lve(
    generated: Float[Tensor, "frames points 3"], truth: Float[Tensor, "frames points 3"], lips: Sequence[int] = LIPS
) -> Float[Tensor, ""]:
    """Lip vertex error: mean over frames of the largest distance of a point in ``lips``, in the points' unit (cm)."""
    _same_shape(generated, truth)
    result: Tensor = torch.linalg.vector_norm((generated - truth)[:, list(lips)], dim=-1).amax(-1).mean()
    return result


def mod(
    generated: Float[Tensor, "frames points 3"],
    truth: Float[Tensor, "frames points 3"],
    upper: Sequence[int] = MIDDLE_UPPER,
    lower: Sequence[int] = MIDDLE_LOWER,
) -> Float[Tensor, ""]:
    """Mouth opening difference: mean absolute difference of :func:`mouth_opening`, in the points' unit (cm)."""
    _same_shape(generated, truth)
    result: Tensor = (mouth_opening(generated, upper, lower) - mouth_opening(truth, upper, lower)).abs().mean()
    return result


def fdd(
    generated: Float[Tensor, "frames points 3"],
    truth: Float[Tensor, "frames2 points 3"],
    upper_face: Sequence[int] = UPPER_FACE,
) -> Float[Tensor, ""]:
    """Upper-face dynamics deviation, in the points' unit (cm); positive where the truth is livelier.

    Mean over the points ``upper_face`` (eyes, irises and brows) of the temporal standard deviation of their position
    (root of the variance summed over x, y and z), truth minus generated. The two may differ in length.
    """
    chosen = list(upper_face)

    def liveliness(points: Tensor) -> Tensor:
        return points[:, chosen].var(dim=0, unbiased=False).sum(-1).sqrt()

    result: Tensor = (liveliness(truth) - liveliness(generated)).mean()
    return result


def mouth_correlation(generated: Float[Tensor, " frames"], truth: Float[Tensor, " frames"]) -> Float[Tensor, ""]:
    """Pearson correlation of two openings of one clip; 0 where one of them does not move at all."""
    _same_shape(generated, truth)
    a, b = generated.double() - generated.double().mean(), truth.double() - truth.double().mean()
    norm: Tensor = a.norm() * b.norm()
    return ((a @ b) / norm.where(norm > 0, torch.ones_like(norm))).to(generated.dtype)


def mouth_lag(generated: Float[Tensor, " frames"], truth: Float[Tensor, " frames"], reach: int = 5) -> int:
    """Frames by which the generated mouth is late: the shift of highest correlation, -``reach`` to ``reach``.

    Positive where the truth is ahead. Ties go to the smaller shift.

    Raises:
        ConfigError: the clip is too short for this reach.
    """
    frames = len(truth)
    if frames < 4 * reach:
        raise ConfigError(f"a lag of up to {reach} frames needs at least {4 * reach} frames, got {frames}")
    shifts = sorted(range(-reach, reach + 1), key=abs)
    scores = [float(shifted_correlation(generated, truth, s)) for s in shifts]
    return shifts[scores.index(max(scores))]


def shifted_correlation(
    generated: Float[Tensor, " frames"], truth: Float[Tensor, " frames"], late: int
) -> Float[Tensor, ""]:
    """`mouth_correlation` of ``generated[t + late]`` with ``truth[t]``, over the frames that both have.

    Raises:
        ConfigError: less than two frames are left.
    """
    _same_shape(generated, truth)
    frames = len(truth)
    if abs(late) > frames - 2:
        raise ConfigError(f"a shift of {late} frames leaves nothing of {frames} to compare")
    return mouth_correlation(
        generated[max(late, 0) : frames + min(late, 0)], truth[max(-late, 0) : frames - max(late, 0)]
    )


def relative_opening(opening: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """Opening as a share of the clip's own range (:data:`RANGE_QUANTILES`): 0 closed, 1 wide open, at times beyond.

    A mouth that never moves has no range; it comes back as all ones (never closed).
    """
    quantiles = torch.quantile(opening.double(), torch.tensor(RANGE_QUANTILES, dtype=torch.float64))
    low, high = float(quantiles[0]), float(quantiles[1])
    if high <= low:
        return torch.ones_like(opening)
    result: Tensor = (opening - low) / (high - low)
    return result


def closures(
    opening: Float[Tensor, " frames"], spans: list[tuple[int, int]], threshold: float = CLOSED
) -> Bool[Tensor, " spans"]:
    """For each span of frames, whether the lips close in it: the least relative opening is below ``threshold``.

    Args:
        opening: mouth opening of the whole clip, which sets the range.
        spans: (first frame, one past the last frame), for instance of every p, b and m.
        threshold: share of the clip's range.

    Raises:
        ConfigError: a span is empty or leaves the clip.
    """
    relative = relative_opening(opening)
    for start, stop in spans:
        if not 0 <= start < stop <= len(opening):
            raise ConfigError(f"frames {start} to {stop} are no part of a clip of {len(opening)} frames")
    return torch.tensor([bool(relative[a:b].min() < threshold) for a, b in spans], dtype=torch.bool)


def _same_shape(generated: Tensor, truth: Tensor) -> None:
    if generated.shape != truth.shape:
        raise ConfigError(
            f"generated motion has shape {tuple(generated.shape)}, the truth {tuple(truth.shape)}; "
            "cut them to one length"
        )
