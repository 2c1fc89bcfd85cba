"""The portrait's face in head space, and where a motion takes it."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from declaim.face.camera import Pose, focal_length, unproject
from declaim.face.rotations import matrix_from_axis_angle
from declaim.render.base import Anchor
from declaim.types import Motion, Portrait


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
