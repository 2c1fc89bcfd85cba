"""Amplitudes of a trained network brought to people's: few sampling steps and little footage shrink head motion."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.motion.measure import LEARNT_RAD
from declaim.motion.method import MotionMethod
from declaim.motion.normalizer import Normalizer


def turning_rad(rotation: Float[Tensor, "frames 3"]) -> float:
    """Root mean square of the rotation around its own mean, over time and axes."""
    return float((rotation - rotation.mean(0)).square().mean().sqrt())


def generated_turning_rad(method: MotionMethod[Any], speeches: Sequence[Tensor], seeds: int) -> float:
    """`turning_rad` of what ``method`` generates, averaged over speeches and seeds."""
    turned = [
        turning_rad(method.generate_from_features([speech], len(speech), seed=seed)["rotation"])
        for speech in speeches
        for seed in range(seeds)
    ]
    return sum(turned) / len(turned)


def calibrated_pose(
    method: MotionMethod[Any], measured: Normalizer, speeches: Sequence[Tensor], seeds: int = 2
) -> Normalizer:
    """``measured`` with the pose amplitude at which the method's heads turn as far as people's do on average.

    Args:
        method: trained.
        measured: its normalizer as it was measured: with the amplitude that a perfect network would need.
        speeches: features of training clips.
        seeds: takes of each.
    """
    typical = float(measured.pose_amplitude) * LEARNT_RAD
    method.normalizer = replace(measured, pose_amplitude=torch.tensor(1.0))
    generated = generated_turning_rad(method, speeches, seeds)
    return replace(measured, pose_amplitude=torch.tensor(typical / max(generated, 1e-6)))
