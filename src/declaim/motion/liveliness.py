"""The last of head motion: people's speed at every frequency, and people's contrast of quick and calm moments.

sampled ─► filter ─► slow part ────────────────────────────┐
              └────► nods: × (how lively here / usual)^c ──┴─► head
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.motion.smoothing import filtered, gaussian, reach_frames, smoothed

AROUND = 4.0
"""Standard deviation, in frames, of the Gaussian that says what is "here", and below which movement counts as slow.
On training speech people's livelier moments last about that long: the autocorrelation of the logarithm of their speed
falls to a half within 6 frames and to nothing within 15. The contrast that then brings the prior's quantiles of speed
to people's also brings its spread of local speeds there (docs/fidelity.md)."""
MOST = 1.7
"""Nods are at most so many times larger or smaller than they were sampled. With 4 the prior's quantiles on training
speech are the same, but the fastest hundredth is 61 degrees a second instead of 56 (people 49), the quickest moment of
all takes 266 instead of 176 (people 163)."""
REACH = reach_frames(AROUND) + 1
"""Frames to either side that `enlivened` looks at beside the filter's."""


def local_speed(pose: Float[Tensor, "frames columns"]) -> Float[Tensor, " frames"]:
    """Root mean square of the head's angular speed around every frame, rad a frame.

    Args:
        pose: rotation (axis-angle, rad) in the first three columns.
    """
    squares = pose[:, :3].diff(dim=0, prepend=pose[:1, :3]).square().sum(1, keepdim=True)
    return smoothed(squares, AROUND)[:, 0].clamp(min=1e-12).sqrt()


def usual_speed(poses: Sequence[Float[Tensor, "_ columns"]]) -> float:
    """Geometric mean of `local_speed` over all frames of all poses."""
    return float(torch.cat([local_speed(pose).log() for pose in poses]).mean().exp())


def enlivened(
    pose: Float[Tensor, "frames columns"], kernel: Float[Tensor, " taps"], contrast: Float[Tensor, " 2"]
) -> Float[Tensor, "frames columns"]:
    """``pose`` filtered, its nods larger in lively moments and smaller in calm ones.

    Only what is faster than `AROUND` is scaled: a head that looks aside stays there.

    Args:
        pose: as sampled; rotation (axis-angle, rad) in the first three columns.
        kernel: symmetric filter.
        contrast: exponent (0 changes nothing), and the `usual_speed` of such poses.
    """
    whole = filtered(pose, kernel)
    exponent, usual = contrast.tolist()
    if exponent == 0.0 or len(pose) == 0:
        return whole
    slow = kernel.sum() * filtered(pose, gaussian(AROUND))
    gain = (local_speed(pose) / usual).pow(exponent).clamp(1.0 / MOST, MOST)
    return slow + gain[:, None] * (whole - slow)
