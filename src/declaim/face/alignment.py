"""The similarity transform that lays one set of points onto another."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.face.camera import estimate_pose, unproject


class Similarity(NamedTuple):
    """``point @ matrix + offset``; displacements take the matrix alone.

    Attributes:
        matrix: scale times a rotation, for row vectors.
        offset: in the target's unit.
    """

    matrix: Float[Tensor, "3 3"]
    offset: Float[Tensor, " 3"]

    def __call__(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """The points moved, turned and scaled."""
        return points @ self.matrix + self.offset

    @property
    def scale(self) -> float:
        """How much longer lengths become."""
        return float(torch.det(self.matrix.double()) ** (1 / 3))

    @property
    def rotation(self) -> Float[Tensor, "3 3"]:
        """The turn alone, acting on column vectors from the left."""
        return self.matrix.T / self.scale


def similarity(source: Float[Tensor, "points 3"], target: Float[Tensor, "points 3"]) -> Similarity:
    """The similarity that takes ``source`` nearest to ``target``: least squares in closed form (`estimate_pose`)."""
    flip, size = source.new_tensor([1.0, -1.0, -1.0]), (2, 2)
    pose = estimate_pose(source * flip, target, torch.ones_like(source[:, 0]), size)
    axes = torch.cat([source.new_zeros(1, 3), torch.eye(3, dtype=source.dtype)])
    origin, *ends = unproject(axes * flip, pose, size)
    return Similarity(torch.stack(ends) - origin, origin)
