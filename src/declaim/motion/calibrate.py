"""Heads of a trained network brought to people's speed: little footage and few sampling steps make them slow.

Deviation: networks of this size turn the head as far as people do, but their nods of 1 to 4 Hz have half of people's
amplitude. A filter measured on training speech gives every frequency what people have.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.motion.method import MotionMethod
from declaim.motion.normalizer import Normalizer
from declaim.motion.spectrum import matching_filter, speed_spectrum


def generated_spectrum(
    method: MotionMethod[Any], speeches: Sequence[Tensor], seeds: int
) -> Float[Tensor, " frequencies"]:
    """`speed_spectrum` of the heads that ``method`` generates, averaged over speeches and seeds."""
    turned = [
        speed_spectrum(method.generate_from_features([speech], len(speech), seed=seed)["rotation"])
        for speech in speeches
        for seed in range(seeds)
    ]
    return torch.stack(turned).mean(0)


def calibrated_pose(
    method: MotionMethod[Any],
    measured: Normalizer,
    spectrum: Float[Tensor, " frequencies"],
    speeches: Sequence[Tensor],
    seeds: int = 2,
) -> Normalizer:
    """``measured`` with the filter with which the method's heads turn as fast as people's do on average.

    Args:
        method: trained.
        measured: its normalizer as it was measured.
        spectrum: people's, `Measured.head_spectrum`.
        speeches: features of training clips.
        seeds: takes of each.
    """
    method.normalizer = replace(measured, pose_filter=torch.ones(1))
    return replace(measured, pose_filter=matching_filter(spectrum, generated_spectrum(method, speeches, seeds)))
