"""An animated head as binary glTF: skin, eyes, teeth, tongue; 52 morph targets with ARKit's names; a joint that turns.

    scene ── base (joint, stands still) ── head (joint, animated: rotation, translation)
          └─ face (skinned mesh, animated: 52 weights)

The head looks along +z, y is up, lengths are metres, as glTF wants it; its origin is that of declaim's head space.
"""

import io
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from declaim.export.glb import INDICES, USHORT, VERTICES, Glb
from declaim.face.head3d import PARTS, Head3D
from declaim.face.head3d_look import eye_coordinates, eye_picture, linear, normals, vertex_colours
from declaim.face.head3d_motion import HeadMotion, head_motion
from declaim.face.motion_file import PoseOrigin
from declaim.face.rotations import matrix_from_axis_angle, quaternion_from_matrix
from declaim.types import Motion

METRE = 0.01
"""Metres in a centimetre."""
SURFACES = {"skin": ("skin", "lips", "mouth"), "eyes": ("eyes",), "teeth": ("teeth",), "tongue": ("tongue",)}
"""Parts that share a material."""
ROUGHNESS = {"skin": 0.6, "eyes": 0.15, "teeth": 0.3, "tongue": 0.4}
_FULL = 65535


def write_glb(
    path: str | Path, motion: Motion, *, pose_origin: PoseOrigin = "rest", sound: str | None = None,
    head: Head3D | None = None,
) -> None:  # fmt: skip
    """Write a motion as an animated head.

    Args:
        path: where to; the name should end in ``.glb``.
        motion: one motion; coefficients that it lacks are computed.
        pose_origin: ``"rest"`` for generated, ``"camera"`` for tracked motion.
        sound: name of the sound file that lies beside it, told in the file's metadata.
        head: another head.

    Raises:
        ConfigError: the motion has a batch axis, or no frames.
        Unwritable: the folder does not exist or cannot be written.
    """
    moved = head_motion(motion, pose_origin)
    head = Head3D.from_pretrained() if head is None else head
    notes = {"synthetic": True, "fps": float(motion.fps), "arkit": True, **({"sound": sound} if sound else {})}
    glb = Glb({"generator": f"declaim {version('declaim')}", "copyright": "head: CC0-1.0 (MakeHuman)", "extras": notes})
    mesh, skin, base, turning, face = 0, 0, 0, 1, 2
    glb.root |= {
        "scene": 0,
        "scenes": [{"nodes": [base, face], "name": "declaim"}],
        "nodes": [
            {"name": "base", "children": [turning]},
            {"name": "head"},
            {"name": "face", "mesh": mesh, "skin": skin},
        ],
        "meshes": [_mesh(glb, head)],
        "skins": [{"joints": [base, turning], "skeleton": base, "name": "neck"}],
        "animations": [_animation(glb, moved, float(motion.fps), turning, face)],
    }
    glb.write(Path(path))


def _mesh(glb: Glb, head: Head3D) -> dict[str, Any]:
    facing, colours, eyes = normals(head.rest, head.triangles), vertex_colours(head), eye_coordinates(head)
    primitives = []
    for surface, parts in SURFACES.items():
        chosen = torch.isin(head.part, torch.tensor([PARTS.index(part) for part in parts]))
        vertices = torch.nonzero(chosen)[:, 0]
        number = torch.cumsum(chosen, 0) - 1
        triangles = number[head.triangles[chosen[head.triangles].all(1)]]
        follows = head.turn[vertices]
        joints = torch.zeros(len(vertices), 4, dtype=torch.int64)
        joints[:, 1] = follows > 0  # a joint without weight must be number 0
        weights = torch.stack([1 - follows, follows, 0 * follows, 0 * follows], 1)
        attributes = {
            "POSITION": glb.array(METRE * head.rest[vertices].numpy(), target=VERTICES, bounds=True),
            "NORMAL": glb.array(facing[vertices].numpy(), target=VERTICES),
            "JOINTS_0": glb.array(joints.numpy(), USHORT, target=VERTICES),
            "WEIGHTS_0": glb.array(weights.numpy(), target=VERTICES),
        }
        if surface == "eyes":
            attributes["TEXCOORD_0"] = glb.array(eyes[vertices].numpy(), target=VERTICES)
        else:
            painted = torch.nn.functional.pad(linear(colours[vertices]), (0, 1), value=1.0)
            shares = torch.round(_FULL * painted).to(torch.int64)
            attributes["COLOR_0"] = glb.array(shares.numpy(), USHORT, target=VERTICES, normalized=True)
        targets = [
            {"POSITION": glb.array(METRE * unit[vertices].numpy(), bounds=True, sparse=True)} for unit in head.units
        ]
        primitives.append({
            "attributes": attributes,
            "indices": glb.array(triangles.flatten().numpy(), USHORT, target=INDICES),
            "material": _material(glb, surface),
            "targets": targets,
        })  # fmt: skip
    return {
        "name": "face",
        "primitives": primitives,
        "weights": [0.0] * len(head.names),
        "extras": {"targetNames": list(head.names)},
    }


def _material(glb: Glb, surface: str) -> int:
    """A plain material: white where vertices bring their colours, a picture for eyes."""
    look: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": ROUGHNESS[surface]}
    if surface == "eyes":
        png = io.BytesIO()
        Image.fromarray(eye_picture()).save(png, "PNG")
        look["baseColorTexture"] = {"index": glb.picture(png.getvalue())}
    entry = {"name": surface, "pbrMetallicRoughness": look}
    materials: list[dict[str, Any]] = glb.root.setdefault("materials", [])
    materials.append(entry)
    return len(materials) - 1


def _animation(glb: Glb, moved: HeadMotion, fps: float, turning: int, face: int) -> dict[str, Any]:
    """Three channels over the same times, one key a frame, joined by straight lines."""
    times = glb.array(np.arange(len(moved.arkit)) / fps, bounds=True)
    quaternion = quaternion_from_matrix(matrix_from_axis_angle(moved.rotation.double())).roll(-1, -1)  # x, y, z, w
    tracks = (
        (turning, "rotation", _nearest(quaternion.numpy())),
        (turning, "translation", METRE * moved.translation.numpy()),
        (face, "weights", moved.arkit.reshape(-1, 1).numpy()),
    )
    samplers = [{"input": times, "output": glb.array(values), "interpolation": "LINEAR"} for _, _, values in tracks]
    channels = [
        {"sampler": number, "target": {"node": node, "path": path}} for number, (node, path, _) in enumerate(tracks)
    ]
    return {"name": "speech", "samplers": samplers, "channels": channels}


def _nearest(quaternions: np.ndarray) -> np.ndarray:
    """The same rotations, each with the sign that is nearer to its predecessor's, as players interpolate straight."""
    turns = (quaternions[1:] * quaternions[:-1]).sum(1) < 0
    signs = np.concatenate([[1.0], np.where(np.logical_xor.accumulate(turns), -1.0, 1.0)]) if len(turns) else [1.0]
    result: np.ndarray = quaternions * np.asarray(signs)[:, None]
    return result
