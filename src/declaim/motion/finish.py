"""From sampled, normalised motion to motion in its own units: amplitudes, smoothing, calm lips in pauses."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.layouts import N_EXPRESSION
from declaim.motion.config import MotionConfig
from declaim.motion.liveliness import enlivened
from declaim.motion.normalizer import Normalizer
from declaim.motion.silence import calmed
from declaim.motion.smoothing import smoothed


def finished(
    normal: Float[Tensor, "frames dim"],
    active: Bool[Tensor, " frames"] | None,
    units: Normalizer,
    config: MotionConfig,
    *,
    pose_scale: float,
    expression_scale: float,
) -> Float[Tensor, "frames dim"]:
    """Motion with the amplitudes asked for, its irises in the middle.

    Args:
        normal: sampled motion, normalised.
        active: frames that hold speech; in pauses the lips are calm. None: all of them.
        units: the method's.
        config: the method's.
        pose_scale: amplitude of head motion.
        expression_scale: amplitude of expression.
    """
    expression = units.scale_lips(normal[:, :N_EXPRESSION], config.lip_gain)
    values = units.raw_motion(torch.cat([expression, normal[:, N_EXPRESSION:]], 1))
    lips = values[:, :N_EXPRESSION] @ units.lip_basis @ units.lip_basis.T
    others = smoothed(values[:, :N_EXPRESSION] - lips, config.face_smoothing)
    if active is not None:
        lips = calmed(lips, active)
    values[:, :N_EXPRESSION] = expression_scale * units.eyes.without_gaze(lips + others)
    values[:, N_EXPRESSION:] = pose_scale * enlivened(values[:, N_EXPRESSION:], units.pose_filter, units.pose_contrast)
    return values


def check_scales(**scales: float) -> None:
    """Amplitudes must be numbers of at least 0.

    Raises:
        ConfigError: one is not.
    """
    for name, scale in scales.items():
        if not (math.isfinite(scale) and scale >= 0.0):
            raise ConfigError(f"{name} is {scale}; expected a number of at least 0")
