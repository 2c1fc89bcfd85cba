"""Heads of a trained network brought to people's speeds: little footage and few sampling steps make them slow and even.

Deviation: networks of this size turn the head as far as people do, but their nods of 1 to 4 Hz have half of people's
amplitude, and may all be about as large. What is measured on training speech gives every frequency what people have,
and calm and quick moments their contrast.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.face.layouts import N_EXPRESSION
from declaim.motion.liveliness import enlivened, usual_speed
from declaim.motion.measure import TrackedClip
from declaim.motion.method import MotionMethod
from declaim.motion.normalizer import NO_CONTRAST, Normalizer
from declaim.motion.spectrum import HeadSpeed, matching_filter
from declaim.motion.targets import pose_around_rest
from declaim.types import Motion

ClipT = TypeVar("ClipT", bound=TrackedClip)
MOST_CONTRAST = 2.0
"""Greatest exponent that is tried."""
HALVINGS = 10
"""Steps of the search for the exponent: to .002."""


def calibrated_pose(
    method: MotionMethod[Any],
    measured: Normalizer,
    clips: Sequence[ClipT],
    *,
    take: Callable[[ClipT, int], Motion],
    seeds: int = 6,
) -> Normalizer:
    """``measured`` with the filter and the contrast with which the method's heads turn like those of the clips' people.

    The filter's shape comes from the spectra, its height and the contrast from the speeds' median and fastest tenth;
    all are means over the clips.

    Args:
        method: trained.
        measured: its normalizer as it was measured.
        clips: training clips, one of every speaker whose head it learns from.
        take: what the method makes of a clip's speech, by seed.
        seeds: takes of each.
    """
    method.normalizer = replace(measured, pose_filter=torch.ones(1), pose_contrast=NO_CONTRAST)
    # Heads follow the seed more than the speech: every take has its own.
    numbered = [(clip, seeds * i + k) for i, clip in enumerate(clips) for k in range(seeds)]
    poses = [take(clip, seed).values[:, N_EXPRESSION:] for clip, seed in numbered]
    kernel, contrast = lively_settings(poses, speed_of_people(clips))
    return replace(measured, pose_filter=kernel, pose_contrast=contrast)


def speed_of_people(clips: Sequence[TrackedClip]) -> HeadSpeed:
    """How fast the heads of the clips' people turn, every clip counting the same."""
    return HeadSpeed.mean([pose_around_rest(c.motion[:, N_EXPRESSION:], c.valid)[:, :3] for c in clips])


def lively_settings(
    poses: Sequence[Float[Tensor, "_ 6"]], people: HeadSpeed
) -> tuple[Float[Tensor, " taps"], Float[Tensor, " 2"]]:
    """Kernel and contrast with which `enlivened` gives ``poses`` the speeds of people.

    The contrast is the least one, from 0, with which the fastest tenth is as many times the median as people's. What
    has longer tails already keeps them: nothing is made more even.
    """
    kernel = matching_filter(people.spectrum, HeadSpeed.mean([pose[:, :3] for pose in poses]).spectrum)
    usual = usual_speed(poses)

    def reached(exponent: float) -> HeadSpeed:
        contrast = torch.tensor([exponent, usual])
        return HeadSpeed.mean([enlivened(pose, kernel, contrast)[:, :3] for pose in poses])

    low, high = 0.0, MOST_CONTRAST
    if reached(low).tail < people.tail:
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if reached(middle).tail < people.tail else (low, middle)
    return kernel * people.times(reached(low)), torch.tensor([low, usual])
