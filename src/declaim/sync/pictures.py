"""Mouth pictures: gray, upright, of one size, cut where the tracker saw the mouth.

The cut follows the face and not the lips: its place, turn and size are smoothed over half a second, so that opening
the mouth changes the picture and not the cut.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import median_filter, uniform_filter1d
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.layouts import LEFT_EYE, LIPS_OUTER, RIGHT_EYE
from declaim.sync.network import PICTURE_SIZE
from declaim.types import Frames

_MEDIAN, _MEAN = 7, 5
"""Frames of the two filters that steady the cut."""
_ABOVE = 0.44
"""Share of the picture's height above the corners of the mouth: the jaw moves down."""


@dataclass(frozen=True, eq=False)
class MouthCuts:
    """Where the mouth pictures of a clip lie.

    Attributes:
        centre: middle between the corners of the mouth, px.
        width: what the picture's width shows, px: the distance of the outer corners of the eyes in space, about 9 cm.
        angle: tilt of the head in the picture, rad.
    """

    centre: Float[Tensor, "frames 2"]
    width: Float[Tensor, " frames"]
    angle: Float[Tensor, " frames"]

    @classmethod
    def of(cls, points: Float[Tensor, "frames points 3"], valid: Bool[Tensor, " frames"] | None = None) -> "MouthCuts":
        """The cuts for tracked points in pixels of the pictures; frames that are not valid borrow the nearest cut.

        Raises:
            ConfigError: no frame is valid.
        """
        known = np.arange(len(points)) if valid is None else np.flatnonzero(valid.numpy())
        if len(known) == 0:
            raise ConfigError("no frame shows a face: there are no mouth pictures to cut")
        nearest = known[np.abs(np.arange(len(points))[:, None] - known[None]).argmin(1)]
        rows = points.numpy()[nearest].astype(np.float64)
        corners = (rows[:, LIPS_OUTER[0], :2] + rows[:, LIPS_OUTER[10], :2]) / 2
        eyes = rows[:, LEFT_EYE[0]] - rows[:, RIGHT_EYE[0]]
        found = (corners, np.linalg.norm(eyes, axis=1), np.unwrap(np.arctan2(eyes[:, 1], eyes[:, 0])))
        return cls(*(torch.from_numpy(_steady(x)).float() for x in found))

    def warp(self, frame: int) -> np.ndarray:
        """The 2x3 matrix from pixels of the mouth picture to pixels of the whole picture."""
        height, width = PICTURE_SIZE
        scale, angle = float(self.width[frame]) / width, float(self.angle[frame])
        cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
        turn = np.array([[cosine, -sine], [sine, cosine]])
        anchor = np.array([width / 2 - 0.5, height * _ABOVE - 0.5])
        return np.column_stack([turn, self.centre[frame].numpy() - turn @ anchor])


def cut_mouths(video: Iterable[Frames], cuts: MouthCuts) -> UInt8[Tensor, "frames height width"]:
    """The mouth pictures of a video, as many as both have frames.

    Args:
        video: runs of RGB frames.
        cuts: where the mouth is in each frame.

    Raises:
        ConfigError: there is no picture.
    """
    height, width = PICTURE_SIZE
    found: list[np.ndarray] = []
    for run in video:
        for image in run.images[: len(cuts.width) - len(found)]:
            shrinks = float(cuts.width[len(found)]) > 2 * width
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            if shrinks:  # bilinear sampling alone would skip pixels
                grey = cv2.blur(grey, (int(cuts.width[len(found)]) // width,) * 2)
            how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            warp = cuts.warp(len(found))
            found.append(cv2.warpAffine(grey, warp, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE))
    if not found:
        raise ConfigError("the video has no picture that was tracked: there are no mouth pictures to cut")
    return torch.from_numpy(np.stack(found))


def _steady(rows: np.ndarray) -> np.ndarray:
    size = (_MEDIAN,) + (1,) * (rows.ndim - 1)
    return np.asarray(uniform_filter1d(median_filter(rows, size=size, mode="nearest"), _MEAN, axis=0, mode="nearest"))
