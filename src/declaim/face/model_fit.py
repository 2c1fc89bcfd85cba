"""Fitting the face model to tracked clips: reference shape, rest shapes, pose corrective, expression and identity.

Every speaker counts the same, whatever the length of his footage, and every face is used twice: as it is and mirrored.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from declaim.face.camera import estimate_pose, unproject
from declaim.face.clip import ClipTrack, FreedClip, close_lips, correct, free
from declaim.face.layouts import (
    LEFT_BROW,
    LEFT_EYE,
    LEFT_IRIS,
    LIPS,
    MIRROR,
    N_EXPRESSION,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
)
from declaim.face.mirror import mirror_points
from declaim.face.model import FaceModel, pose_features
from declaim.face.rest import CLOSED_CM, with_lips_at

N_IDENTITY = 40
N_POSE = 5
FLOOR_CM = 0.03
"""Standard deviation below which a point's stillness earns it no more weight in pose estimation."""


def fit_face_model(
    clips: Sequence[ClipTrack], canonical: Float[Tensor, "468 3"], triangles: Int[Tensor, "triangles 3"]
) -> FaceModel:
    """The face model of ``clips``.

    Args:
        clips: tracked clips; at most a few thousand frames for each speaker.
        canonical: the tracker's canonical face, cm, which fixes place, orientation and scale of the head frame.
        triangles: the tracker's mesh.
    """
    mean, stability = reference(clips, canonical)
    freed = [free(clip, mean, stability) for clip in clips]
    corrective = fit_corrective(freed)
    freed = [correct(clip, corrective) for clip in freed]
    weights = expression_weights()
    for _ in range(3):  # closing the lips at rest needs the expression basis, which needs the rest shapes
        residuals, share = expression_samples(freed)
        expression = principal_axes(residuals.flatten(1), share, weights.flatten(), N_EXPRESSION)
        expression = expression.reshape(-1, *mean.shape)
        freed = [close_lips(clip, expression) for clip in freed]
    rests = speaker_rests(freed)
    both = torch.stack([*rests, *(mirror_points(r) for r in rests)])
    identity = principal_axes(
        (both - both.mean(0)).flatten(1), torch.ones(len(both)), torch.ones(mean.numel()), N_IDENTITY
    ).reshape(-1, *mean.shape)
    mean = with_lips_at(both.mean(0), CLOSED_CM[0], expression)
    return FaceModel(mean, identity, expression, weights, stability, corrective, triangles)


def reference(
    clips: Sequence[ClipTrack], canonical: Float[Tensor, "468 3"], rounds: int = 3
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, " points"]]:
    """Mean rest face in the canonical frame, and each point's stability (inverse variance while people speak)."""
    irises = torch.zeros(10, 3)  # the canonical face has none; the first round finds them
    mean = torch.cat([canonical, irises])
    stability = torch.cat([torch.ones(468), torch.zeros(10)])
    home = mean, stability
    for _ in range(rounds):
        freed = [free(clip, mean, stability) for clip in clips]
        variance: defaultdict[str, list[Tensor]] = defaultdict(list)
        for clip in freed:
            variance[clip.speaker].append((clip.shapes - clip.shapes.mean(0)).square().sum(-1).mean(0) / 3)
        pooled = torch.stack([torch.stack(v).mean(0) for v in variance.values()]).mean(0)
        pooled = (pooled + pooled[list(MIRROR)]) / 2
        stability = 1 / (pooled + FLOOR_CM**2)
        stability = stability / stability.max()
        rest = torch.stack(speaker_rests(freed)).mean(0)
        mean = (rest + mirror_points(rest)) / 2
        size = (2, 2)  # any camera will do: the reference goes back to the canonical face's place, turn and scale
        flipped = mean * torch.tensor([1.0, -1.0, -1.0])
        pose = estimate_pose(flipped, home[0], home[1], size)
        mean = unproject(flipped, pose, size)
    return mean, stability


def fit_corrective(clips: Sequence[FreedClip], ridge: float = 0.1) -> Float[Tensor, "features points 3"]:
    """The tracker's error as a linear function of `pose_features`, least squares over clips and mirror images.

    Only changes within a clip enter, since what is constant in a clip is identity. A clip weighs by its length up to a
    limit, so that people who turn their heads decide.
    """
    gram = torch.zeros(N_POSE, N_POSE, dtype=torch.float64)
    cross = torch.zeros(N_POSE, clips[0].rest.numel(), dtype=torch.float64)
    frames = _frames_by_speaker(clips)
    for clip in [*clips, *(c.mirrored() for c in clips)]:
        features = pose_features(clip.rotation).double()
        features = features - features.mean(0)
        residual = (clip.shapes - clip.shapes.mean(0)).flatten(1).double()
        weight = 1 / frames[clip.speaker]
        gram += weight * features.T @ features
        cross += weight * features.T @ residual
    gram += ridge * gram.diagonal().mean() * torch.eye(N_POSE, dtype=torch.float64)
    corrective: Tensor = torch.linalg.solve(gram, cross)
    return corrective.float().reshape(N_POSE, *clips[0].rest.shape)


def speaker_rests(clips: Sequence[FreedClip]) -> list[Float[Tensor, "points 3"]]:
    """One rest shape for each speaker: the mean over the clips."""
    rests: defaultdict[str, list[Tensor]] = defaultdict(list)
    for clip in clips:
        rests[clip.speaker].append(clip.rest)
    return [torch.stack(r).mean(0) for r in rests.values()]


def expression_samples(
    clips: Sequence[FreedClip], per_speaker: int = 500
) -> tuple[Float[Tensor, "samples points 3"], Float[Tensor, " samples"]]:
    """Deviations from rest, evenly drawn from each speaker, with mirror images, and each sample's weight."""
    frames = _frames_by_speaker(clips)
    residuals, weights = [], []
    for clip in clips:
        step = max(1, round(frames[clip.speaker] / per_speaker))
        residual = (clip.shapes - clip.rest)[::step]
        weight = torch.full((len(residual),), step / frames[clip.speaker])
        residuals += [residual, mirror_points(residual)]
        weights += [weight, weight]
    return torch.cat(residuals), torch.cat(weights)


def expression_weights() -> Float[Tensor, "points 3"]:
    """Lips, eyelids, irises and brows count more; depth, which the tracker guesses, counts less."""
    weights = torch.ones(len(MIRROR), 3)
    for points, weight in (
        (LIPS, 3.0),
        ((*LEFT_EYE, *RIGHT_EYE), 3.0),
        ((*LEFT_IRIS, *RIGHT_IRIS), 3.0),
        ((*LEFT_BROW, *RIGHT_BROW), 2.0),
    ):
        weights[list(points)] = weight
    weights[:, 2] *= 0.6
    return weights


def principal_axes(
    samples: Float[Tensor, "samples coordinates"],
    share: Float[Tensor, " samples"],
    weights: Float[Tensor, " coordinates"],
    count: int,
) -> Float[Tensor, "count coordinates"]:
    """Principal axes about zero in the weighted space, given back unweighted and scaled to unit variance.

    Args:
        samples: deviations from rest.
        share: how much each sample counts.
        weights: how much each coordinate counts.
        count: number of axes.
    """
    weighted = (samples * weights).double()
    share = (share / share.sum()).double()
    _, vectors = torch.linalg.eigh((weighted * share[:, None]).T @ weighted)
    axes = vectors[:, -count:].flip(-1).T
    axes = axes * axes.sum(1, keepdim=True).sign()  # a fixed sign, so that a refit gives the same model
    scores = weighted @ axes.T
    mean = share @ scores
    spread = (share @ (scores - mean).square()).sqrt()
    scaled: Tensor = axes * spread[:, None] / weights.double()
    return scaled.float()


def _frames_by_speaker(clips: Sequence[FreedClip]) -> dict[str, int]:
    frames: defaultdict[str, int] = defaultdict(int)
    for clip in clips:
        frames[clip.speaker] += len(clip.shapes)
    return dict(frames)
