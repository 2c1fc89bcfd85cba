"""A motion to a file whose name says the format."""

from pathlib import Path
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError
from declaim.export.arkit import write_arkit_json, write_live_link_csv
from declaim.face.arkit import with_arkit
from declaim.face.model import FaceModel
from declaim.face.motion_file import write_motion
from declaim.types import Motion


def save_motion(
    path: str | Path,
    motion: Motion,
    *,
    pose_origin: Literal["camera", "rest"],
    points: Float[Tensor, "frames points 3"] | None = None,
) -> None:
    """Write a motion as .npz (everything), .csv (Live Link Face columns) or .json (ARKit coefficients and pose).

    Generated motion has no ARKit coefficients of its own: they are computed here from the face model's geometry.

    Args:
        path: the name's ending chooses the format.
        motion: what to write.
        pose_origin: ``"camera"`` for tracked motion, ``"rest"`` for generated motion.
        points: the tracker's points in pixels, kept in .npz.

    Raises:
        ConfigError: unknown ending.
        Unwritable: the folder does not exist or cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".npz", ".csv", ".json"):
        raise ConfigError(f"cannot write {path}: a motion is written as .npz, .csv or .json; choose such a name")
    if motion.arkit is None:
        motion = with_arkit(motion, FaceModel.from_pretrained())
    if suffix == ".npz":
        write_motion(path, motion, points=points, pose_origin=pose_origin)
    elif suffix == ".csv":
        write_live_link_csv(path, motion)
    else:
        write_arkit_json(path, motion)
