"""Training clips measured and turned into training material: the normalizer, and every clip's targets."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.face.anatomy import Anatomy
from declaim.face.layouts import N_EXPRESSION
from declaim.face.mirror import expression_mirror, mirror_rotation, mirror_translation
from declaim.face.model import FaceModel
from declaim.motion.eyes import Eyes
from declaim.motion.measure_eyes import WatchedClip, measure_eyes
from declaim.motion.normalizer import NO_CONTRAST, Normalizer
from declaim.motion.targets import STILL_RAD, lip_scale, motion_target, pose_around_rest

LEARNT_RAD = 0.03
"""Amplitude to which a moving speaker's poses are brought for learning; only ratios matter."""


@runtime_checkable
class TrackedClip(WatchedClip, Protocol):
    """What a training clip must offer; see `declaim.recipes.motion.Clip`."""

    @property
    def features(self) -> Float[Tensor, "frames features"]:
        """Speech features."""
        ...


@dataclass(frozen=True, eq=False)
class Material:
    """One clip as the networks learn it: features, targets and the frames that count, as is and mirrored."""

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


def measure(
    clips: Sequence[TrackedClip], originals: Sequence[TrackedClip], model: FaceModel, *, personal: bool = False
) -> Measured:
    """Units and targets of the training clips.

    Args:
        clips: all clips to learn from, other tempos included.
        originals: the clips at their own tempo: eyes and amplitudes are measured on these.
        model: the face model of their expressions.
        personal: whether everybody keeps the amplitudes of his own lips and head, for a method that learns styles.
            Else lips and moving heads are brought to one amplitude, and heads that are kept still teach nothing.
    """
    anatomy, mirror = Anatomy.of(model), expression_mirror(model)
    eyes = measure_eyes(originals, model, anatomy, mirror)
    grouped = _by_speaker(originals)
    typical = _mean([_mouth_sd(group, anatomy) for group in grouped.values()])
    scales = {s: lip_scale([c.motion[:, :N_EXPRESSION] for c in g], anatomy, typical) for s, g in grouped.items()}
    turns = {s: _turning(g) for s, g in grouped.items()}
    if personal:
        material = [_material(c, anatomy, eyes, mirror=mirror) for c in clips]
        return Measured(_normalizer(clips, material, anatomy, eyes, LEARNT_RAD), material)
    material = [
        _material(c, anatomy, eyes, scale=scales[c.speaker], turning=turns[c.speaker], mirror=mirror) for c in clips
    ]
    moving = [turning for turning in turns.values() if turning >= STILL_RAD]
    return Measured(_normalizer(clips, material, anatomy, eyes, _mean(moving or list(turns.values()))), material)


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


def _material(
    clip: TrackedClip,
    anatomy: Anatomy,
    eyes: Eyes,
    *,
    scale: float = 1.0,
    turning: float | None = None,
    mirror: Float[Tensor, "expression expression"],
) -> Material:
    """A clip's targets; ``turning`` is how much the speaker's head turns, None to leave it as it is."""
    pose_scale = 1.0 if turning is None else LEARNT_RAD / max(turning, STILL_RAD)
    target = motion_target(clip.motion, clip.valid, anatomy, eyes, lip_scale=scale, pose_scale=pose_scale)
    expression, pose = target[:, :N_EXPRESSION], target[:, N_EXPRESSION:]
    mirrored = torch.cat([expression @ mirror, mirror_rotation(pose[:, :3]), mirror_translation(pose[:, 3:])], 1)
    counted = clip.valid & (turning is None or turning >= STILL_RAD)
    return Material(clip.speaker, clip.features, target, mirrored, clip.valid, counted)


def _normalizer(
    clips: Sequence[TrackedClip], material: list[Material], anatomy: Anatomy, eyes: Eyes, turning: float
) -> Normalizer:
    """Means and standard deviations, every speaker counting by the root of his minutes."""
    seconds: dict[str, int] = defaultdict(int)
    for m in material:
        seconds[m.speaker] += len(m.target)
    weights = torch.cat([torch.full((len(m.target),), seconds[m.speaker] ** -0.5) for m in material])
    speech = _moments(torch.cat([c.features for c in clips]), weights)
    expression = _moments(torch.cat([m.target[:, :N_EXPRESSION] for m in material]), weights)
    pose_weights = weights * torch.cat([m.pose_mask for m in material])
    pose = _moments(torch.cat([m.target[:, N_EXPRESSION:] for m in material]), pose_weights)
    mean = torch.cat([expression[0], torch.zeros_like(pose[0])])
    std = torch.cat([expression[1], (pose[1].square() + pose[0].square()).sqrt()])
    rows = anatomy.lips * expression[1][:, None]
    factor = anatomy.lips / rows.square().sum().sqrt()
    opening = anatomy.mouth / (anatomy.mouth * expression[1]).square().sum().sqrt()
    compact = torch.linalg.svd(factor, full_matrices=False)
    rank = 2 * anatomy.lip_basis.shape[1]
    lip_factor = compact.U[:, :rank] * compact.S[:rank]
    return Normalizer(
        speech[0], speech[1].clamp(min=1e-3), mean, std.clamp(min=1e-4), anatomy.lip_basis, lip_factor, opening,
        torch.tensor([turning / LEARNT_RAD]), NO_CONTRAST, eyes,
    )  # fmt: skip


def _moments(
    values: Float[Tensor, "frames columns"], weights: Float[Tensor, " frames"]
) -> tuple[Float[Tensor, " columns"], Float[Tensor, " columns"]]:
    shares = (weights / weights.sum())[:, None]
    mean = (values * shares).sum(0)
    return mean, ((values - mean).square() * shares).sum(0).sqrt()
