"""What somebody's manner of moving is like, in figures: how far the mouth opens, how the head moves, nods, brows."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy.signal import find_peaks
from torch import Tensor

from declaim.face.anatomy import Anatomy
from declaim.face.layouts import LEFT_BROW, RIGHT_BROW
from declaim.face.model import FaceModel
from declaim.motion.targets import pose_around_rest
from declaim.timebase import FPS
from declaim.types import Motion

NOD_DEG = 2.0
"""A nod goes down and up again by this much at least: as far as a typical head turns either way in some seconds."""


@dataclass(frozen=True)
class Manner:
    """How somebody moves.

    Attributes:
        mouth_cm: standard deviation of the mouth's opening.
        brows_cm: standard deviation of the brows' height.
        turn_deg: standard deviation of the head's rotation, all axes together.
        speed_deg_s: median angular speed of the head.
        nods: a minute; see `NOD_DEG`.
    """

    mouth_cm: float
    brows_cm: float
    turn_deg: float
    speed_deg_s: float
    nods: float


TYPICAL = Manner(mouth_cm=0.39, brows_cm=0.040, turn_deg=2.07, speed_deg_s=4.5, nods=11.0)
"""Medians over 33 training speakers (``python -m benchmarks.manners``); half of the people move more than that."""


def manner_of(motion: Motion, model: FaceModel) -> Manner:
    """The manner of a motion of two frames with a face or more; frames without a face do not count."""
    valid = torch.ones(len(motion), dtype=torch.bool) if motion.valid is None else motion.valid
    expression = motion["expression"][valid]
    turns = pose_around_rest(torch.cat([motion["rotation"], motion["translation"]], 1), valid)[:, :3].rad2deg()
    pitch = turns[valid, 0]
    nods, _ = find_peaks(pitch.numpy(), prominence=NOD_DEG)
    return Manner(
        mouth_cm=_spread((expression @ Anatomy.of(model).mouth)[:, None]),
        brows_cm=_spread((expression @ model.expression_basis[:, [*RIGHT_BROW, *LEFT_BROW], 1].mean(1))[:, None]),
        turn_deg=_spread(turns[valid]),
        speed_deg_s=float((turns.diff(dim=0).norm(dim=1) * float(FPS))[valid[1:] & valid[:-1]].median()),
        nods=len(nods) / (len(pitch) / float(FPS) / 60),
    )


def _spread(values: Float[Tensor, "frames columns"]) -> float:
    return math.sqrt(float(values.var(0, unbiased=False).sum()))
