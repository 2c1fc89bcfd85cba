"""Face identity: aligned faces and the network behind CSIM."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from declaim.assets import locate
from declaim.errors import ConfigError
from declaim.face.layouts import (
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    LIPS_OUTER,
    NOSE_TIP,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
)
from declaim.face.quiet import without_chatter

CROP = 112
"""Side of the aligned face in pixels."""

TEMPLATE = np.array(((38.29, 51.70), (73.53, 51.50), (56.03, 71.74), (41.55, 92.37), (70.73, 92.20)))
"""Where the eyes, the tip of the nose and the corners of the mouth go: the usual template of 112-pixel face networks.

Chosen by measurement (docs/metrics.md): square boxes around the face separate people much less.
"""

_MOUTH_CORNERS = (LIPS_OUTER[0], LIPS_OUTER[10])


def five_points(landmarks: Float[Tensor, "points 3"]) -> Float[np.ndarray, "5 2"]:
    """Middle of both eyes (the viewer's left one first), tip of the nose, corners of the mouth, in pixels."""
    xy = landmarks[:, :2].double().numpy()
    eyes = [xy[sorted({*upper, *lower})].mean(0) for upper, lower in _EYES]
    return np.stack([*eyes, xy[NOSE_TIP], *xy[list(_MOUTH_CORNERS)]])


_EYES = ((RIGHT_EYE_UPPER, RIGHT_EYE_LOWER), (LEFT_EYE_UPPER, LEFT_EYE_LOWER))


def aligned_face(
    image: UInt8[np.ndarray, "height width 3"], landmarks: Float[Tensor, "points 3"]
) -> UInt8[np.ndarray, "112 112 3"]:
    """The face turned, scaled and shifted (least squares) so that its five points lie on :data:`TEMPLATE`."""
    source = five_points(landmarks)
    source_mean, target_mean = source.mean(0), TEMPLATE.mean(0)
    # Complex numbers make a 2-D similarity one division: target = a * source + b.
    z = (source - source_mean) @ (1, 1j)
    a = np.vdot(z, (TEMPLATE - target_mean) @ (1, 1j)) / np.vdot(z, z)
    linear = np.array(((a.real, -a.imag), (a.imag, a.real)))
    matrix = np.c_[linear, target_mean - linear @ source_mean]
    sampling = cv2.INTER_AREA if abs(a) < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(image, matrix, (CROP, CROP), flags=sampling), np.uint8)


class MobileFaceNet:
    """Face identity network (MIT licence) behind CSIM: 192 numbers per face.

    Needs the asset ``mobilefacenet`` and the package ai-edge-litert. Measured on open training footage: two clips of
    one person .93 +- .05, two people .05 +- .15.
    """

    name = "MobileFaceNet"

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]
        self._output = interpreter.get_output_details()[0]

    @classmethod
    def from_pretrained(cls, path: Path | None = None) -> "MobileFaceNet":
        """Load the network; from the asset cache if no file is given.

        Raises:
            AssetError: the asset is not on this machine.
            ConfigError: ai-edge-litert is not installed.
        """
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ConfigError("CSIM needs the package ai-edge-litert: pip install ai-edge-litert") from error
        file = locate("mobilefacenet") if path is None else path
        with without_chatter():
            interpreter = Interpreter(str(file), num_threads=1)
            interpreter.allocate_tensors()
        return cls(interpreter)

    def embed(self, faces: UInt8[np.ndarray, "faces 112 112 3"]) -> Float[Tensor, "faces 192"]:
        """Unit-length identity vectors of faces from :func:`aligned_face`."""
        scaled = (faces.astype(np.float32) - 127.5) / 128.0
        batch = int(self._input["shape"][0])
        rows = []
        for start in range(0, len(scaled), batch):  # the network's batch is fixed: the last one is filled up
            part = scaled[start : start + batch]
            filled = np.concatenate([part, np.repeat(part[-1:], batch - len(part), axis=0)])
            self._interpreter.set_tensor(self._input["index"], filled)
            self._interpreter.invoke()
            rows.append(self._interpreter.get_tensor(self._output["index"])[: len(part)].copy())
        vectors = torch.from_numpy(np.concatenate(rows)) if rows else torch.zeros(0, 192)
        return torch.nn.functional.normalize(vectors, dim=1)

    def csim(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        landmarks: Float[Tensor, "points 3"],
        truth: UInt8[np.ndarray, "height2 width2 3"],
        truth_landmarks: Float[Tensor, "points 3"],
    ) -> float:
        """Cosine similarity of two faces' identity vectors: 1 the same picture, about 0 other people.

        Args:
            image: one picture.
            landmarks: the tracker's points in it, pixels.
            truth: another picture.
            truth_landmarks: the tracker's points in that one.
        """
        vectors = self.embed(np.stack([aligned_face(image, landmarks), aligned_face(truth, truth_landmarks)]))
        return float(vectors[0] @ vectors[1])
