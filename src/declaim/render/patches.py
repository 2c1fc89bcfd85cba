"""What of a picture a network sees: a patch around the mouth, or the head's square; cut out, and changes put back."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from declaim.face.layouts import LIPS_OUTER, N_EXPRESSION
from declaim.face.rotations import matrix_from_axis_angle
from declaim.render.coefficients import HEAD_CM
from declaim.render.cutout import HeadSquare

CORNERS = (LIPS_OUTER[0], LIPS_OUTER[10])
FINEST = 4
"""Patches that shrink are first cut this many times finer at most."""
ENLARGED = 1.25
"""Patches that are shown so many times larger have lost detail of the picture that they were cut from."""


@dataclass(frozen=True, eq=False)
class PatchPlace:
    """Where one patch lies.

    Attributes:
        warp: from pixels of the patch to pixels of the picture.
        scale: pixels of the picture for one of the patch.
        side: of the patch, pixels.
    """

    warp: Float[np.ndarray, "2 3"]
    scale: float
    side: int

    def moved(self, right: float, down: float, log_size: float, turn: float) -> "PatchPlace":
        """A place beside this one.

        Args:
            right: in sides of the patch.
            down: likewise.
            log_size: logarithm of how much larger it is.
            turn: about its middle, rad.
        """
        size, middle = np.exp(log_size), np.full(2, (self.side - 1) / 2)
        cosine, sine = np.cos(turn) * size, np.sin(turn) * size
        own = np.array([[cosine, -sine], [sine, cosine]])
        shift = middle - own @ middle + self.side * np.array([right, down])
        matrix = self.warp[:, :2] @ own
        return PatchPlace(
            np.column_stack([matrix, self.warp[:, :2] @ shift + self.warp[:, 2]]), self.scale * size, self.side
        )

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

    def add(
        self,
        picture: UInt8[np.ndarray, "height width 3"],
        change: Float[np.ndarray, "side side 3"],
        redrawn: Float[np.ndarray, "side side"] | None = None,
    ) -> None:
        """Add a change of the patch to the picture in place; outside the patch it stays as it is to the bit.

        Args:
            picture: 8 bits.
            change: of the patch; white is 1, and zero at its edge.
            redrawn: where, 1, the change was drawn for the patch's own pixels and the picture's finer detail, if it has
                any, does not belong to it; nowhere if left out.
        """
        edge = (-1.0, float(self.side))
        corners = np.array([[x, y, 1.0] for x in edge for y in edge]) @ self.warp.T
        limit = np.array(picture.shape[1::-1])
        low = np.clip(np.floor(corners.min(0)), 0, limit).astype(int)
        high = np.clip(np.ceil(corners.max(0)) + 1, 0, limit).astype(int)
        if (high <= low).any():
            return
        warp, size = self.warp.copy(), tuple((high - low).tolist())
        warp[:, 2] -= low
        part = picture[low[1] : high[1], low[0] : high[0]]
        shown = part.astype(np.float32)
        how = cv2.INTER_LINEAR
        if self.scale > ENLARGED:
            how = cv2.INTER_CUBIC
            if redrawn is not None:
                coarse = cv2.warpAffine(self.cut(picture).astype(np.float32), warp, size, flags=how)
                share = cv2.warpAffine(redrawn.astype(np.float32), warp, size, flags=cv2.INTER_LINEAR)[..., None]
                shown += share * (coarse - shown)
        added = cv2.warpAffine(change, warp, size, flags=how)
        part[...] = np.clip(np.rint(shown + 255 * added), 0, 255).astype(np.uint8)

    def inside(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Where points of the picture are in the patch."""
        return np.asarray((points - self.warp[:, 2]) @ np.linalg.inv(self.warp[:, :2]).T)


@dataclass(frozen=True)
class View:
    """Which patch a network sees.

    A patch around the mouth is fixed to the head: it lies around the corners of the mouth, its tilt and size are the
    head's. The head's square stays where it is.

    Attributes:
        px: its side.
        cm: what it shows of the head, around the mouth; None: the head's square.
        above: share of the patch above the corners of the mouth: the jaw moves down.
    """

    px: int
    cm: float | None
    above: float = 0.42

    @property
    def px_per_cm(self) -> float:
        """Pixels of the patch for a centimetre of the head, about."""
        return self.px / (HEAD_CM if self.cm is None else self.cm)

    def place(
        self, points: Float[np.ndarray, "points 2"], told: Float[Tensor, " 70"], square: HeadSquare
    ) -> PatchPlace:
        """Where the patch lies.

        Args:
            points: of the face, pixels.
            told: the frame's coefficients: turn and size of the head, see `declaim.render.coefficients`.
            square: the head's, to which the size is relative.
        """
        n = self.px
        if self.cm is None:
            scale = square.side / n
            corner = np.array([square.left, square.top]) + (scale - 1) / 2
            return PatchPlace(np.column_stack([np.eye(2) * scale, corner]), scale, n)
        scale = float(told[-1].exp()) * square.side / HEAD_CM * self.cm / n
        scale = float(np.clip(scale, 1e-2, 1e2))
        turn = matrix_from_axis_angle(told[N_EXPRESSION : N_EXPRESSION + 3].double()).numpy()
        angle = np.arctan2(-turn[1, 0], turn[0, 0])
        cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
        matrix = np.array([[cosine, -sine], [sine, cosine]])
        anchor = np.array([n / 2 - 0.5, n * self.above - 0.5])
        centre = points[list(CORNERS)].mean(0).astype(np.float64)
        return PatchPlace(np.column_stack([matrix, centre - matrix @ anchor]), scale, n)


def as_tensor(patch: UInt8[np.ndarray, "side side 3"]) -> Float[Tensor, "1 3 side side"]:
    """A patch as networks read it, 0 to 1."""
    return torch.from_numpy(np.ascontiguousarray(patch)).permute(2, 0, 1)[None].float() / 255


def window(side: int, feather: float) -> Float[Tensor, "side side"]:
    """1 inside a patch, fading to 0 at its edge.

    Args:
        side: of the patch, pixels.
        feather: share of it over which the edge fades out.
    """
    away = (torch.arange(side) + 0.5).minimum(side - 0.5 - torch.arange(side)) - 0.5
    rise = (away / (feather * side)).clamp(0, 1)
    rise = rise * rise * (3 - 2 * rise)
    return rise[:, None] * rise[None]


def crop(patches: Float[Tensor, "*batch side side"], share: float, above: float) -> Float[Tensor, "*batch small small"]:
    """The part around the lips.

    Args:
        patches: patches around the mouth.
        share: of their side.
        above: share of the patch above the corners of the mouth, which keeps its place.
    """
    n = patches.shape[-1]
    small = max(round(n * share / 8) * 8, 8)
    top, left = round((n - small) * above), (n - small) // 2
    return patches[..., top : top + small, left : left + small]
