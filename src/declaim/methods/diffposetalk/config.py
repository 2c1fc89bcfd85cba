"""Settings of DiffPoseTalk: the numbers of its public code in ``paper()``, our own measurements in ``default()``."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from declaim.motion.config import ListenerConfig, MotionConfig


class DenoiserConfig(ListenerConfig):
    """The transformer that estimates clean motion."""

    layers: int = Field(4, gt=0)
    """Transformer layers."""
    heads: int = Field(4, gt=0)
    """Attention heads."""
    dropout: float = Field(0.2, ge=0.0, lt=1.0)
    """Dropout on every branch, in training."""
    band: int = Field(1, ge=0)
    """A frame looks at the speech of so many frames to either side of its own; 0, as published, at its own alone."""
    speech_layers: int = Field(2, ge=0)
    """Temporal convolutions on the speech features before the transformer; 0 as published."""
    speech_added: bool = True
    """Whether the speech of a frame is also added to the frame's token; not so as published."""
    style_added: bool = True
    """Whether the style is also added to every frame's token; not so as published."""
    skip: Literal["smooth", "linear", "none"] = "smooth"
    """What the network's estimate is added to: the best linear one from the whole window's previous and noisy frames,
    for motion as smooth as people's and amplitudes that follow the style; the same from a noisy frame alone; or, as
    published, nothing."""
    places: int = Field(0, ge=0)
    """Places of the sequence that are learnt, as published; 0 for sinusoids, with which a window has any length."""
    norm_first: bool = True
    """Whether layers normalise what goes in rather than what comes out, as published."""


class StyleConfig(BaseModel):
    """Where a style comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["encoder", "one-hot", "none"] = "encoder"
    """An encoder of motion, a learnt table of the training speakers, or no style at all."""
    dim: int = Field(64, gt=0)
    """Width of the encoder and size of a style's code."""
    layers: int = Field(2, gt=0)
    """Transformer layers."""
    heads: int = Field(4, gt=0)
    """Attention heads."""
    frames: int = Field(100, gt=1)
    """Most frames that the encoder sees at once: 4 s. Longer motion is seen in parts."""
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    """Dropout on every branch, in training."""
    spreads: bool = True
    """Whether the encoder is also given how the motion changes from frame to frame, and its code the standard
    deviations of both; not so as published."""
    temperature: float = Field(0.1, gt=0.0)
    """Of the contrastive loss."""
    contrast_weight: float = Field(0.1, ge=0.0)
    """Weight of the contrastive loss."""
    detached: bool = False
    """Whether the encoder learns from the contrastive loss alone, as published, where it is trained before."""
    speakers: int = Field(0, ge=0)
    """Rows of the table of kind ``one-hot``; set from the corpus."""


class LossConfig(BaseModel):
    """Weights of the losses; the public code's, unless said otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    x0: float = Field(1.0, ge=0.0)
    """Squared error of the normalised motion."""
    vertex: float = Field(2e6, ge=0.0)
    """Squared error of the face's points in metres: 2 for an error of 1 mm."""
    vertex_velocity: float = Field(1e7, ge=0.0)
    """Squared error of the points' changes from frame to frame, in metres."""
    vertex_smoothness: float = Field(1e5, ge=0.0)
    """Squared second differences of the estimated points, in metres."""
    head_angle: float = Field(0.5, ge=0.0)
    """Squared error of the normalised head pose; .05 as published. Ours counts more: six columns of seventy are pose,
    and no style is left of heads otherwise."""
    head_velocity: float = Field(5.0, ge=0.0)
    """Squared error of the head pose's changes."""
    head_smoothness: float = Field(0.5, ge=0.0)
    """Squared second differences of the estimated head pose."""
    transition: float = Field(0.5, ge=0.0)
    """Squared second and third differences of the head pose where a window goes on from the one before."""
    lips: float = Field(1.0, ge=0.0)
    """Squared error of the lip points; not in the public code, as are the next three."""
    opening: float = Field(1.0, ge=0.0)
    """Squared error of the mouth's opening."""
    closure: float = Field(2.0, ge=0.0)
    """Extra weight of the opening's error in frames with closed lips."""
    lip_velocity: float = Field(0.5, ge=0.0)
    """Squared error of the changes of both."""


class DiffPoseTalkConfig(MotionConfig):
    """Denoiser, style, guidance and losses."""

    diffusion_steps: int = Field(500, gt=0)
    """Steps of the diffusion process in training."""
    frames: int = Field(60, gt=1)
    """Frames of a window with its prefix. Half of the training's clips last 75 frames, which two windows share."""
    prefix: int = Field(10, ge=3)
    """Finished frames that a window sees."""
    prefix_share: float = Field(0.5, ge=0.5, le=0.5)
    """Always half: of the two windows of a training sequence, the second goes on from the first."""
    denoiser: DenoiserConfig = DenoiserConfig()
    """The transformer."""
    style: StyleConfig = StyleConfig()
    """Where styles come from."""
    losses: LossConfig = LossConfig()
    """Weights of the losses."""
    drop_style: float = Field(0.35, ge=0.0, le=1.0)
    """Share of training windows without style."""
    drop_both: float = Field(0.10, ge=0.0, le=1.0)
    """Share of training windows without style and speech."""
    drop_speech: float = Field(0.0, ge=0.0, le=1.0)
    """Share of training windows with style but no speech: only independent guidance asks for such."""
    guidance: Literal["incremental", "independent"] = "incremental"
    """How speech and style guide: style on top of speech, or each alone."""
    speech_guidance: float = Field(1.0, ge=0.0)
    """How much the speech guides; 1 is the network's own estimate."""
    style_guidance: float = Field(1.0, ge=0.0)
    """How much the style guides; 1 is the network's own estimate."""
    threshold: tuple[float, float, float] | None = None
    """Dynamic threshold of every branch: share of values, least and greatest cut (standard deviations)."""
    ancestral: bool = False
    """Whether steps of the sampler ``ddim`` are as noisy as DDPM's, as published."""
    default_style: str = ""
    """Named style of a method that was given none; empty for no style."""
    lip_temperature: float = Field(0.3, ge=0.0, le=1.0)
    """Share of the starting noise that is left in the directions that move the lips."""
    lip_steps: int = Field(1, ge=1)
    """Sampling steps after which the lips are settled."""
    lip_gain: float = Field(1.0, gt=0.0)
    """Amplitude of lip motion after sampling."""

    @property
    def training_frames(self) -> int:
        """Frames of a training sequence: two windows that follow each other."""
        return 2 * (self.frames - self.prefix)


def default() -> DiffPoseTalkConfig:
    """Small enough for two CPU cores; the shipped weights."""
    return DiffPoseTalkConfig()


def paper() -> DiffPoseTalkConfig:
    """The numbers of the public code: windows of 100 frames after 10, 8 layers, T = 500, scales 1.15 and 3.

    Deviation: wav2vec 2.0, one of the code's two encoders; HuBERT is its default and not among ours. It stays frozen.
    """
    return DiffPoseTalkConfig(
        encoder="wav2vec2-base", speech_dim=768, sampler="ddim", ancestral=True, sampling_steps=500, frames=110,
        ahead=0,
        denoiser=DenoiserConfig(dim=512, layers=8, heads=8, band=0, dropout=0.1, speech_dropout=0.0, speech_noise=0.0,
                                speech_layers=0, speech_added=False, style_added=False, skip="none", places=111,
                                norm_first=False),
        style=StyleConfig(dim=128, layers=4, spreads=False, contrast_weight=1.0, detached=True),
        losses=LossConfig(head_angle=0.05, lips=0.0, opening=0.0, closure=0.0, lip_velocity=0.0),
        speech_guidance=1.15, style_guidance=3.0, threshold=(0.99, 1.0, 4.0),
        lip_temperature=1.0, lip_steps=1000, face_smoothing=0.0, seam_frames=0,
    )  # fmt: skip


def tiny() -> DiffPoseTalkConfig:
    """For tests: runs in milliseconds."""
    return DiffPoseTalkConfig(
        denoiser=DenoiserConfig(dim=16, layers=1, heads=2, dropout=0.0, speech_dropout=0.0, speech_noise=0.0,
                                speech_layers=1),
        style=StyleConfig(dim=16, layers=1, heads=2, frames=40, dropout=0.0),
        diffusion_steps=20, sampling_steps=2, frames=20, prefix=5, ahead=2,
    )  # fmt: skip
