"""A motion as the head takes it: coefficients, and a pose counted from where the head rests."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.arkit import arkit_from_motion
from declaim.face.model import FaceModel
from declaim.face.motion_file import PoseOrigin
from declaim.types import Motion


class HeadMotion(NamedTuple):
    """What drives `Head3D.vertices`, frame by frame.

    Attributes:
        arkit: the 52 ARKit coefficients.
        rotation: axis-angle, rad.
        translation: cm, from where the head rests.
    """

    arkit: Float[Tensor, "frames 52"]
    rotation: Float[Tensor, "frames 3"]
    translation: Float[Tensor, "frames 3"]


def head_motion(motion: Motion, pose_origin: PoseOrigin) -> HeadMotion:
    """Coefficients and pose of a motion for the head.

    Args:
        motion: one motion; coefficients that it lacks are computed (`declaim.face.arkit`).
        pose_origin: ``"rest"``: zero is the head at rest, as in generated motion; ``"camera"``: poses are as seen from
            a camera, as in tracked motion, so that positions are counted from their mean.

    Raises:
        ConfigError: the motion has a batch axis, or no frames.
    """
    if motion.values.ndim != 2:
        raise ConfigError(f"the head takes one motion, not a batch of shape {tuple(motion.values.shape)}")
    if len(motion) == 0:
        raise ConfigError("the motion has no frames: there is nothing to show")
    arkit = arkit_from_motion(motion, FaceModel.from_pretrained()) if motion.arkit is None else motion.arkit
    translation = motion["translation"].float()
    if pose_origin == "camera":
        seen = translation if motion.valid is None else translation[motion.valid]
        translation = translation - (seen if len(seen) else translation).mean(0)
    return HeadMotion(arkit, motion["rotation"].float(), translation)
