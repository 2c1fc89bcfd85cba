"""The probabilistic audio-to-visual diffusion prior (Yu et al., ICCV 2023): lips by speech, the rest by chance."""

from declaim.methods.a2v_prior.config import A2VPriorConfig, LipSpaceConfig, PriorConfig, autoregressive, default, tiny
from declaim.methods.a2v_prior.method import AudioToVisualPrior

__all__ = [
    "A2VPriorConfig",
    "AudioToVisualPrior",
    "LipSpaceConfig",
    "PriorConfig",
    "autoregressive",
    "default",
    "tiny",
]
