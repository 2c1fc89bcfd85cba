"""Face and head pose apart: heads that are kept still teach no pose, so a loss counts each where its own mask says."""

from collections.abc import Callable

from jaxtyping import Bool, Float
from torch import Tensor

Masks = tuple[Bool[Tensor, "batch frames"], Bool[Tensor, "batch frames"]]
"""Frames that count for the face, and for the pose."""


def face_and_pose(
    values: Float[Tensor, "*batch columns"], face: int
) -> tuple[Float[Tensor, "*batch face"], Float[Tensor, "*batch pose"]]:
    """The first ``face`` columns, and the others."""
    return values[..., :face], values[..., face:]


def by_part(
    loss: Callable[..., Tensor],
    clean: Float[Tensor, "batch frames columns"],
    estimate: Float[Tensor, "batch frames columns"],
    face: int,
    masks: Masks,
) -> Float[Tensor, ""]:
    """A loss (clean, estimate, mask) of the face, the first ``face`` columns, and of the pose, summed."""
    pairs = zip(face_and_pose(clean, face), face_and_pose(estimate, face), masks, strict=True)
    of_face, of_pose = (loss(*pair) for pair in pairs)
    return of_face + of_pose
