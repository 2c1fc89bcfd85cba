"""Blinks as a random process of their own: when people blink, and how their lids move while they do.

Deviation: the paper's expression transformer has to invent blinks together with the lips. A small network trained on
minutes of footage leaves most of them out (a blink lasts a fifth of a second and speech does not announce it), so they
are taken out of its training targets and drawn from what was measured: log-normal intervals and the mean lid path.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.timebase import FPS
from declaim.types import seeded_generator

STREAM = 2
"""Stream of random numbers, apart from the transformers' noise."""


def blink_times(n_frames: int, timing: Float[Tensor, " 3"], seed: int) -> list[tuple[float, float]]:
    """Middle (frames, fractional) and depth of every blink that touches a clip.

    Args:
        n_frames: frames in all.
        timing: mean and standard deviation of the logarithm of seconds between blinks; shortest interval in seconds.
        seed: the take. The blinks of a longer clip begin with those of a shorter one.
    """
    mean, spread, shortest = timing.tolist()
    generator = seeded_generator(seed, STREAM)
    blinks: list[tuple[float, float]] = []
    fps, now = float(FPS), 0.0
    start = torch.rand(1, generator=generator).item()  # the clip starts somewhere within an interval
    while True:
        drawn = torch.randn(2, generator=generator)
        interval = max(float((mean + spread * drawn[0]).exp()), shortest)
        now += interval * (start if not blinks else 1.0)
        if now * fps > n_frames + 15:
            return blinks
        blinks.append((now * fps, float((1.0 + 0.1 * drawn[1]).clamp(0.8, 1.1))))


def blink_path(
    n_frames: int, path: Float[Tensor, "blink expression"], timing: Float[Tensor, " 3"], seed: int
) -> Float[Tensor, "frames expression"]:
    """Expression added by blinks.

    Args:
        n_frames: frames in all.
        path: b over one blink, middle frame shut.
        timing: see `blink_times`.
        seed: the take.
    """
    added = torch.zeros(n_frames, path.shape[1])
    half = len(path) // 2
    for middle, depth in blink_times(n_frames, timing, seed):
        first = round(middle) - half
        a, b = max(first, 0), min(first + len(path), n_frames)
        if a < b:
            added[a:b] += depth * path[a - first : b - first]
    return added
