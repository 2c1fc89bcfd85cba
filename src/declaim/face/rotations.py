"""Rotations: axis-angle vectors and matrices, exact in both directions near 0 and near pi.

A rotation vector points along the axis; its length is the angle in radians, in [0, pi].
"""

import torch
from jaxtyping import Float
from torch import Tensor


def matrix_from_axis_angle(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation matrix of a rotation vector (rad); acts on column vectors from the left.

    Rodrigues' formula in the form ``I + a K + b K^2`` with ``K`` the cross-product matrix of the vector itself, so that
    the factors ``a = sin(t) / t`` and ``b = (1 - cos(t)) / t^2`` are smooth, and differentiable, at zero.
    """
    angle2 = (axis_angle * axis_angle).sum(-1)[..., None, None]
    small = angle2 < 1e-6
    safe = torch.where(small, torch.ones_like(angle2), angle2)
    angle = safe.sqrt()
    a = torch.where(small, 1 - angle2 / 6, angle.sin() / angle)
    b = torch.where(small, 0.5 - angle2 / 24, (1 - angle.cos()) / safe)
    k = cross_matrix(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + a * k + b * (k @ k)


def axis_angle_from_matrix(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """The rotation vector (rad, length in [0, pi]) of a rotation matrix.

    Goes through the unit quaternion, taking its largest component first, which stays exact at every angle.
    """
    w, x, y, z = quaternion_from_matrix(matrix).unbind(-1)
    vector = torch.stack([x, y, z], -1)
    sine = vector.norm(dim=-1)
    angle = 2 * torch.atan2(sine, w)
    small = sine < 1e-8
    scale = torch.where(small, torch.full_like(sine, 2.0), angle / torch.where(small, torch.ones_like(sine), sine))
    return vector * scale[..., None]


def quaternion_from_matrix(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """The unit quaternion (w, x, y, z) with ``w >= 0`` of a rotation matrix."""
    m = matrix
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    a, b, c = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    d, e, f = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    # Each row is 4 q_i (w, x, y, z) for i = w, x, y, z: the row of the largest q_i is the most exact.
    rows = torch.stack(
        [
            torch.stack([1 + m00 + m11 + m22, a, b, c], -1),
            torch.stack([a, 1 + m00 - m11 - m22, d, e], -1),
            torch.stack([b, d, 1 - m00 + m11 - m22, f], -1),
            torch.stack([c, e, f, 1 - m00 - m11 + m22], -1),
        ],
        -2,
    )
    best = torch.diagonal(rows, dim1=-2, dim2=-1).argmax(-1)
    row = torch.gather(rows, -2, best[..., None, None].expand(*best.shape, 1, 4)).squeeze(-2)
    quaternion = row / row.norm(dim=-1, keepdim=True)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def cross_matrix(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The matrix ``K`` with ``K u = vector x u``."""
    x, y, z = vector.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([torch.stack([o, -z, y], -1), torch.stack([z, o, -x], -1), torch.stack([-y, x, o], -1)], -2)


def yaw_pitch_roll(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Head yaw, pitch and roll in rad: ``R = Ry(yaw) Rx(pitch) Rz(roll)``.

    Yaw is positive when the face turns to the viewer's right, pitch when it looks down, roll when it tilts
    counter-clockwise as the viewer sees it.
    """
    m = matrix_from_axis_angle(axis_angle)
    yaw = torch.atan2(m[..., 0, 2], m[..., 2, 2])
    pitch = torch.asin((-m[..., 1, 2]).clamp(-1, 1))
    roll = torch.atan2(m[..., 1, 0], m[..., 1, 1])
    return torch.stack([yaw, pitch, roll], -1)


def continuous(axis_angle: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 3"]:
    """The same rotations with each vector chosen nearest to its predecessor, so that tracks may be interpolated."""
    out = axis_angle.clone()
    for i in range(1, len(out)):
        angle = out[i].norm()
        if angle > 1e-6:
            turns = torch.round((out[i - 1] @ out[i] / angle - angle) / (2 * torch.pi))
            out[i] = out[i] * (1 + 2 * torch.pi * turns / angle)
    return out
