"""From tracked clips to what the networks learn: people on one scale, blinks, gaze and personal habits taken out."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.anatomy import Anatomy
from declaim.face.layouts import N_EXPRESSION
from declaim.face.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from declaim.motion.eyes import Eyes
from declaim.motion.smoothing import smoothed

STILL_RAD = 0.012
"""Head rotation (root mean square of an axis) below which a speaker's pose is mostly tracking noise, not learnt."""
CALM_FRAMES = 1.5
"""Brows and lids are smoothed by a Gaussian this wide, or the network learns the tracker's jitter with them."""
SCALE_LIMITS = (0.6, 1.7)
"""How much a speaker's lip motion may be scaled to the common amplitude."""


def sliding_median(values: Float[Tensor, " frames"], window: int) -> Float[Tensor, " frames"]:
    """Median over ``window`` (odd) frames around each; the ends are held."""
    half = window // 2
    padded = torch.cat([values[:1].expand(half), values, values[-1:].expand(half)])
    return padded.unfold(0, window, 1).median(-1).values


def lid_dip(expression: Float[Tensor, "frames expression"], anatomy: Anatomy) -> Float[Tensor, " frames"]:
    """How far the lids are closed below their usual opening of the two seconds around, in cm."""
    opening = expression @ anatomy.eyes
    return (sliding_median(opening, 51) - opening).clamp(min=0.0)


def blink_peaks(dip: Float[Tensor, " frames"], least: float = 0.25, apart: int = 5) -> list[int]:
    """Frames of the deepest closures: at least ``least`` cm, ``apart`` frames from a deeper one, half as deep 8 off."""
    peaks = []
    for i in (dip >= least).nonzero()[:, 0].tolist():
        near = dip[max(i - apart, 0) : i + apart + 1]
        before, after = dip[max(i - 8, 0)], dip[min(i + 8, len(dip) - 1)]
        if dip[i] == near.max() and max(float(before), float(after)) < 0.5 * float(dip[i]):
            peaks.append(i)
    return peaks


def without_blinks(
    expression: Float[Tensor, "frames expression"], anatomy: Anatomy, direction: Float[Tensor, " expression"]
) -> Float[Tensor, "frames expression"]:
    """Expressions with the lids held at their usual opening wherever they dip below it.

    Args:
        expression: b.
        anatomy: measures.
        direction: b of a shut blink.
    """
    depth = -(direction @ anatomy.eyes)
    return expression - (lid_dip(expression, anatomy) / depth)[:, None] * direction


def mean_blink(
    clips: Sequence[Tensor], anatomy: Anatomy, mirror: Float[Tensor, "expression expression"]
) -> tuple[Float[Tensor, " blink"], Float[Tensor, " expression"]]:
    """The mean course of closure through a blink (11 frames, 1 in the middle), and b of a shut blink.

    Kept of b is only what moves along with the lids: one direction, the same on both sides of the face, scaled so
    that the blink shuts the eyes as far as the deeper half of those seen did.

    Raises:
        ConfigError: no blink was seen.
    """
    courses, shut = [], []
    for b in clips:
        dip = lid_dip(b, anatomy)
        for i in blink_peaks(dip):
            if 6 <= i < len(b) - 7:
                courses.append(dip[i - 5 : i + 6])
                shut.append(b[i] - (b[i - 6] + b[i + 6]) / 2)
    if not courses:
        raise ConfigError("no blink was seen in the clips: a model of blinking cannot be made from them; add footage")
    depth = torch.stack(courses)[:, 5]
    deep = depth >= depth.median()
    course = (torch.stack(courses) / depth[:, None])[deep].mean(0)
    course = ((course - course[[0, -1]].max()).clamp(min=0.0)) / (1.0 - course[[0, -1]].max())
    direction = torch.stack(shut)[deep].mean(0)
    direction = (direction + direction @ mirror) / 2
    direction = direction - anatomy.lip_basis @ (anatomy.lip_basis.T @ direction)
    direction = direction * (depth[deep].mean() / -(direction @ anatomy.eyes))
    return course, direction


def pose_around_rest(pose: Float[Tensor, "frames 6"], valid: Bool[Tensor, " frames"]) -> Float[Tensor, "frames 6"]:
    """Rotation relative to the clip's mean rotation and translation relative to its mean."""
    matrices = matrix_from_axis_angle(pose[:, :3])
    u, _, vt = torch.linalg.svd(matrices[valid].mean(0))
    rotation = axis_angle_from_matrix((u @ vt).T @ matrices)
    return torch.cat([rotation, pose[:, 3:] - pose[valid, 3:].mean(0)], 1)


def lip_scale(clips: Sequence[Tensor], anatomy: Anatomy, typical_cm: float) -> float:
    """Factor that brings a speaker's mouth opening to the typical standard deviation."""
    spread = float(torch.cat([c @ anatomy.mouth - (c @ anatomy.mouth).mean() for c in clips]).std())
    return min(max(typical_cm / max(spread, 1e-6), SCALE_LIMITS[0]), SCALE_LIMITS[1])


def expression_target(
    expression: Float[Tensor, "frames expression"], anatomy: Anatomy, eyes: Eyes, scale: float
) -> Float[Tensor, "frames expression"]:
    """What the expression network learns from one clip.

    Blinks and gaze are taken out; lip motion is brought to the common amplitude (measured from the closed mouth); the
    rest of the face is smoothed and measured from its own mean in the clip, so that nobody's raised brows become
    everybody's.

    Args:
        expression: b as tracked.
        anatomy: measures.
        eyes: measured.
        scale: the speaker's `lip_scale`.
    """
    open_eyed = without_blinks(expression, anatomy, eyes.blink_direction)
    lips = open_eyed @ anatomy.lip_basis @ anatomy.lip_basis.T
    others = smoothed(open_eyed - lips, CALM_FRAMES)
    return eyes.without_gaze(scale * lips + others - others.mean(0))


def motion_target(
    motion: Float[Tensor, "frames dim"],
    valid: Bool[Tensor, " frames"],
    anatomy: Anatomy,
    eyes: Eyes,
    *,
    lip_scale: float = 1.0,
    pose_scale: float = 1.0,
) -> Float[Tensor, "frames dim"]:
    """What is learnt from one clip: its `expression_target` and its `pose_around_rest`.

    Args:
        motion: as tracked, in the face64 layout.
        valid: frames with a face.
        anatomy: measures.
        eyes: measured.
        lip_scale: what the lips' motion is multiplied by; 1 leaves a person his own amplitude.
        pose_scale: the same for the head.
    """
    expression = expression_target(motion[:, :N_EXPRESSION], anatomy, eyes, lip_scale)
    return torch.cat([expression, pose_scale * pose_around_rest(motion[:, N_EXPRESSION:], valid)], 1)
