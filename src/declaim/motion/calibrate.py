"""Heads of a trained network brought to people's speed: little footage and few sampling steps make them slow.

Deviation: networks of this size turn the head as far as people do, but their nods of 1 to 4 Hz have half of people's
amplitude. A filter measured on training speech gives every frequency what people have.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from declaim.face.layouts import N_EXPRESSION
from declaim.motion.measure import TrackedClip
from declaim.motion.method import MotionMethod
from declaim.motion.normalizer import Normalizer
from declaim.motion.smoothing import filtered
from declaim.motion.spectrum import HeadSpeed, matching_filter
from declaim.motion.targets import pose_around_rest


def calibrated_pose(
    method: MotionMethod[Any], measured: Normalizer, clips: Sequence[TrackedClip], seeds: int = 2
) -> Normalizer:
    """``measured`` with the filter with which the method's heads turn as fast as those of the same clips' people.

    The filter's shape comes from the spectra, its height from the mean speeds; both are means over the clips.

    Args:
        method: trained.
        measured: its normalizer as it was measured.
        clips: training clips, one of every speaker.
        seeds: takes of each.
    """
    method.normalizer = replace(measured, pose_filter=torch.ones(1))
    heads = [
        method.generate_from_features([clip.features], len(clip.features), seed=seed)["rotation"]
        for clip in clips
        for seed in range(seeds)
    ]
    poses = [pose_around_rest(clip.motion[:, N_EXPRESSION:], clip.valid) for clip in clips]
    people = HeadSpeed.mean([pose[:, :3] for pose in poses])
    kernel = matching_filter(people.spectrum, HeadSpeed.mean(heads).spectrum)
    reached = HeadSpeed.mean([filtered(head, kernel) for head in heads])
    return replace(measured, pose_filter=kernel * people.rad_s / reached.rad_s.clamp(min=1e-6))
