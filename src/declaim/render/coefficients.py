"""A frame's motion as networks of pictures are told it: expression, turn, and where the head is in its square."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from declaim.face.camera import focal_length
from declaim.face.layouts import N_EXPRESSION
from declaim.face.mirror import mirror_rotation
from declaim.face.rotations import axis_angle_from_matrix
from declaim.render.cutout import HeadSquare
from declaim.render.geometry import HeadPoses

N_COEFFICIENTS = N_EXPRESSION + 6
"""b (64), the head's turn (3, rad), its place in the square (2, -1 to 1) and the logarithm of its size."""
HEAD_CM = 20.0
"""The size is the logarithm of this many cm of the head over the square's side: near zero in the corpus's pictures."""


def coefficients(
    expression: Float[Tensor, "frames expression"], poses: HeadPoses, size: tuple[int, int], square: HeadSquare
) -> Float[Tensor, "frames 70"]:
    """What the networks are told of every frame; it does not depend on the picture's size.

    Args:
        expression: b, in standard deviations.
        poses: where the head is.
        size: width and height of the picture.
        square: the head's square in it.
    """
    turn = axis_angle_from_matrix(torch.from_numpy(np.ascontiguousarray(poses.rotation)))
    shift = torch.from_numpy(np.ascontiguousarray(poses.translation))
    scale = focal_length(size) / -shift[:, 2]
    x = size[0] / 2 + scale * shift[:, 0] - square.left
    y = size[1] / 2 - scale * shift[:, 1] - square.top
    place = torch.stack([2 * x / square.side - 1, 2 * y / square.side - 1, (scale * HEAD_CM / square.side).log()], 1)
    return torch.cat([expression.double(), turn, place], 1).float()


def mirror_coefficients(
    rows: Float[Tensor, "*batch 70"], matrix: Float[Tensor, "expression expression"]
) -> Float[Tensor, "*batch 70"]:
    """Coefficients of the mirrored picture.

    Args:
        rows: of the picture.
        matrix: `declaim.face.mirror.expression_mirror` of the face model.
    """
    expression, turn, place = torch.split(rows, [N_EXPRESSION, 3, 3], -1)
    return torch.cat([expression @ matrix, mirror_rotation(turn), place * place.new_tensor([-1.0, 1.0, 1.0])], -1)
