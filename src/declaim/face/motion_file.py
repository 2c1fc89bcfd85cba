"""Motion files: one ``.npz`` that holds a Motion exactly, readable with nothing but numpy.

    expression (frames, 64)  arkit (frames, 52)  arkit_names (52,)  rotation (frames, 3)  translation (frames, 3)
    fps (2,) numerator and denominator           layout, pose_origin: text; format_version: a number
    valid (frames,), points (frames, 478, 3): if known

Any other part of a layout is stored under its own name.
"""

import json
import zipfile
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import CheckpointError
from declaim.face.layouts import ARKIT_NAMES
from declaim.pretrained import atomic_file
from declaim.types import Motion, MotionLayout, Part

FORMAT_VERSION = 1
PoseOrigin = Literal["camera", "rest"]
"""What a zero pose means: the camera's own axes (tracked motion), or the head's rest pose (generated motion)."""


def write_motion(
    path: str | Path,
    motion: Motion,
    *,
    points: Float[Tensor, "frames points 3"] | None = None,
    pose_origin: PoseOrigin = "camera",
) -> None:
    """Write a motion as ``.npz``; the file appears whole or not at all.

    Args:
        path: where to; the name should end in ``.npz``.
        motion: one motion, without batch dimensions.
        points: the tracked points in pixels, if they are to be kept.
        pose_origin: ``"camera"`` for tracked, ``"rest"`` for generated motion.

    Raises:
        Unwritable: the folder does not exist or cannot be written.
    """
    arrays: dict[str, Any] = {
        "format_version": np.int64(FORMAT_VERSION),
        "layout": np.str_(json.dumps({"name": motion.layout.name, "parts": [asdict(p) for p in motion.layout.parts]})),
        "pose_origin": np.str_(pose_origin),
        "fps": np.array([motion.fps.numerator, motion.fps.denominator], np.int64),
        **{part.name: motion[part.name].detach().cpu().numpy() for part in motion.layout.parts},
    }
    if motion.arkit is not None:
        arrays["arkit"] = motion.arkit.detach().cpu().numpy()
        arrays["arkit_names"] = np.array(ARKIT_NAMES)
    if motion.valid is not None:
        arrays["valid"] = motion.valid.cpu().numpy()
    if points is not None:
        arrays["points"] = points.detach().cpu().numpy()
    with atomic_file(Path(path)) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_motion(path: str | Path) -> Motion:
    """Read what `write_motion` wrote, exactly.

    Raises:
        CheckpointError: the file is missing, no motion file, damaged or of another version.
    """
    arrays = _load(Path(path))
    try:
        layout = _layout(str(arrays["layout"]))
        values = torch.cat([torch.from_numpy(arrays[part.name]) for part in layout.parts], -1)
        numerator, denominator = (int(n) for n in arrays["fps"])
        optional = {name: torch.from_numpy(arrays[name]) for name in ("valid", "arkit") if name in arrays}
        return Motion(values, layout, Fraction(numerator, denominator), **optional)
    except (KeyError, TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise CheckpointError(f"{path} is no motion file of declaim: {_reason(error)}") from error


def read_pose_origin(path: str | Path) -> PoseOrigin:
    """What a zero pose means in a motion file.

    Raises:
        CheckpointError: see `read_motion`.
    """
    origin = str(_load(Path(path)).get("pose_origin"))
    if origin not in ("camera", "rest"):
        raise CheckpointError(f"{path} is no motion file of declaim: its pose_origin is {origin!r}")
    return cast(PoseOrigin, origin)


def read_points(path: str | Path) -> Float[Tensor, "frames points 3"] | None:
    """The tracked points of a motion file in pixels, if they were kept.

    Raises:
        CheckpointError: see `read_motion`.
    """
    points = _load(Path(path)).get("points")
    return None if points is None else torch.from_numpy(points)


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no motion file {path}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise CheckpointError(
            f"{path} is no motion file: expected an .npz written by declaim ({_reason(error)})"
        ) from error
    version = arrays.get("format_version")
    if version is None or version.size != 1:
        raise CheckpointError(f"{path} is no motion file of declaim: it has no format_version")
    if int(version) != FORMAT_VERSION:
        raise CheckpointError(f"{path} has format version {version}, this declaim reads {FORMAT_VERSION}")
    return arrays


def _layout(text: str) -> MotionLayout:
    stored = json.loads(text)
    return MotionLayout(stored["name"], tuple(Part(**part) for part in stored["parts"]))


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
