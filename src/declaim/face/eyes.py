"""Eyes read from points: how far they are open, when they blink, where they look, and when the look shifts."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal import find_peaks, peak_widths
from torch import Tensor

from declaim.face.layouts import (
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    LEFT_IRIS,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
    RIGHT_IRIS,
)
from declaim.timebase import FPS

BLINK_PROMINENCE = 0.35
"""Least rise of lid closure, in parts of a whole blink, that counts as a blink."""
BLINK_MAX_S = 0.6
"""Longer closures are gaze down or closed eyes, not blinks."""

SHIFT_CM = 0.03
"""Least movement of the irises in `SHIFT_FRAMES` that counts as a shift of gaze: 1.4 degrees of a 12 mm eyeball.
The tracker's own jitter moves them by 0.003 cm from frame to frame (median of training speakers)."""
SHIFT_FRAMES, SHIFTS_APART = 3, 4
"""Frames that a tracked shift takes at most (measured: 80 % of it in 3), and least frames between two shifts."""
SHUT = 0.25
"""Lid closure from which the irises are hidden so far that the tracker guesses them."""


def eye_opening(points: Float[Tensor, "*batch points 3"]) -> Float[Tensor, "*batch"]:
    """Mean height of the two eyes' openings over their widths (dimensionless; open about 0.3, shut about 0.05)."""
    ratios = []
    eyes: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    eyes = ((RIGHT_EYE_UPPER, RIGHT_EYE_LOWER), (LEFT_EYE_UPPER, LEFT_EYE_LOWER))
    for upper, lower in eyes:
        gap = points[..., list(upper[3:6]), :] - points[..., list(lower[3:6]), :]
        width = torch.linalg.vector_norm(points[..., upper[0], :] - points[..., upper[-1], :], dim=-1)
        ratios.append(torch.linalg.vector_norm(gap, dim=-1).mean(-1) / width)
    mean: Tensor = (ratios[0] + ratios[1]) / 2
    return mean


def lid_closure(opening: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """Lid closure from `eye_opening`: 0 at the clip's usual opening (median), 1 with the eye shut."""
    closure: Tensor = 1 - opening / opening.median()
    return closure


@dataclass(frozen=True)
class Blink:
    """One blink: the time of deepest closure and how long the lids stay below half of it, in seconds."""

    at_s: float
    duration_s: float


def blinks(closure: Float[Tensor, " frames"], fps: Fraction = FPS) -> list[Blink]:
    """Blinks in a curve of lid closure (0 open, 1 shut): ARKit's mean eyeBlink or `lid_closure`.

    A blink is a peak that stands out by `BLINK_PROMINENCE` and is at most `BLINK_MAX_S` wide at half its height. Peaks
    at the very ends of the clip count too.
    """
    curve = np.pad(closure.double().numpy(), 1, constant_values=float(closure.double().median()))
    peaks, _ = find_peaks(curve, prominence=BLINK_PROMINENCE)
    widths = peak_widths(curve, peaks, rel_height=0.5)[0] / float(fps)
    return [
        Blink((int(peak) - 1) / float(fps), float(width))
        for peak, width in zip(peaks, widths, strict=True)
        if width <= BLINK_MAX_S
    ]


def gaze(points: Float[Tensor, "*batch points 3"]) -> Float[Tensor, "*batch 2"]:
    """Where the irises' centres stand between the corners of the eyes, mean of both eyes, in cm (x right, y up).

    Args:
        points: in the head frame, cm; or a face model's directions, as the reading is linear.
    """
    eyes = ((RIGHT_IRIS[0], RIGHT_EYE_UPPER), (LEFT_IRIS[0], LEFT_EYE_UPPER))
    both = [points[..., iris, :2] - (points[..., lid[0], :2] + points[..., lid[-1], :2]) / 2 for iris, lid in eyes]
    return (both[0] + both[1]) / 2


def seen_gaze(gaze_cm: Float[Tensor, "frames 2"], closure: Float[Tensor, " frames"]) -> Float[Tensor, "frames 2"]:
    """Gaze with what was read through closing lids replaced: the look before up to the middle, then the look after."""
    hidden = torch.nn.functional.max_pool1d((closure >= SHUT).float()[None], 5, 1, 2)[0] > 0
    seen = (~hidden).nonzero()[:, 0]
    if len(seen) == 0:
        return gaze_cm[:1].expand_as(gaze_cm).clone()
    frames = torch.arange(len(gaze_cm))
    after = torch.searchsorted(seen, frames).clamp(max=len(seen) - 1)
    before = (after - 1).clamp(min=0)
    nearer = (frames - seen[before]).abs() < (seen[after] - frames).abs()
    return gaze_cm[torch.where(nearer, seen[before], seen[after])]


@dataclass(frozen=True, eq=False)
class Shifts:
    """Shifts of gaze.

    Attributes:
        frames: in whose course each happens.
        moved: how far, cm.
    """

    frames: list[int]
    moved: Float[Tensor, "shifts 2"]


def gaze_shifts(look: Float[Tensor, "frames 2"]) -> Shifts:
    """Quick movements of gaze: `SHIFT_CM` or more within `SHIFT_FRAMES`, the largest around.

    Args:
        look: `seen_gaze`, cm.
    """
    move = look[SHIFT_FRAMES:] - look[:-SHIFT_FRAMES]
    size = move.norm(dim=1)
    peaks, _ = find_peaks(np.pad(size.double().numpy(), 1), height=SHIFT_CM, distance=SHIFTS_APART + 1)
    at = torch.from_numpy(peaks - 1).long()
    return Shifts([i + SHIFT_FRAMES // 2 + 1 for i in at.tolist()], move[at])
