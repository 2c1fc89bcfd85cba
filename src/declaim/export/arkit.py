"""ARKit coefficients for avatars and game engines: CSV in the convention of the Live Link Face app, and JSON."""

import csv
import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.layouts import ARKIT_NAMES
from declaim.face.rotations import yaw_pitch_roll
from declaim.pretrained import atomic_file
from declaim.types import Motion

LIVE_LINK_NAMES = (
    "EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft", "EyeLookOutLeft", "EyeLookUpLeft", "EyeSquintLeft",
    "EyeWideLeft", "EyeBlinkRight", "EyeLookDownRight", "EyeLookInRight", "EyeLookOutRight", "EyeLookUpRight",
    "EyeSquintRight", "EyeWideRight", "JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose", "MouthFunnel",
    "MouthPucker", "MouthRight", "MouthLeft", "MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft",
    "MouthFrownRight", "MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight",
    "MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper", "MouthPressLeft", "MouthPressRight",
    "MouthLowerDownLeft", "MouthLowerDownRight", "MouthUpperUpLeft", "MouthUpperUpRight", "BrowDownLeft",
    "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight", "CheekPuff", "CheekSquintLeft",
    "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut",
)  # fmt: skip
"""The 52 coefficients in the order of Live Link Face's CSV files (jaw and mouth have right before left)."""

LIVE_LINK_POSE = (
    "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw", "RightEyePitch",
    "RightEyeRoll",
)  # fmt: skip
"""The nine angles in rad that follow the coefficients and are counted with them."""

EYE_TURN_RAD = math.radians(30)
"""Turn of an eye whose look coefficient is 1."""

_RUN = 1000
"""Frames that are turned into Python's numbers at once."""
_ORDER = tuple(ARKIT_NAMES.index(name[0].lower() + name[1:]) for name in LIVE_LINK_NAMES)


def write_live_link_csv(path: str | Path, motion: Motion) -> None:
    """Write a motion's ARKit coefficients as a CSV file in the column convention of Live Link Face.

    ``Timecode`` is ``hours:minutes:seconds:frames.thousandths`` from zero, ``BlendShapeCount`` is 61. Angles are in
    rad: yaw positive to the person's left, pitch positive downwards, roll positive to the person's right shoulder.

    Raises:
        ConfigError: the motion has no ARKit coefficients (``declaim.face.arkit.with_arkit`` computes them).
        Unwritable: the folder does not exist or cannot be written.
    """
    scores = _scores(motion)
    rows = torch.cat([scores[:, list(_ORDER)], yaw_pitch_roll(motion["rotation"]), *eye_angles(scores)], 1)
    columns = (*LIVE_LINK_NAMES, *LIVE_LINK_POSE)
    with atomic_file(Path(path)) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Timecode", "BlendShapeCount", *columns])
        for frame, row in enumerate(_rows(rows)):
            writer.writerow([timecode(frame, motion.fps), len(columns), *(f"{value:.10f}" for value in row)])


def write_arkit_json(path: str | Path, motion: Motion) -> None:
    """Write a motion's ARKit coefficients and head pose as JSON.

    The object has ``fps``, ``names`` (Apple's order), ``weights`` (one list of 52 for each frame), ``rotation``
    (axis-angle, rad) and ``translation`` (cm).

    Raises:
        ConfigError: the motion has no ARKit coefficients.
        Unwritable: the folder does not exist or cannot be written.
    """
    head = {"format": "declaim-arkit", "format_version": 1, "fps": float(motion.fps), "names": list(ARKIT_NAMES)}
    tables = {"weights": _scores(motion), "rotation": motion["rotation"], "translation": motion["translation"]}
    with atomic_file(Path(path)) as partial, partial.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head).removesuffix("}"))
        for name, values in tables.items():
            file.write(f', "{name}": [')
            for frame, row in enumerate(_rows(values)):
                file.write((", " if frame else "") + json.dumps([round(value, 6) for value in row]))
            file.write("]")
        file.write("}\n")


def timecode(frame: int, fps: Fraction) -> str:
    """``hh:mm:ss:ff.000`` of a frame: seconds of the clock, and the frame counted within its second."""
    second = int(frame / fps)
    within = frame - math.ceil(second * fps)
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}:{within:02d}.000"


def _scores(motion: Motion) -> Float[Tensor, "frames 52"]:
    if motion.arkit is None:
        raise ConfigError("the motion holds no ARKit coefficients; compute them with declaim.face.arkit.with_arkit")
    return motion.arkit


def eye_angles(scores: Float[Tensor, "frames 52"]) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames 3"]]:
    """Yaw (to the person's left), pitch (down) and roll of left and right eye in rad, from the look coefficients."""
    angles = []
    for side, left_of_person in (("Left", ("Out", "In")), ("Right", ("In", "Out"))):
        to_left, to_right, down, up = (
            scores[:, ARKIT_NAMES.index(f"eyeLook{way}{side}")] for way in (*left_of_person, "Down", "Up")
        )
        angles.append(torch.stack([to_left - to_right, down - up, torch.zeros_like(up)], 1) * EYE_TURN_RAD)
    return angles[0], angles[1]


def _rows(values: Float[Tensor, "frames columns"]) -> Iterator[list[float]]:
    """The rows as numbers, some of them at a time: an hour's would take 200 MB."""
    for run in torch.split(values, _RUN):
        yield from run.tolist()
