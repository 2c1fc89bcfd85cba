"""The weak-perspective camera between head space (cm) and image pixels, and head pose from tracked points.

The camera stands at the origin and looks down -z; x goes to the viewer's right, y up. A picture of height H has the
focal length ``f = (H / 2) / tan(63 deg / 2)`` pixels (MediaPipe's field of view). A head at ``t`` is seen at the scale
``s = f / -t_z`` pixels per cm, the same for all its points, which makes projection exactly invertible:

    u = W/2 + s (R S + t)_x      v = H/2 - s (R S + t)_y      z = -s (R S)_z + depth
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.face.rotations import axis_angle_from_matrix, matrix_from_axis_angle

VERTICAL_FIELD_OF_VIEW = math.radians(63)
"""The camera that MediaPipe's face geometry assumes, in rad."""


class Pose(NamedTuple):
    """Head pose: where the head is and how it is turned.

    Attributes:
        rotation: axis-angle, rad, head frame to camera frame.
        translation: cm.
        depth: offset in pixels of the tracker's z, which is relative to the head; 0 in our own projections.
    """

    rotation: Float[Tensor, "*batch 3"]
    translation: Float[Tensor, "*batch 3"]
    depth: Float[Tensor, "*batch"]


def focal_length(size: tuple[int, int]) -> float:
    """Focal length in pixels of a picture of ``size`` (width, height)."""
    return size[1] / 2 / math.tan(VERTICAL_FIELD_OF_VIEW / 2)


def project(
    shape: Float[Tensor, "*shapes points 3"], pose: Pose, size: tuple[int, int]
) -> Float[Tensor, "*batch points 3"]:
    """Pixels (x right, y down, z away from the viewer) of head-space points in cm.

    Args:
        shape: points in head space, cm; one shape for all poses, or one for each.
        pose: head pose.
        size: width and height of the picture.
    """
    scale = (focal_length(size) / -pose.translation[..., 2])[..., None]
    turned = shape @ matrix_from_axis_angle(pose.rotation).mT
    x = size[0] / 2 + scale * (turned[..., 0] + pose.translation[..., 0, None])
    y = size[1] / 2 - scale * (turned[..., 1] + pose.translation[..., 1, None])
    return torch.stack([x, y, pose.depth[..., None] - scale * turned[..., 2]], -1)


def unproject(
    points: Float[Tensor, "*batch points 3"], pose: Pose, size: tuple[int, int]
) -> Float[Tensor, "*batch points 3"]:
    """Head-space points in cm of pixels: the exact inverse of `project`."""
    scale = (focal_length(size) / -pose.translation[..., 2])[..., None]
    x = (points[..., 0] - size[0] / 2) / scale - pose.translation[..., 0, None]
    y = (size[1] / 2 - points[..., 1]) / scale - pose.translation[..., 1, None]
    z = (pose.depth[..., None] - points[..., 2]) / scale
    return torch.stack([x, y, z], -1) @ matrix_from_axis_angle(pose.rotation)


def estimate_pose(
    points: Float[Tensor, "*batch points 3"],
    shape: Float[Tensor, "*shapes points 3"],
    weights: Float[Tensor, " points"],
    size: tuple[int, int],
) -> Pose:
    """The pose under which ``shape`` comes nearest to the tracked points: weighted least squares in closed form.

    Paper: Umeyama (PAMI 1991), eqs. 40-42, with weights.

    Args:
        points: tracked points in pixels.
        shape: the head's shape in cm; one for all, or one for each frame.
        weights: how much each point counts, >= 0.
        size: width and height of the picture.
    """
    kind = points.dtype
    target = (points * points.new_tensor([1.0, -1.0, -1.0])).double()  # pixels in the camera's axes
    target = target + target.new_tensor([-size[0] / 2, size[1] / 2, 0.0])
    source, w = shape.double(), (weights / weights.sum()).double()[:, None]
    target_mean, source_mean = (w * target).sum(-2, keepdim=True), (w * source).sum(-2, keepdim=True)
    source = source - source_mean
    u, sigma, vt = torch.linalg.svd((target - target_mean).mT @ (w * source))
    sign = torch.ones_like(sigma)
    sign[..., 2] = torch.det(u @ vt).sign()
    rotation = (u * sign[..., None, :]) @ vt
    scale = (sigma * sign).sum(-1) / (w * source * source).sum((-2, -1))
    offset = target_mean[..., 0, :] / scale[..., None] - (rotation @ source_mean.mT)[..., 0]
    depth = -offset[..., 2] * scale
    translation = torch.stack([offset[..., 0], offset[..., 1], -focal_length(size) / scale], -1)
    return Pose(axis_angle_from_matrix(rotation).to(kind), translation.to(kind), depth.to(kind))
