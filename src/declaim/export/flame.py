"""FLAME coefficients in and out, for people who hold that model; nothing here contains or needs it otherwise.

A FLAME file (.npz) has one row a frame. Lengths are metres, rotations axis-angle in rad; axes are those of declaim's
head space: x to the viewer's right, y up, z toward the viewer.

    expr (frames, n)    rotation, neck_pose, jaw_pose, translation (frames, 3)    fps
    eyes_pose (frames, 6: left, right)    eyelids (frames, 2: left, right, 0 open to 1 closed)

These are VHAP's names. `read_flame` also takes DECA's and DiffPoseTalk's (``exp``; ``pose``: head, then jaw) and
SMIRK's (``expression_params``, ``pose_params``, ``jaw_params``, ``eyelid_params``); whatever is missing is zero.

    exact       head rotation and translation (of the holder's model where a `FlameMap` is given)
    by rule     jaw, gaze and lids from ARKit coefficients, and back
    fitted      with a `FlameMap`: expr and jaw from b, and back
"""

import zipfile
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import CheckpointError, ConfigError
from declaim.export.arkit import EYE_TURN_RAD, eye_angles
from declaim.export.flame_map import FlameMap, FlamePlace
from declaim.face.head3d import Head3D
from declaim.face.head3d_motion import head_motion
from declaim.face.layouts import ARKIT_NAMES, FACE64
from declaim.face.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from declaim.pretrained import atomic_file
from declaim.timebase import FPS
from declaim.types import Motion

JAW_TURN_RAD = 0.4255
"""Turn of the jaw at jawOpen 1: that of the lower teeth of the head that ships with declaim (24.4 degrees)."""
_ALIASES = {
    "exp": "expr", "expression_params": "expr", "pose_params": "rotation", "jaw_params": "jaw_pose",
    "eyelid_params": "eyelids",
}  # fmt: skip
_COLUMNS = {"rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "eyelids": 2, "translation": 3}


@dataclass(frozen=True, eq=False)
class Flame:
    """FLAME coefficients over time; see the module for units and axes."""

    expr: Float[Tensor, "frames n"]
    rotation: Float[Tensor, "frames 3"]
    neck_pose: Float[Tensor, "frames 3"]
    jaw_pose: Float[Tensor, "frames 3"]
    eyes_pose: Float[Tensor, "frames 6"]
    eyelids: Float[Tensor, "frames 2"]
    translation: Float[Tensor, "frames 3"]
    fps: Fraction = FPS


def flame_from_motion(motion: Motion, fitted: FlameMap | None = None) -> Flame:
    """FLAME coefficients of a generated motion.

    Args:
        motion: one motion.
        fitted: made from the holder's model; without it ``expr`` has no columns and the jaw follows jawOpen alone.

    Raises:
        ConfigError: the motion has a batch axis, or no frames.
    """
    moved = head_motion(motion, "rest")
    place = FlamePlace() if fitted is None else fitted.place
    rotation, translation = place.into_flame(matrix_from_axis_angle(moved.rotation), moved.translation)
    if fitted is None:
        expr, jaw = moved.arkit.new_zeros(len(motion), 0), moved.arkit.new_zeros(len(motion), 3)
        jaw[:, 0] = JAW_TURN_RAD * moved.arkit[:, ARKIT_NAMES.index("jawOpen")]
    else:
        expr, jaw = fitted.coefficients(motion["expression"])
    eyes = torch.cat(
        [torch.stack([pitch, yaw, roll], 1) for yaw, pitch, roll in (a.T for a in eye_angles(moved.arkit))], 1
    )
    lids = moved.arkit[:, [ARKIT_NAMES.index(f"eyeBlink{side}") for side in ("Left", "Right")]]
    return Flame(
        expr, axis_angle_from_matrix(rotation), torch.zeros_like(jaw), jaw, eyes, lids, translation, motion.fps
    )


def motion_from_flame(flame: Flame, fitted: FlameMap | None = None, head: Head3D | None = None) -> Motion:
    """A motion with these coefficients.

    The eyes, and without a fitted map the jaw, become the smallest b whose linear coefficients (`Head3D`) they are.

    Args:
        flame: coefficients.
        fitted: made from the holder's model; without it ``expr`` must be left out, since only that model knows it.
        head: another head, for its linear map.

    Raises:
        ConfigError: expressions without a model, or more of them than the model has.
    """
    if fitted is None and bool(flame.expr.any()):
        raise ConfigError(
            f"the FLAME file has {flame.expr.shape[1]} expression coefficients, which mean nothing without the model; "
            "give a FlameMap made from it, or leave them out"
        )
    head = Head3D.from_pretrained() if head is None else head
    wanted = _eye_scores(flame)
    if fitted is None:
        wanted["jawOpen"] = flame.jaw_pose[:, 0] / JAW_TURN_RAD
    chosen = [ARKIT_NAMES.index(name) for name in wanted]
    scores = torch.stack(list(wanted.values()), 1).clamp(0, 1)
    expression = scores @ torch.linalg.pinv(head.arkit_slopes[:, chosen].double()).to(scores.dtype)
    if fitted is not None:
        expression = expression + fitted.expression(flame.expr, flame.jaw_pose)
    place = FlamePlace() if fitted is None else fitted.place
    root, neck = matrix_from_axis_angle(flame.rotation), matrix_from_axis_angle(flame.neck_pose)
    rotation, translation = place.out_of_flame(root, neck, flame.translation)
    return Motion(torch.cat([expression, axis_angle_from_matrix(rotation), translation], 1), FACE64, flame.fps)


def _eye_scores(flame: Flame) -> dict[str, Float[Tensor, " frames"]]:
    """Look and blink coefficients; the inverse of `eye_angles` up to `EYE_TURN_RAD`."""
    scores: dict[str, Tensor] = {}
    for side, start, outwards in (("Left", 0, 1.0), ("Right", 3, -1.0)):
        down, left = (flame.eyes_pose[:, start : start + 2] / EYE_TURN_RAD).unbind(1)
        ways = {"Down": down, "Up": -down, "Out": outwards * left, "In": -outwards * left}
        scores |= {f"eyeLook{way}{side}": value.clamp(min=0) for way, value in ways.items()}
        scores[f"eyeBlink{side}"] = flame.eyelids[:, start // 3]
    return scores


def write_flame(path: str | Path, flame: Flame) -> None:
    """Write a FLAME file; it appears whole or not at all.

    Raises:
        Unwritable: the folder does not exist or cannot be written.
    """
    arrays = {f.name: getattr(flame, f.name).detach().numpy() for f in fields(flame) if f.name != "fps"}
    with atomic_file(Path(path)) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays, fps=np.array([flame.fps.numerator, flame.fps.denominator]))


def read_flame(path: str | Path) -> Flame:
    """Read a FLAME file of `write_flame`, VHAP, DECA, SMIRK or DiffPoseTalk; nothing is unpickled.

    Raises:
        CheckpointError: it is no such file, or its arrays do not fit together.
    """
    try:
        with np.load(Path(path), allow_pickle=False) as file:
            stored = {_ALIASES.get(name, name): torch.from_numpy(np.asarray(file[name])) for name in file.files}
        if "pose" in stored:
            stored["rotation"], stored["jaw_pose"] = stored["pose"][:, :3], stored["pose"][:, 3:]
        rows = {name: stored[name].float() for name in ("expr", *_COLUMNS) if name in stored}
        frames = len(next(iter(rows.values())))
        expected = {name: (frames, columns) for name, columns in _COLUMNS.items()}
        wrong = {n: tuple(r.shape) for n, r in rows.items() if r.shape != expected.get(n, (frames, r.shape[-1]))}
        if wrong or frames == 0:
            raise ValueError(f"its arrays do not fit together: {wrong or 'no frames'}")
        full = {name: torch.zeros(shape) for name, shape in (expected | {"expr": (frames, 0)}).items()}
        fps = Fraction(*stored["fps"].tolist()) if "fps" in stored else FPS
        return Flame(**(full | rows), fps=fps)
    except (OSError, ValueError, TypeError, RuntimeError, EOFError, StopIteration, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} holds no FLAME coefficients that declaim can read: {error}") from error
