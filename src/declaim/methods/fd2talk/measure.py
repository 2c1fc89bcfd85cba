"""Training clips measured and turned into training material: the normalizer, and every clip's targets."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.face.layouts import N_EXPRESSION
from declaim.face.mirror import expression_mirror, mirror_rotation, mirror_translation
from declaim.face.model import FaceModel
from declaim.methods.fd2talk.adapter import adapt, lip_labels
from declaim.methods.fd2talk.normalizer import Normalizer
from declaim.methods.fd2talk.targets import (
    STILL_RAD,
    Anatomy,
    expression_target,
    lip_scale,
    mean_blink,
    pose_around_rest,
)
from declaim.timebase import FPS

LOG_INTERVAL_SD = 0.55
"""Standard deviation of the logarithm of seconds between blinks, on the five training speakers with long clips."""
SHORTEST_INTERVAL_S = 0.5
LEARNT_RAD = 0.03
"""Amplitude to which a moving speaker's poses are brought for learning; only ratios matter."""


@runtime_checkable
class TrackedClip(Protocol):
    """What a training clip must offer; see `declaim.data.prepare.PreparedClip`."""

    @property
    def speaker(self) -> str:
        """Who speaks."""
        ...

    @property
    def features(self) -> Float[Tensor, "frames features"]:
        """Speech features."""
        ...

    @property
    def motion(self) -> Float[Tensor, "frames dim"]:
        """Motion in the face64 layout."""
        ...

    @property
    def valid(self) -> Bool[Tensor, " frames"]:
        """False where no face was seen."""
        ...


@dataclass(frozen=True, eq=False)
class Material:
    """One clip as the networks learn it: what they hear, targets and the frames that count, as is and mirrored."""

    speaker: str
    features: Float[Tensor, "frames features"]
    target: Float[Tensor, "frames dim"]
    mirrored: Float[Tensor, "frames dim"]
    mask: Bool[Tensor, " frames"]
    pose_mask: Bool[Tensor, " frames"]


@dataclass(frozen=True, eq=False)
class Measured:
    """`measure`'s result.

    Attributes:
        normalizer: units.
        material: one entry for every clip, in the order given.
    """

    normalizer: Normalizer
    material: list[Material]


def measure(clips: Sequence[TrackedClip], originals: Sequence[TrackedClip], model: FaceModel) -> Measured:
    """Units and targets of the training clips.

    Args:
        clips: all clips to learn from, other tempos included.
        originals: the clips at their own tempo: blinks and amplitudes are measured on these.
        model: the face model of their expressions.
    """
    anatomy, mirror = Anatomy.of(model), expression_mirror(model)
    path, timing = _blinks(originals, anatomy, mirror)
    blink = path[len(path) // 2]
    grouped = _by_speaker(originals)
    typical = _mean([_mouth_sd(group, anatomy) for group in grouped.values()])
    scales = {s: lip_scale([c.motion[:, :N_EXPRESSION] for c in g], anatomy, typical) for s, g in grouped.items()}
    turns = {s: _turning(g) for s, g in grouped.items()}
    targets = [_targets(c, anatomy, blink, scale=scales[c.speaker], turning=turns[c.speaker]) for c in clips]
    weights = _frame_weights(clips)
    speech_mean, speech_std = _moments(torch.cat([c.features for c in clips]), weights)
    speech_std = speech_std.clamp(min=1e-3)
    labels = [_labels(target, anatomy) for target, _ in targets]
    adapted = adapt([c.speaker for c in clips], [(c.features - speech_mean) / speech_std for c in clips], labels)
    material = [
        Material(c.speaker, heard, target, _mirrored(target, mirror), c.valid, moving)
        for c, heard, (target, moving) in zip(clips, adapted.heard, targets, strict=True)
    ]
    units = _motion_units(material, weights)
    normalizer = Normalizer(
        speech_mean, speech_std, adapted.projection, *units, anatomy.lip_basis, *_lip_measures(anatomy, units[1]),
        path, timing, torch.tensor(_mean(list(turns.values())) / LEARNT_RAD),
    )  # fmt: skip
    return Measured(normalizer, material)


def _by_speaker(clips: Sequence[TrackedClip]) -> dict[str, list[TrackedClip]]:
    grouped: dict[str, list[TrackedClip]] = defaultdict(list)
    for clip in clips:
        grouped[clip.speaker].append(clip)
    return dict(grouped)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _mouth_sd(clips: Sequence[TrackedClip], anatomy: Anatomy) -> float:
    openings = [c.motion[:, :N_EXPRESSION] @ anatomy.mouth for c in clips]
    return float(torch.cat([o - o.mean() for o in openings]).std())


def _turning(clips: Sequence[TrackedClip]) -> float:
    """Root mean square of a speaker's head rotation around his clips' means, over time and axes, rad."""
    turned = torch.cat([pose_around_rest(c.motion[:, N_EXPRESSION:], c.valid)[c.valid, :3] for c in clips])
    return float(turned.square().mean().sqrt())


def _blinks(
    clips: Sequence[TrackedClip], anatomy: Anatomy, mirror: Float[Tensor, "expression expression"]
) -> tuple[Float[Tensor, "blink expression"], Float[Tensor, " 3"]]:
    """Mean blink and its timing; every speaker's rate counts the same."""
    path, counts = mean_blink([c.motion[:, :N_EXPRESSION] for c in clips], anatomy, mirror)
    seen: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for clip, count in zip(clips, counts, strict=True):
        seen[clip.speaker][0] += count
        seen[clip.speaker][1] += len(clip.motion) / float(FPS)
    rate = _mean([number / seconds for number, seconds in seen.values()])
    log_interval = -torch.tensor(rate).log() - LOG_INTERVAL_SD**2 / 2
    return path, torch.tensor([float(log_interval), LOG_INTERVAL_SD, SHORTEST_INTERVAL_S])


def _targets(
    clip: TrackedClip, anatomy: Anatomy, blink: Float[Tensor, " expression"], *, scale: float, turning: float
) -> tuple[Float[Tensor, "frames dim"], Bool[Tensor, " frames"]]:
    """What is to be learnt from a clip, and the frames whose pose is."""
    expression = expression_target(clip.motion[:, :N_EXPRESSION], anatomy, blink, scale)
    pose = pose_around_rest(clip.motion[:, N_EXPRESSION:], clip.valid) * (LEARNT_RAD / max(turning, STILL_RAD))
    return torch.cat([expression, pose], 1), clip.valid & (turning >= STILL_RAD)


def _labels(target: Float[Tensor, "frames dim"], anatomy: Anatomy) -> Float[Tensor, "frames labels"]:
    expression = target[:, :N_EXPRESSION]
    return lip_labels(expression @ anatomy.lip_basis, expression @ anatomy.mouth)


def _mirrored(
    target: Float[Tensor, "frames dim"], mirror: Float[Tensor, "expression expression"]
) -> Float[Tensor, "frames dim"]:
    rotation, translation = target[:, N_EXPRESSION : N_EXPRESSION + 3], target[:, N_EXPRESSION + 3 :]
    flipped = [target[:, :N_EXPRESSION] @ mirror, mirror_rotation(rotation), mirror_translation(translation)]
    return torch.cat(flipped, 1)


def _frame_weights(clips: Sequence[TrackedClip]) -> Float[Tensor, " frames"]:
    """Weight of every frame of all clips in a row: every speaker counts by the root of his minutes."""
    frames: dict[str, int] = defaultdict(int)
    for clip in clips:
        frames[clip.speaker] += len(clip.motion)
    return torch.cat([torch.full((len(c.motion),), frames[c.speaker] ** -0.5) for c in clips])


def _motion_units(
    material: list[Material], weights: Float[Tensor, " frames"]
) -> tuple[Float[Tensor, " dim"], Float[Tensor, " dim"]]:
    """Mean and standard deviation of every motion column; poses are measured from zero."""
    expression = _moments(torch.cat([m.target[:, :N_EXPRESSION] for m in material]), weights)
    moving = weights * torch.cat([m.pose_mask for m in material])
    pose_mean, pose_std = _moments(torch.cat([m.target[:, N_EXPRESSION:] for m in material]), moving)
    mean = torch.cat([expression[0], torch.zeros_like(pose_mean)])
    std = torch.cat([expression[1], (pose_std.square() + pose_mean.square()).sqrt()])
    return mean, std.clamp(min=1e-4)


def _lip_measures(
    anatomy: Anatomy, std: Float[Tensor, " dim"]
) -> tuple[Float[Tensor, "expression rows"], Float[Tensor, " expression"]]:
    """Lip points and mouth opening in units of their usual variation."""
    spread = std[:N_EXPRESSION]
    factor = anatomy.lips / (anatomy.lips * spread[:, None]).square().sum().sqrt()
    compact = torch.linalg.svd(factor, full_matrices=False)
    rank = 2 * anatomy.lip_basis.shape[1]
    return compact.U[:, :rank] * compact.S[:rank], anatomy.mouth / (anatomy.mouth * spread).square().sum().sqrt()


def _moments(
    values: Float[Tensor, "frames columns"], weights: Float[Tensor, " frames"]
) -> tuple[Float[Tensor, " columns"], Float[Tensor, " columns"]]:
    shares = (weights / weights.sum())[:, None]
    mean = (values * shares).sum(0)
    return mean, ((values - mean).square() * shares).sum(0).sqrt()
