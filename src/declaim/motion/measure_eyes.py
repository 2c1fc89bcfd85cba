"""People's eyes measured on training clips: when and how they blink, where they look and when they look elsewhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.face.anatomy import Anatomy
from declaim.face.eyes import (
    SHIFT_CM,
    SHIFT_FRAMES,
    SHUT,
    Blink,
    blinks,
    eye_opening,
    gaze,
    gaze_shifts,
    lid_closure,
    seen_gaze,
)
from declaim.face.layouts import N_EXPRESSION
from declaim.face.model import FaceModel
from declaim.motion.event_fit import Watched, fit_odds
from declaim.motion.eyes import Eyes
from declaim.motion.targets import mean_blink, pose_around_rest, without_blinks
from declaim.timebase import FPS


@runtime_checkable
class WatchedClip(Protocol):
    """What a clip must offer."""

    @property
    def speaker(self) -> str:
        """Who speaks."""
        ...

    @property
    def motion(self) -> Float[Tensor, "frames dim"]:
        """Motion in the face64 layout."""
        ...

    @property
    def valid(self) -> Bool[Tensor, " frames"]:
        """False where no face was seen."""
        ...

    @property
    def speaking(self) -> Bool[Tensor, " frames"]:
        """Frames that hold speech."""
        ...


@dataclass(frozen=True, eq=False)
class _Seen:
    """One clip's eyes: expression without blinks, lid closure, gaze (cm) and turns of the head (aside, nod; rad)."""

    clip: WatchedClip
    weight: float
    opened: Float[Tensor, "frames expression"]
    closure: Float[Tensor, " frames"]
    look: Float[Tensor, "frames 2"]
    turns: Float[Tensor, "frames 2"]
    blinks: list[Blink]

    @property
    def open(self) -> Bool[Tensor, " frames"]:
        """Frames whose irises can be seen."""
        return self.clip.valid & (self.closure < SHUT)


def measure_eyes(
    clips: Sequence[WatchedClip], model: FaceModel, anatomy: Anatomy, mirror: Float[Tensor, "expression expression"]
) -> Eyes:
    """What `Eyes` holds, of all clips together; speakers count by the root of their frames.

    Args:
        clips: at their own tempo.
        model: the face model of their expressions.
        anatomy: of the model.
        mirror: of the model.

    Raises:
        ConfigError: no clip shows a blink.
    """
    course, direction = mean_blink([clip.motion[:, :N_EXPRESSION] for clip in clips], anatomy, mirror)
    reading = gaze(model.expression_basis)
    frames: dict[str, int] = {}
    for clip in clips:
        frames[clip.speaker] = frames.get(clip.speaker, 0) + len(clip.motion)
    seen = [_seen(c, frames[c.speaker] ** -0.5, model, anatomy, direction) for c in clips]
    gain = _gain(seen)
    looks = [s.look - s.turns * gain for s in seen]
    shifts = [gaze_shifts(look).frames for look in looks]
    closings = [[round(blink.at_s * FPS) for blink in s.blinks] for s in seen]
    return Eyes(
        direction, course, _stretch(seen, course), _odds(seen, closings),
        reading, _directions(seen, reading, anatomy, mirror), _odds(seen, shifts), _spread(seen, looks, shifts), gain,
    )  # fmt: skip


def _seen(
    clip: WatchedClip, weight: float, model: FaceModel, anatomy: Anatomy, blink: Float[Tensor, " expression"]
) -> _Seen:
    expression = clip.motion[:, :N_EXPRESSION]
    closure = lid_closure(eye_opening(model.points(expression)))
    opened = without_blinks(expression, anatomy, blink)
    look = seen_gaze(opened @ gaze(model.expression_basis), closure)
    turns = pose_around_rest(clip.motion[:, N_EXPRESSION:], clip.valid)[:, [1, 0]]
    return _Seen(clip, weight, opened, closure, look, turns, blinks(closure))


def _odds(seen: Sequence[_Seen], events: Sequence[list[int]]) -> Float[Tensor, " odds"]:
    return fit_odds([Watched(s.clip.speaker, at, s.clip.speaking) for s, at in zip(seen, events, strict=True)])


def _stretch(seen: Sequence[_Seen], course: Float[Tensor, " blink"]) -> Float[Tensor, " 2"]:
    """Mean and standard deviation of the logarithm of blinks' durations over the mean course's."""
    (usual,) = blinks(torch.nn.functional.pad(course, (len(course), len(course))))
    durations = torch.tensor([b.duration_s / usual.duration_s for s in seen for b in s.blinks]).log()
    weights = torch.tensor([s.weight for s in seen for _ in s.blinks])
    mean = (weights * durations).sum() / weights.sum()
    return torch.stack([mean, ((weights * (durations - mean).square()).sum() / weights.sum()).sqrt()])


def _gain(seen: Sequence[_Seen]) -> Float[Tensor, " 2"]:
    """Regression of gaze on the head's turns, around the means of every clip."""
    above, below = torch.zeros(2), torch.full((2,), 1e-6)
    for s in seen:
        if int(s.open.sum()) > 1:
            look, turns = (x[s.open] - x[s.open].mean(0) for x in (s.look, s.turns))
            above += s.weight * (look * turns).sum(0)
            below += s.weight * turns.square().sum(0)
    return above / below


def _directions(
    seen: Sequence[_Seen],
    reading: Float[Tensor, "expression 2"],
    anatomy: Anatomy,
    mirror: Float[Tensor, "expression expression"],
) -> Float[Tensor, "expression 2"]:
    """How b changes when the irises move: regression of its quick changes on those of gaze, lips left out.

    A weak pull to the smallest change of b that moves the irises keeps it defined where nobody looks anywhere.
    """
    least = torch.linalg.pinv(reading).T
    together, alone = least * SHIFT_CM**2, torch.eye(2) * SHIFT_CM**2
    total = sum(s.weight for s in seen) / len(seen)
    for s in seen:
        both = s.open[SHIFT_FRAMES:] & s.open[:-SHIFT_FRAMES]
        moved = (s.opened[SHIFT_FRAMES:] - s.opened[:-SHIFT_FRAMES])[both]
        together = together + s.weight / total * moved.T @ (moved @ reading)
        alone = alone + s.weight / total * (moved @ reading).T @ (moved @ reading)
    found = together @ torch.linalg.inv(alone)
    found = (found + mirror.T @ found * torch.tensor([-1.0, 1.0])) / 2
    found = found - anatomy.lip_basis @ (anatomy.lip_basis.T @ found)
    return found @ torch.linalg.inv(reading.T @ found)


def _spread(
    seen: Sequence[_Seen], looks: Sequence[Float[Tensor, "frames 2"]], shifts: Sequence[list[int]]
) -> Float[Tensor, " 2"]:
    """Standard deviation of the places to which gaze shifts, around its mean of every clip.

    Taken from the mean distance, for a normal distribution: a few who look far away do not make everybody do so.
    """
    goals, weights = [torch.full((1, 2), SHIFT_CM)], [1e-6]
    for s, look, frames in zip(seen, looks, shifts, strict=True):
        after = [min(i + SHIFT_FRAMES // 2, len(look) - 1) for i in frames]
        goals.append(look[after] - look.mean(0))
        weights += [s.weight] * len(after)
    weight = torch.tensor(weights)[:, None]
    return math.sqrt(math.pi / 2) * (weight * torch.cat(goals).abs()).sum(0) / weight.sum()
