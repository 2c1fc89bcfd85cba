"""Settings of the probabilistic audio-to-visual prior: nothing of the paper's sizes is public, so all are our own."""

from typing import Literal

from pydantic import Field

from declaim.motion.config import ListenerConfig, MotionConfig


class LipSpaceConfig(ListenerConfig):
    """The space that speech and lips share, and the path from speech to lips through it."""

    embedding: int = Field(64, gt=0)
    """Size of an embedding."""
    layers: int = Field(2, ge=0)
    """Temporal convolutions on the speech, and on the way from embeddings to lips."""


class PriorConfig(ListenerConfig):
    """The prior over everything that is not lips."""

    kind: Literal["diffusion", "autoregressive"] = "diffusion"
    """How it samples: all frames of a window together from noise, or each from a normal distribution given those
    before. Both are one transformer of one size."""
    dim: int = Field(96, gt=0)
    """Width."""
    layers: int = Field(4, gt=0)
    """Transformer layers."""
    heads: int = Field(4, gt=0)
    """Attention heads."""
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    """Dropout on every branch, in training."""
    speech_layers: int = Field(1, ge=0)
    """Temporal convolutions on the speech before the transformer."""


class A2VPriorConfig(MotionConfig):
    """Lip space, non-lip space and prior."""

    frames: int = Field(80, gt=1)
    """Frames of a training sequence and of a window."""
    ahead: int = Field(10, ge=0)
    """Frames that a window generates and throws away: as far as the lips' convolutions look."""
    lip_gain: float = Field(0.95, gt=0.0)
    """Amplitude of lip motion after sampling: on held-out training speakers it comes out at 1.05 of people's."""
    lips: LipSpaceConfig = LipSpaceConfig()
    """From speech to lips."""
    prior: PriorConfig = PriorConfig()
    """From speech to the rest."""
    face_embedding: int = Field(24, gt=0)
    """Size of the embedding of brows, cheeks and the rest of the face."""
    pose_embedding: int = Field(8, gt=0)
    """Size of the embedding of the head's pose."""
    opening_weight: float = Field(1.0, ge=0.0)
    """Weight of the squared error of the mouth's opening."""
    closure_weight: float = Field(2.0, ge=0.0)
    """Extra weight of the opening's error in frames with closed lips."""
    velocity_weight: float = Field(0.5, ge=0.0)
    """Weight of the losses on frame-to-frame differences, of the lips and of the prior."""
    contrast_weight: float = Field(0.1, ge=0.0)
    """Weight of the contrastive loss between speech and lips."""
    orthogonality_weight: float = Field(1.0, ge=0.0)
    """Weight of the loss that keeps the non-lip embedding uncorrelated with the speech's place in the lip space."""
    whiteness_weight: float = Field(0.1, ge=0.0)
    """Weight of the loss that gives the non-lip embedding unit variances and no correlations: the prior's noise has
    them too."""
    prior_weight: float = Field(1.0, ge=0.0)
    """Weight of the prior's loss."""


def default() -> A2VPriorConfig:
    """Small enough for two CPU cores; the shipped weights."""
    return A2VPriorConfig()


def autoregressive() -> A2VPriorConfig:
    """The same, with the autoregressive prior of the same size."""
    return A2VPriorConfig(prior=PriorConfig(kind="autoregressive"))


def tiny() -> A2VPriorConfig:
    """For tests: runs in milliseconds."""
    quiet = {"dropout": 0.0, "speech_dropout": 0.0, "speech_noise": 0.0}
    return A2VPriorConfig(
        lips=LipSpaceConfig(dim=16, embedding=8, layers=1, **quiet),
        prior=PriorConfig(dim=16, layers=1, heads=2, speech_layers=0, **quiet),
        face_embedding=6, pose_embedding=4, diffusion_steps=20, sampling_steps=2, frames=20, prefix=5, ahead=2,
    )  # fmt: skip
