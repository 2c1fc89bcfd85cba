"""Settings of FD2Talk's motion stage: the paper's numbers in ``paper()``, our own measurements in ``default()``."""

from pydantic import Field

from declaim.motion.config import ListenerConfig, MotionConfig


class DenoiserConfig(ListenerConfig):
    """One diffusion transformer."""

    layers: int = Field(3, gt=0)
    """Transformer layers."""
    heads: int = Field(4, gt=0)
    """Attention heads."""
    reach: int = Field(12, ge=0)
    """Frames to either side with a learnt relative place; 0 uses absolute sinusoids instead."""
    speech_layers: int = Field(2, ge=0)
    """Temporal convolutions on the speech features before the transformer; 0 as in the paper."""


class FD2TalkConfig(MotionConfig):
    """The motion stage: two transformers and their losses."""

    expression: DenoiserConfig = DenoiserConfig()
    """The expression transformer."""
    pose: DenoiserConfig = DenoiserConfig(dim=64, speech_layers=1)
    """The head pose transformer."""
    joint: bool = False
    """One transformer, of the sizes of ``expression``, for expression and pose together: the paper's ablation."""
    band: int | None = Field(3, ge=0)
    """k of the alignment mask; ``none`` lets every frame look at all of the window's speech: the paper's ablation."""
    lip_weight: float = Field(1.0, ge=0.0)
    """Weight of the squared error of the lip points."""
    opening_weight: float = Field(1.0, ge=0.0)
    """Weight of the squared error of the mouth's opening."""
    closure_weight: float = Field(2.0, ge=0.0)
    """Extra weight of the opening's error in frames with closed lips."""
    velocity_weight: float = Field(0.5, ge=0.0)
    """Weight of the losses on frame-to-frame differences."""
    pose_weight: float = Field(1.0, ge=0.0)
    """Weight of the pose transformer's loss."""
    sync_weight: float = Field(1.0, ge=0.0)
    """Weight of the lip expert's sync loss; 0: no expert is needed. On held-out training speakers (300 steps) the
    mouth's correlation is .775 without it, .782 with a weight of .3 and .788 with 1."""
    lip_temperature: float = Field(0.3, ge=0.0, le=1.0)
    """Share of the starting noise that is left in the directions that move the lips."""
    lip_steps: int = Field(1, ge=1)
    """Sampling steps after which the lips are settled; see the method's README."""


def default() -> FD2TalkConfig:
    """Small enough for two CPU cores; the shipped weights."""
    return FD2TalkConfig()


def paper() -> FD2TalkConfig:
    """The paper's numbers: section 4.1 (6 layers, 25 frames, T = 1000, 50 steps) and 3.2 (k = 3, wav2vec 2.0).

    Width, heads and schedule are not given there; 512, 8 and DDPM's linear schedule are ours. Neither are the weights
    of eq. 12, which bring its losses to one numeric scale: errors of normalised motion and the logarithm of a cosine
    are of order 1 as they are.
    """
    network = DenoiserConfig(
        dim=512, layers=6, heads=8, reach=0, speech_layers=0, dropout=0.0, speech_dropout=0.0, speech_noise=0.0
    )
    return FD2TalkConfig(
        encoder="wav2vec2-base", speech_dim=768, expression=network, pose=network, band=3, diffusion_steps=1000,
        schedule="linear", sampler="ddim", sampling_steps=50, frames=25, prefix=0, ahead=0, prefix_share=0.0,
        lip_weight=0.0, opening_weight=0.0, closure_weight=0.0, velocity_weight=0.0, pose_weight=1.0, sync_weight=1.0,
        lip_temperature=1.0, lip_gain=1.0, face_smoothing=0.0, seam_frames=0, lip_steps=1000,
    )  # fmt: skip


def tiny() -> FD2TalkConfig:
    """For tests: runs in milliseconds."""
    network = DenoiserConfig(dim=16, layers=1, heads=2, reach=4, speech_layers=1, dropout=0.0, speech_dropout=0.0,
                             speech_noise=0.0)  # fmt: skip
    return FD2TalkConfig(
        expression=network, pose=network, diffusion_steps=20, sampling_steps=2, frames=20, prefix=5, ahead=2,
        sync_weight=0.0,
    )  # fmt: skip
