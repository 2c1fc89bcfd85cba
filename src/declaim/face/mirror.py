"""Left and right exchanged: points, rotations, translations, expressions and whole motions."""

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.face.layouts import ARKIT_NAMES, MIRROR
from declaim.face.model import FaceModel
from declaim.types import Motion


def mirror_points(shape: Float[Tensor, "*batch points 3"]) -> Float[Tensor, "*batch points 3"]:
    """A shape in head space as seen in a mirror: x changes sign and every point becomes its partner."""
    return shape[..., list(MIRROR), :] * shape.new_tensor([-1.0, 1.0, 1.0])


def mirror_pixels(points: Float[Tensor, "*batch points 3"], width: int) -> Float[Tensor, "*batch points 3"]:
    """Tracked points of the mirrored picture of ``width`` pixels."""
    mirrored = points[..., list(MIRROR), :].clone()
    mirrored[..., 0] = width - mirrored[..., 0]
    return mirrored


def mirror_rotation(rotation: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """An axis-angle rotation as seen in a mirror: nodding stays, turning and tilting change sign."""
    return rotation * rotation.new_tensor([1.0, -1.0, -1.0])


def mirror_translation(translation: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """A translation as seen in a mirror."""
    return translation * translation.new_tensor([-1.0, 1.0, 1.0])


def mirror_arkit(scores: Float[Tensor, "*batch 52"]) -> Float[Tensor, "*batch 52"]:
    """ARKit coefficients with left and right exchanged."""
    return scores[..., list(_ARKIT_MIRROR)]


def expression_mirror(model: FaceModel) -> Float[Tensor, "expression expression"]:
    """The matrix ``M`` with which ``b @ M`` is the mirrored expression.

    The model's basis was fitted to faces and their mirror images, so its span is closed under mirroring and ``M`` is
    its own inverse up to rounding.
    """
    return model.fit_expression(mirror_points(model.expression_basis), torch.zeros_like(model.mean))


def mirror_motion(motion: Motion, model: FaceModel, matrix: Tensor | None = None) -> Motion:
    """The motion as seen in a mirror.

    Args:
        motion: a motion in the face64 layout.
        model: the face model of its expressions.
        matrix: `expression_mirror` of the model, if it is already known.
    """
    matrix = expression_mirror(model) if matrix is None else matrix
    mirrored = motion.replace(
        expression=motion["expression"] @ matrix,
        rotation=mirror_rotation(motion["rotation"]),
        translation=mirror_translation(motion["translation"]),
    )
    if motion.arkit is None:
        return mirrored
    return Motion(mirrored.values, motion.layout, motion.fps, motion.valid, mirror_arkit(motion.arkit))


def _partner(name: str) -> str:
    if "Left" in name:
        return name.replace("Left", "Right")
    return name.replace("Right", "Left")


_ARKIT_MIRROR = tuple(ARKIT_NAMES.index(_partner(name)) for name in ARKIT_NAMES)
