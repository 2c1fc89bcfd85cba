"""What the face model holds and what it leaves out, measured on people whom its fit never saw."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from declaim.face.arkit import shape_scores
from declaim.face.clip import ClipTrack, FreedClip, correct, free, free_clip
from declaim.face.layouts import ARKIT_NAMES, LIPS, UPPER_FACE
from declaim.face.model import FaceModel
from declaim.face.track import arkit_order

CHANNELS = tuple(
    i for i, name in enumerate(ARKIT_NAMES) if name.startswith(("jawOpen", "mouth", "eyeBlink", "eyeLook", "brow"))
)
"""The ARKit channels of the figures."""
TURNING_DEG = 3.0
"""Standard deviation of a rotation component, in degrees, from which a clip shows a turning head."""
LONG_ENOUGH = 100
"""Frames below which a correlation within a clip says nothing."""

Figures = dict[str, float]


def figures(model: FaceModel, clips: Sequence[ClipTrack]) -> Figures:
    """All figures of the model card, by name."""
    freed = [free_clip(clip, model) for clip in clips]
    return {
        **explained(model, freed),
        **arkit_agreement(model, clips, freed),
        **separation(model, clips),
        **identity_leak(model, freed),
    }


def explained(model: FaceModel, freed: Sequence[FreedClip]) -> Figures:
    """Share of the pose-free, identity-free variance (3-D, about the clip's mean) that 64 components explain.

    Mean and least over the speakers, for the lips, the upper face (eyes, irises, brows) and all points.
    """
    result: Figures = {}
    speakers = sorted({clip.speaker for clip in freed})
    for name, points in (("lips", list(LIPS)), ("upper_face", list(UPPER_FACE)), ("all", list(range(len(model.mean))))):
        shares = []
        for speaker in speakers:
            left = total = 0.0
            for clip in (c for c in freed if c.speaker == speaker):
                rebuilt = clip.rest + model.offsets(model.fit_expression(clip.shapes, clip.rest))
                seen = clip.shapes[:, points]
                left += float((seen - rebuilt[:, points]).square().sum())
                total += float((seen - seen.mean(0)).square().sum())
            shares.append(1 - left / total)
        result[f"explained_{name}"] = sum(shares) / len(shares)
        result[f"explained_{name}_worst_speaker"] = min(shares)
    return result


def arkit_agreement(model: FaceModel, clips: Sequence[ClipTrack], freed: Sequence[FreedClip]) -> Figures:
    """Coefficients computed from rebuilt points against the tracker's own scores, averaged over `CHANNELS`.

    ``r2`` pools all speakers, each with the same weight. ``correlation`` is the mean over speakers of the correlation
    within the speaker. ``front``: the person's own rest shape seen from the front; ``own_view``: seen at the clip's
    mean head rotation, as the tracker saw it; ``mean_identity``: the mean face from the front, each speaker's offset
    removed.
    """
    truth = torch.cat([arkit_order(clip.scores)[:, list(CHANNELS)] for clip in clips])
    names = sorted({clip.speaker for clip in clips})
    speaker = torch.cat([torch.full((len(c.points),), names.index(c.speaker)) for c in clips])
    views: dict[str, list[Tensor]] = {"front": [], "own_view": [], "mean_identity": []}
    for clip in freed:
        expression = model.fit_expression(clip.shapes, clip.rest)
        shape = clip.seen_rest + model.offsets(expression)
        views["front"].append(shape_scores(shape))
        views["own_view"].append(shape_scores(shape, clip.rotation.mean(0)))
        views["mean_identity"].append(shape_scores(model.points(expression)))
    result: Figures = {}
    for name, runs in views.items():
        scores = torch.cat(runs)[:, list(CHANNELS)]
        if name == "mean_identity":
            result["arkit_r2_mean_identity"] = _r2(_centred(scores, speaker), _centred(truth, speaker), speaker)
        else:
            result[f"arkit_r2_{name}"] = _r2(scores, truth, speaker)
        result[f"arkit_correlation_{name}"] = _correlation(scores, truth, speaker)
    return result


def separation(model: FaceModel, clips: Sequence[ClipTrack]) -> Figures:
    """How much of the expression's variance follows the head's rotation, in clips where heads turn.

    The share of the variance of b that three linear rotation components explain within a clip, before and after the
    corrective; and by chance: explained by the rotation of another clip, because slow signals always correlate.
    """
    before, after = [], []
    for clip in clips:
        freed = free(clip, model.mean, model.stability)
        if len(freed.shapes) >= LONG_ENOUGH and float(freed.rotation.std(0).max()) * 57.3 > TURNING_DEG:
            before.append(freed)
            after.append(correct(freed, model.pose_corrective))
    if len(after) < 2:
        return {"turning_clips": float(len(after))}
    expressions = [model.fit_expression(c.shapes, c.rest) for c in after]
    raw = [model.fit_expression(c.shapes, c.rest) for c in before]
    rotations = [c.rotation for c in after]
    others = [rotations[(i + 1) % len(rotations)] for i in range(len(rotations))]
    return {
        "turning_clips": float(len(after)),
        "rotation_share_before": _mean([_followed(b, r) for b, r in zip(raw, rotations, strict=True)]),
        "rotation_share_after": _mean([_followed(b, r) for b, r in zip(expressions, rotations, strict=True)]),
        "rotation_share_chance": _mean([_followed(b, r) for b, r in zip(expressions, others, strict=True)]),
        "rotation_correlation_before": _mean([_mean_correlation(b, r) for b, r in zip(raw, rotations, strict=True)]),
        "rotation_correlation_after": _mean(
            [_mean_correlation(b, r) for b, r in zip(expressions, rotations, strict=True)]
        ),
        "rotation_correlation_chance": _mean(
            [_mean_correlation(b, r) for b, r in zip(expressions, others, strict=True)]
        ),
    }


def identity_leak(model: FaceModel, freed: Sequence[FreedClip]) -> Figures:
    """Share of the variance of b that lies between people: without and with the person's own rest shape taken out.

    What remains is partly real, because people wear different faces while they speak.
    """
    own = [model.fit_expression(c.shapes, c.rest) for c in freed]
    shared = [model.fit_expression(c.shapes, model.mean) for c in freed]
    speakers = [c.speaker for c in freed]
    return {
        "between_people_mean_face": _between(shared, speakers),
        "between_people_own_rest": _between(own, speakers),
    }


def _between(expressions: Sequence[Tensor], speakers: Sequence[str]) -> float:
    people = [torch.cat([b for b, s in zip(expressions, speakers, strict=True) if s == p]) for p in sorted({*speakers})]
    means = torch.stack([b.mean(0) for b in people])
    between = means.var(0, correction=0).sum()
    within = torch.stack([b.var(0, correction=0) for b in people]).mean(0).sum()
    return float(between / (between + within))


def _followed(b: Float[Tensor, "frames expression"], rotation: Float[Tensor, "others 3"]) -> float:
    n = min(len(b), len(rotation))
    target, source = b[:n] - b[:n].mean(0), rotation[:n] - rotation[:n].mean(0)
    fitted = source @ torch.linalg.lstsq(source, target).solution
    return float(fitted.square().sum() / target.square().sum())


def _mean_correlation(b: Float[Tensor, "frames expression"], rotation: Float[Tensor, "others 3"]) -> float:
    n = min(len(b), len(rotation))
    table = torch.corrcoef(torch.cat([rotation[:n], b[:n]], 1).T)
    return float(table[:3, 3:].abs().mean())


def _r2(
    scores: Float[Tensor, "frames channels"], truth: Float[Tensor, "frames channels"], speaker: Int[Tensor, " frames"]
) -> float:
    weight = 1 / torch.bincount(speaker)[speaker].float()
    weight = (weight / weight.sum())[:, None]
    mean = (weight * truth).sum(0)
    left = (weight * (scores - truth).square()).sum(0)
    return float((1 - left / (weight * (truth - mean).square()).sum(0)).mean())


def _correlation(
    scores: Float[Tensor, "frames channels"], truth: Float[Tensor, "frames channels"], speaker: Int[Tensor, " frames"]
) -> float:
    a, b = _centred(scores, speaker), _centred(truth, speaker)
    per_speaker = [
        (a[speaker == s] * b[speaker == s]).sum(0)
        / (a[speaker == s].norm(dim=0) * b[speaker == s].norm(dim=0)).clamp(min=1e-9)
        for s in torch.unique(speaker)
    ]
    return float(torch.stack(per_speaker).mean())


def _centred(values: Float[Tensor, "frames channels"], speaker: Int[Tensor, " frames"]) -> Float[Tensor, "frames c"]:
    centred = values.clone()
    for s in torch.unique(speaker):
        centred[speaker == s] -= values[speaker == s].mean(0)
    return centred


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
