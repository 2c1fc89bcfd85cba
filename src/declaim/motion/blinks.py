"""Blinks as a random process of their own: when people blink, and how their lids move while they do.

Deviation: the papers' expression networks have to invent blinks together with the lips. A small network trained on
minutes of footage leaves most of them out (a blink lasts a fifth of a second and speech hardly announces it), so they
are taken out of its training targets and drawn from what was measured.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

DEPTH_SD, DEPTH_LIMITS = 0.1, (0.8, 1.1)
"""Depths of blinks vary by so much, within these limits: a shallower one would be a squint."""
STRETCH_LIMITS = (0.6, 2.0)
"""How quick and how slow a blink may be, relative to the mean course: .1 to .3 s at half depth."""


def lid_curve(
    n_frames: int,
    middles: Sequence[int],
    draws: Float[Tensor, "blinks 2"],
    course: Float[Tensor, " blink"],
    stretch: Float[Tensor, " 2"],
) -> Float[Tensor, " frames"]:
    """How far blinks shut the lids: 0 open, 1 shut.

    Args:
        n_frames: frames of the clip.
        middles: frame of every blink's deepest closure; may lie outside the clip.
        draws: standard normal numbers of each blink, for its duration and depth.
        course: the mean blink, shut in its middle frame.
        stretch: mean and standard deviation of the logarithm of durations over the mean course's.
    """
    closed = torch.zeros(n_frames)
    slowness = (stretch[0] + stretch[1] * draws[:, 0]).exp().clamp(*STRETCH_LIMITS).tolist()
    depths = (1.0 + DEPTH_SD * draws[:, 1]).clamp(*DEPTH_LIMITS).tolist()
    for middle, slow, depth in zip(middles, slowness, depths, strict=True):
        reach = reach_frames(len(course), slow)
        first, last = max(middle - reach, 0), min(middle + reach + 1, n_frames)
        if first < last:
            place = (torch.arange(first, last) - middle) / slow + len(course) // 2
            closed[first:last] = torch.maximum(closed[first:last], depth * _read(course, place))
    return closed


def reach_frames(length: int, slow: float = STRETCH_LIMITS[1]) -> int:
    """Frames to either side of its middle that a blink of ``length`` frames takes; by default the slowest."""
    return int(length // 2 * slow)


def _read(course: Float[Tensor, " blink"], place: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """``course`` between its frames; at most half a course lies outside, where it is 0."""
    held = torch.nn.functional.pad(course, (1, 1))
    lower = (place + 1).floor().clamp(0, len(held) - 2)
    share = (place + 1 - lower).clamp(0.0, 1.0)
    return held[lower.long()] * (1 - share) + held[lower.long() + 1] * share
