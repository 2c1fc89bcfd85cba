"""Linear measures of a face model's expressions: which directions move the lips, how far mouth and eyes open."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.face.layouts import (
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    LIPS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
)
from declaim.face.model import FaceModel

LIP_DIRECTIONS = 10
"""Directions in b that are the lips': they hold 99 % of the lip points' variance."""


def lip_directions(model: FaceModel, count: int = LIP_DIRECTIONS) -> Float[Tensor, "expression directions"]:
    """Orthonormal directions in b that move the lips most."""
    lips = model.expression_basis[:, list(LIPS)].flatten(1)
    return torch.linalg.svd(lips, full_matrices=False).U[:, :count].contiguous()


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Linear measures of the face model's expressions.

    Attributes:
        lips: rows of the lip points, ``b @ lips`` in cm.
        lip_basis: orthonormal directions in b that move the lips most.
        mouth: ``b @ mouth`` is the opening of the mouth in cm.
        eyes: ``b @ eyes`` is the opening of the eyes in cm.
    """

    lips: Float[Tensor, "expression rows"]
    lip_basis: Float[Tensor, "expression directions"]
    mouth: Float[Tensor, " expression"]
    eyes: Float[Tensor, " expression"]

    @classmethod
    def of(cls, model: FaceModel) -> "Anatomy":
        """The measures of ``model``."""
        basis = model.expression_basis
        lips = basis[:, list(LIPS)].flatten(1)
        mouth = _gap(basis, LIPS_INNER_UPPER[4:7], LIPS_INNER_LOWER[4:7])
        right = _gap(basis, RIGHT_EYE_UPPER[2:-2], RIGHT_EYE_LOWER[2:-2])
        left = _gap(basis, LEFT_EYE_UPPER[2:-2], LEFT_EYE_LOWER[2:-2])
        return cls(lips, lip_directions(model), mouth, (right + left) / 2)


def _gap(
    basis: Float[Tensor, "expression points 3"], upper: tuple[int, ...], lower: tuple[int, ...]
) -> Float[Tensor, " expression"]:
    return (basis[:, list(upper), 1] - basis[:, list(lower), 1]).mean(-1)
