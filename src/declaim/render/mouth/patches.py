"""Where the mouth's patch lies in pictures: cut out, and what a network adds put back.

The patch is fixed to the head: it lies around the corners of the mouth, its tilt and size are the head's.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from declaim.face.layouts import LIPS_OUTER, N_EXPRESSION
from declaim.face.rotations import matrix_from_axis_angle
from declaim.render.coefficients import HEAD_CM
from declaim.render.mouth.config import MouthNetworkConfig

CORNERS = (LIPS_OUTER[0], LIPS_OUTER[10])
FINEST = 4
"""Patches that shrink are first cut this many times finer at most."""


@dataclass(frozen=True, eq=False)
class MouthPlace:
    """Where one patch lies.

    Attributes:
        warp: from pixels of the patch to pixels of the picture.
        scale: pixels of the picture for one of the patch.
        side: of the patch, pixels.
    """

    warp: Float[np.ndarray, "2 3"]
    scale: float
    side: int

    def cut(self, picture: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "side side 3"]:
        """The patch; beyond the picture its edge is repeated."""
        finer = min(max(int(np.ceil(self.scale - 0.25)), 1), FINEST)
        size, how = (self.side * finer, self.side * finer), cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        warp = self.warp.copy()
        warp[:, 2] += self.warp[:, :2] @ np.full(2, (1 / finer - 1) / 2)  # pixel centres are whole numbers
        warp[:, :2] /= finer
        patch = cv2.warpAffine(picture, warp, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
        if finer > 1:
            patch = cv2.resize(patch, (self.side, self.side), interpolation=cv2.INTER_AREA)
        return np.asarray(patch)

    def add(self, picture: UInt8[np.ndarray, "height width 3"], change: Float[np.ndarray, "side side 3"]) -> None:
        """Add a change of the patch to the picture in place; outside the patch it stays as it is to the bit.

        Args:
            picture: 8 bits.
            change: of the patch; white is 1, and zero at its edge.
        """
        edge = (-1.0, float(self.side))
        corners = np.array([[x, y, 1.0] for x in edge for y in edge]) @ self.warp.T
        limit = np.array(picture.shape[1::-1])
        low = np.clip(np.floor(corners.min(0)), 0, limit).astype(int)
        high = np.clip(np.ceil(corners.max(0)) + 1, 0, limit).astype(int)
        if (high <= low).any():
            return
        warp = self.warp.copy()
        warp[:, 2] -= low
        added = cv2.warpAffine(change, warp, tuple((high - low).tolist()), flags=cv2.INTER_LINEAR)
        part = picture[low[1] : high[1], low[0] : high[0]]
        part[...] = np.clip(np.rint(part + 255 * added), 0, 255).astype(np.uint8)

    def inside(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Where points of the picture are in the patch."""
        return np.asarray((points - self.warp[:, 2]) @ np.linalg.inv(self.warp[:, :2]).T)


def mouth_place(
    points: Float[np.ndarray, "points 2"], told: Float[Tensor, " 70"], square_side: float, config: MouthNetworkConfig
) -> MouthPlace:
    """Where the patch lies around a mouth.

    Args:
        points: of the face, pixels.
        told: the frame's coefficients: turn and size of the head, see `declaim.render.coefficients`.
        square_side: of the head's square, to which the size is relative, pixels.
        config: the patch.
    """
    n = config.patch_px
    scale = float(told[-1].exp()) * square_side / HEAD_CM * config.patch_cm / n
    scale = float(np.clip(scale, 1e-2, 1e2))
    turn = matrix_from_axis_angle(told[N_EXPRESSION : N_EXPRESSION + 3].double()).numpy()
    angle = np.arctan2(-turn[1, 0], turn[0, 0])
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    anchor = np.array([n / 2 - 0.5, n * config.above - 0.5])
    centre = points[list(CORNERS)].mean(0).astype(np.float64)
    return MouthPlace(np.column_stack([matrix, centre - matrix @ anchor]), scale, n)


def as_tensor(patch: UInt8[np.ndarray, "side side 3"]) -> Float[Tensor, "1 3 side side"]:
    """A patch as networks read it, 0 to 1."""
    return torch.from_numpy(np.ascontiguousarray(patch)).permute(2, 0, 1)[None].float() / 255
