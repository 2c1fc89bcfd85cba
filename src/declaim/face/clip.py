"""A clip in head space: the head pose taken out, the person's rest shape found."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from declaim.face.camera import Pose, estimate_pose, unproject
from declaim.face.mirror import mirror_points, mirror_rotation, mirror_translation
from declaim.face.model import FaceModel, pose_features
from declaim.face.rest import closed_opening, neutral_frames, with_lips_at

_RUN = 2000
"""Frames whose pose is estimated at once."""


@dataclass(frozen=True, eq=False)
class ClipTrack:
    """The tracker's output for one clip.

    Attributes:
        points: pixels.
        scores: the tracker's 52 scores, its own order.
        size: width and height of the picture.
        speaker: clips of one speaker share their weight in the fit.
    """

    points: Float[Tensor, "frames points 3"]
    scores: Float[Tensor, "frames 52"]
    size: tuple[int, int]
    speaker: str = ""


@dataclass(frozen=True, eq=False)
class FreedClip:
    """A clip with the head pose taken out.

    Attributes:
        shapes: cm.
        pose: what was taken out.
        rest: the person's rest shape, cm, without the tracker's errors at turned heads.
        rest_frames: the frames it came from.
        rest_error: those errors in the rest frames, cm.
        speaker: see `ClipTrack`.
    """

    shapes: Float[Tensor, "frames points 3"]
    pose: Pose
    rest: Float[Tensor, "points 3"]
    rest_frames: Int[Tensor, " rest"]
    rest_error: Float[Tensor, "points 3"]
    speaker: str = ""

    @property
    def rotation(self) -> Float[Tensor, "frames 3"]:
        """Head rotation, axis-angle, rad."""
        return self.pose.rotation

    @property
    def seen_rest(self) -> Float[Tensor, "points 3"]:
        """The rest shape as the tracker sees it, errors included, cm: what the blendshape network is used to."""
        return self.rest + self.rest_error

    def mirrored(self) -> "FreedClip":
        """The clip as seen in a mirror."""
        return replace(
            self,
            shapes=mirror_points(self.shapes),
            pose=Pose(mirror_rotation(self.rotation), mirror_translation(self.pose.translation), self.pose.depth),
            rest=mirror_points(self.rest),
            rest_error=mirror_points(self.rest_error),
        )


def free_clip(clip: ClipTrack, model: FaceModel) -> FreedClip:
    """A clip with pose and tracker errors taken out, and the person's rest shape with closed lips."""
    freed = correct(free(clip, model.mean, model.stability), model.pose_corrective)
    return close_lips(freed, model.expression_basis)


def free(clip: ClipTrack, mean: Float[Tensor, "points 3"], stability: Float[Tensor, " points"]) -> FreedClip:
    """Take the head pose out of a clip: first onto the mean face, then onto the clip's own rest shape."""
    rest = mean
    for _ in range(3):
        shapes, _ = _without_pose(clip, rest, stability)
        frames = neutral_frames(shapes, clip.scores)
        rest = settle(shapes[frames].mean(0), mean, stability)
    shapes, pose = _without_pose(clip, rest, stability)
    return FreedClip(shapes, pose, shapes[frames].mean(0), frames, torch.zeros_like(mean), clip.speaker)


def _without_pose(
    clip: ClipTrack, rest: Float[Tensor, "points 3"], stability: Float[Tensor, " points"]
) -> tuple[Float[Tensor, "frames points 3"], Pose]:
    shapes, poses = [], []
    for points in torch.split(clip.points, _RUN):  # double-precision temporaries are large
        poses.append(estimate_pose(points, rest, stability, clip.size))
        shapes.append(unproject(points, poses[-1], clip.size))
    return torch.cat(shapes), Pose(*(torch.cat(parts) for parts in zip(*poses, strict=True)))


def settle(
    shape: Float[Tensor, "points 3"], mean: Float[Tensor, "points 3"], stability: Float[Tensor, " points"]
) -> Float[Tensor, "points 3"]:
    """``shape`` moved, turned and scaled onto the mean face."""
    size = (2, 2)
    flipped = shape * shape.new_tensor([1.0, -1.0, -1.0])
    return unproject(flipped, estimate_pose(flipped, mean, stability, size), size)


def correct(clip: FreedClip, corrective: Float[Tensor, "features points 3"]) -> FreedClip:
    """The clip without the tracker's errors at turned heads."""
    errors = torch.tensordot(pose_features(clip.rotation), corrective, 1)
    shapes, at_rest = clip.shapes - errors, clip.rest_frames
    return replace(clip, shapes=shapes, rest=shapes[at_rest].mean(0), rest_error=errors[at_rest].mean(0))


def close_lips(clip: FreedClip, expression_basis: Float[Tensor, "expression points 3"]) -> FreedClip:
    """The clip with a rest shape whose lips are closed, as far as this person's lips are ever seen to close."""
    return replace(clip, rest=with_lips_at(clip.rest, closed_opening(clip.shapes), expression_basis))
