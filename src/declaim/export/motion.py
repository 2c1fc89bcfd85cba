"""A motion to a file whose name says the format."""

from pathlib import Path
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError
from declaim.export.arkit import write_arkit_json, write_live_link_csv
from declaim.export.gltf import write_glb
from declaim.face.arkit import with_arkit
from declaim.face.model import FaceModel
from declaim.face.motion_file import write_motion
from declaim.types import Motion

MOTION_SUFFIXES = (".npz", ".csv", ".json", ".glb")
"""Endings of motion files."""


def save_motion(
    path: str | Path,
    motion: Motion,
    *,
    pose_origin: Literal["camera", "rest"],
    points: Float[Tensor, "frames points 3"] | None = None,
    sound: str | None = None,
) -> None:
    """Write a motion: .npz (everything), .csv (Live Link Face columns), .json (ARKit and pose), .glb (animated head).

    Generated motion has no ARKit coefficients of its own: they are computed here from the face model's geometry.

    Args:
        path: the name's ending chooses the format.
        motion: what to write.
        pose_origin: ``"camera"`` for tracked motion, ``"rest"`` for generated motion.
        points: the tracker's points in pixels, kept in .npz.
        sound: name of the sound file beside it, told in .glb.

    Raises:
        ConfigError: unknown ending; for .glb also a motion without frames.
        Unwritable: the folder does not exist or cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in MOTION_SUFFIXES:
        known = ", ".join(MOTION_SUFFIXES)
        raise ConfigError(f"cannot write {path}: a motion is written as one of {known}; choose such a name")
    if motion.arkit is None:
        motion = with_arkit(motion, FaceModel.from_pretrained())
    if suffix == ".npz":
        write_motion(path, motion, points=points, pose_origin=pose_origin)
    elif suffix == ".csv":
        write_live_link_csv(path, motion)
    elif suffix == ".glb":
        write_glb(path, motion, pose_origin=pose_origin, sound=sound)
    else:
        write_arkit_json(path, motion)
