"""Where a portrait's head is, where a motion takes it, and where its points are seen."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.camera import Pose, focal_length, unproject
from declaim.face.layouts import CHIN, FOREHEAD, LIPS_INNER_LOWER, LIPS_INNER_UPPER
from declaim.face.model import FaceModel
from declaim.face.rotations import matrix_from_axis_angle
from declaim.render.base import Anchor
from declaim.types import Motion, Portrait

SAME_EXPRESSION_CM = (0.12, 0.3)
"""Mean distance of the points of two expressions up to which they count as one, and from which they do not."""


@dataclass(frozen=True, eq=False)
class HeadPoses:
    """Where the head is in every frame.

    Attributes:
        rotation: head frame to camera frame.
        translation: cm.
    """

    rotation: Float[np.ndarray, "frames 3 3"]
    translation: Float[np.ndarray, "frames 3"]


def picture_size(portrait: Portrait) -> tuple[int, int]:
    """Width and height in pixels."""
    return portrait.image.shape[1], portrait.image.shape[0]


def portrait_pose(portrait: Portrait) -> HeadPoses:
    """The pose in the picture, as one frame."""
    rotation = matrix_from_axis_angle(portrait.rotation.double())[None]
    return HeadPoses(rotation.numpy(), portrait.translation.double()[None].numpy())


def anchored(portrait: Portrait, motion: Motion, anchor: Anchor, model: FaceModel) -> tuple[Portrait, HeadPoses]:
    """The portrait with the expression that it wears, and where a motion takes its head.

    Args:
        portrait: the picture.
        motion: expression and head pose (no batch axis).
        anchor: ``"first"``: the portrait's pose corresponds to the motion's first frame; ``"rest"``: to zero.
        model: the face model.

    Raises:
        ConfigError: the motion has a batch axis, or the anchor is unknown.
    """
    if motion.values.ndim != 2:
        raise ConfigError(f"the renderer takes one motion, not a batch of shape {tuple(motion.values.shape)}")
    if anchor not in ("first", "rest"):
        raise ConfigError(f"anchor is {anchor!r}; it can be 'first' or 'rest'")
    poses = relative_poses(portrait, motion, anchor)
    if anchor == "first" and len(motion):
        portrait = replace(portrait, expression=worn_expression(portrait, motion["expression"][0], model))
    return portrait, poses


def relative_poses(portrait: Portrait, motion: Motion, anchor: Anchor) -> HeadPoses:
    """The motion's head poses, moved so that its anchor lies on the portrait's own pose.

    Rotations are composed in the camera's frame (a nod stays a nod when the portrait looks aside); translations are
    added in cm.

    Args:
        portrait: the picture.
        motion: a motion (no batch axis).
        anchor: ``"first"``: the first frame has the portrait's pose; ``"rest"``: zero rotation and translation have.
    """
    turn = matrix_from_axis_angle(motion["rotation"].double())
    shift = motion["translation"].double()
    if anchor == "first" and len(motion):
        turn, shift = turn @ turn[0].mT, shift - shift[0]
    own = portrait_pose(portrait)
    translation = own.translation + shift.numpy()
    # nearer than a third of the portrait's distance the weak-perspective head would fill the picture
    translation[:, 2] = np.minimum(translation[:, 2], own.translation[0, 2] / 3)
    return HeadPoses(turn.numpy() @ own.rotation[0], translation)


def project_points(
    points: Float[np.ndarray, "points 3"],
    rotation: Float[np.ndarray, "3 3"],
    translation: Float[np.ndarray, " 3"],
    size: tuple[int, int],
) -> Float[np.ndarray, "points 3"]:
    """Pixels (x right, y down, z away from the viewer) of head-space points under one pose."""
    scale = focal_length(size) / -translation[2]
    turned = points @ rotation.T
    out = np.empty_like(turned)
    out[:, 0] = size[0] / 2 + scale * (turned[:, 0] + translation[0])
    out[:, 1] = size[1] / 2 - scale * (turned[:, 1] + translation[1])
    out[:, 2] = -scale * turned[:, 2]
    return out


def lift(points: Float[np.ndarray, "n 3"], portrait: Portrait) -> Float[np.ndarray, "n 3"]:
    """Head-space positions, cm, of pixels of the portrait (x right, y down, z away from the viewer)."""
    pose = Pose(portrait.rotation.double(), portrait.translation.double(), torch.zeros((), dtype=torch.float64))
    return unproject(torch.from_numpy(points), pose, picture_size(portrait)).numpy()


def worn_expression(
    portrait: Portrait, first: Float[Tensor, " expression"], model: FaceModel
) -> Float[Tensor, " expression"]:
    """The expression that the portrait wears, when it stands for a motion's first frame.

    What one picture tells of expression and identity is uncertain by about a millimetre. If the portrait's own fit
    and the motion's first frame differ by no more than that, the first frame is believed: then the face starts
    exactly as the portrait has it.
    """
    apart = float(model.offsets(portrait.expression - first).norm(dim=-1).mean())
    share = 1 - float(smoothstep(np.array((apart - SAME_EXPRESSION_CM[0]) / np.ptp(SAME_EXPRESSION_CM))))
    return portrait.expression + share * (first - portrait.expression)


def lip_gap(points: Float[Tensor, "*batch points _"]) -> Float[Tensor, "*batch"]:
    """Mean distance of the inner lips' middle points in the picture, in face heights."""
    upper, lower = list(LIPS_INNER_UPPER[3:8]), list(LIPS_INNER_LOWER[3:8])
    height = (points[..., FOREHEAD, :2] - points[..., CHIN, :2]).norm(dim=-1)
    gap: Tensor = (points[..., upper, :2] - points[..., lower, :2]).norm(dim=-1).mean(-1) / height
    return gap


def smoothstep(x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """0 below 0, 1 above 1, with two continuous derivatives between."""
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * x * (x * (6 * x - 15) + 10))
