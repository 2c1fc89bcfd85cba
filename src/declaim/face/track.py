"""What the tracker saw in a video, and the motion that it means in the face model's terms."""

from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.face.clip import ClipTrack, free_clip
from declaim.face.layouts import ARKIT_NAMES, FACE64, TRACKER_SCORES
from declaim.face.model import FaceModel
from declaim.face.rotations import continuous
from declaim.face.smoothing import bridge, longest_gap, smooth_expression, smooth_pose
from declaim.timebase import FPS
from declaim.types import Motion


@dataclass(frozen=True, eq=False)
class Track:
    """One face followed through a video, one row per frame.

    Attributes:
        points: the 478 points in pixels: x right, y down, z away from the viewer; bridged where no face was seen.
        scores: the tracker's 52 scores in its own order (`TRACKER_SCORES`); bridged like the points.
        valid: False where no face was seen.
        size: width and height of the picture.
        fps: frames per second.
    """

    points: Float[Tensor, "frames points 3"]
    scores: Float[Tensor, "frames 52"]
    valid: Bool[Tensor, " frames"]
    size: tuple[int, int]
    fps: Fraction = FPS

    def __len__(self) -> int:
        return len(self.points)

    @property
    def n_missing(self) -> int:
        """Number of frames without a face."""
        return int((~self.valid).sum())

    @property
    def longest_gap(self) -> int:
        """Length in frames of the longest run without a face."""
        return longest_gap(self.valid)

    @property
    def arkit(self) -> Float[Tensor, "frames 52"]:
        """The scores in Apple's order (`ARKIT_NAMES`)."""
        return arkit_order(self.scores)


def arkit_order(scores: Float[Tensor, "*batch 52"]) -> Float[Tensor, "*batch 52"]:
    """Scores in the tracker's order as ARKit coefficients in Apple's order.

    ``_neutral`` is dropped; the tracker has no ``tongueOut``, which is 0.
    """
    padded = torch.cat([scores, torch.zeros_like(scores[..., :1])], -1)
    return padded[..., list(_TO_ARKIT)]


_TO_ARKIT = tuple(TRACKER_SCORES.index(name) if name in TRACKER_SCORES else 52 for name in ARKIT_NAMES)


def track_motion(track: Track, model: FaceModel, *, smooth: bool = True) -> Motion:
    """The motion of a tracked face: expressions relative to the person's own rest shape, absolute head pose.

    Frames without a face are bridged: pose in a straight line, expression too in gaps up to `SHORT_GAP` frames and
    through the rest face in longer ones.

    Args:
        track: what the tracker saw.
        model: the face model.
        smooth: take the tracker's jitter off; see `declaim.face.smoothing`.
    """
    valid = track.valid
    freed = free_clip(ClipTrack(track.points[valid], track.scores[valid], track.size), model)
    expression = _spread(model.fit_expression(freed.shapes, freed.rest), valid)
    expression = bridge(expression, valid, to_rest=True)
    pose = bridge(_spread(torch.cat([continuous(freed.rotation), freed.pose.translation], 1), valid), valid)
    if smooth:
        expression, pose = smooth_expression(expression), smooth_pose(pose)
    values = torch.cat([expression, pose], 1)
    return Motion(values, FACE64, track.fps, None if bool(valid.all()) else valid, track.arkit)


def _spread(rows: Float[Tensor, "valid columns"], valid: Bool[Tensor, " frames"]) -> Float[Tensor, "frames columns"]:
    spread = rows.new_full((len(valid), rows.shape[1]), float("nan"))
    spread[valid] = rows
    return spread
