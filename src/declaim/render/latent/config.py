"""Settings of FD2Talk's frame stage: the paper's numbers in ``paper()``, what two cores can train in ``default()``."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from declaim.diffusion.samplers import SamplerName
from declaim.diffusion.schedule import ScheduleName
from declaim.render.patches import View


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class AutoencoderConfig(_Section):
    """Encoder and decoder between pictures and latents."""

    channels: int = Field(4, gt=0)
    """d: channels of the latent."""
    fold: int = Field(4, gt=0)
    """Squares of so many pixels a side become channels before the first convolution; 1: none."""
    widths: tuple[int, ...] = Field((64,), min_length=1)
    """Channels at every size, largest picture first; each next one has half the side."""
    encoder_blocks: int = Field(2, gt=0)
    """Residual blocks at every size of the encoder."""
    decoder_blocks: int = Field(4, gt=0)
    """Residual blocks at every size of the decoder."""
    groups: int = Field(0, ge=0)
    """Groups of the group norms; 0: no norms, so that a cut and the whole picture are treated alike."""

    @property
    def factor(self) -> int:
        """f: pixels a side of one place of the latent."""
        return int(self.fold * 2 ** (len(self.widths) - 1))


class UNetConfig(_Section):
    """The diffusion UNet."""

    patch: int = Field(2, gt=0)
    """Squares of so many latent places a side become channels."""
    widths: tuple[int, ...] = Field((64, 128, 192), min_length=1)
    """Channels at every size; each next one has half the side."""
    blocks: int = Field(1, gt=0)
    """Blocks at every size of the encoder and of the decoder; each ends in the two cross-attentions."""
    heads: int = Field(4, gt=0)
    """Attention heads."""
    groups: int = Field(8, gt=0)
    """Groups of the group norms."""
    motion_tokens: int = Field(4, gt=0)
    """Tokens that the coefficients are projected to."""
    context: int = Field(64, gt=0)
    """Width of the tokens of both conditions."""
    reference_patch: int = Field(4, gt=0)
    """Squares of so many latent places a side of the reference become one token."""
    conditions: Literal["attention", "concat"] = "attention"
    """Two cross-attentions (eqs. 6 and 7), or coefficients and reference latent as further input channels: the paper's
    ablation."""
    guide: bool = True
    """Whether the mesh renderer's encoded frame is an input, from which the estimate is an offset."""

    # Deviation: the paper tells b and pose of the frame alone.
    own: bool = True
    """Whether the portrait's own coefficients are told, too."""

    @property
    def multiple(self) -> int:
        """What the latent's sides must be multiples of."""
        return int(max(self.patch * 2 ** (len(self.widths) - 1), self.reference_patch))


class LatentConfig(_Section):
    """The diffusion process and how frames are drawn from it."""

    autoencoder: AutoencoderConfig = AutoencoderConfig()
    """Between pictures and latents."""
    unet: UNetConfig = UNetConfig()
    """The denoiser."""
    side: int = Field(128, gt=0)
    """Side of what is drawn, in pixels."""
    # Deviation: the paper draws whole pictures.
    view_cm: float | None = Field(10.0, gt=0)
    """What is drawn: a patch around the mouth, fixed to the head, that shows so much of it, of which lips and their
    surroundings are shown; ``none``: the square around the head, of which the face is shown."""
    diffusion_steps: int = Field(1000, gt=0)
    """T of the diffusion process."""
    schedule: ScheduleName = "linear"
    """How noise grows over the steps."""
    sampler: SamplerName = "ddim"
    """How the reverse process goes; without fresh noise either way."""
    sampling_steps: int = Field(1, gt=0)
    """Steps of the reverse process."""
    start: int | None = Field(60, ge=0)
    """Diffusion step to which the guide is noised and from which the reverse process starts; ``none`` starts from pure
    noise."""
    detail: bool = True
    """Whether, outside the lips, the guide's own pixels are shown, changed by the difference between what is decoded of
    the drawn latent and of the guide's: what the autoencoder loses of the mesh renderer's frame is not lost there."""

    strength: float = Field(0.7, gt=0, le=1)
    """How much of what the network changes is shown: less is nearer to the mesh renderer's frame."""
    carry: float = Field(0.0, ge=0, le=1)
    """How much of the previous frame's offset from its guide is added to the guide that the process starts from."""

    @property
    def view(self) -> View:
        """What of a picture the networks see."""
        return View(self.side, self.view_cm)

    @model_validator(mode="after")
    def _fits(self) -> "LatentConfig":
        if not self.unet.guide and (self.start is not None or self.detail):
            raise ValueError("without a guide, start must be none and detail false")
        if self.start is not None and self.start >= self.diffusion_steps:
            raise ValueError(f"start is {self.start}; expected less than diffusion_steps, {self.diffusion_steps}")
        if self.side % (self.autoencoder.factor * self.unet.multiple):
            raise ValueError(
                f"side is {self.side}; expected a multiple of {self.autoencoder.factor * self.unet.multiple}, which "
                "the networks fold it by"
            )
        return self


def default() -> LatentConfig:
    """Small enough for two CPU cores."""
    return LatentConfig()


def paper() -> LatentConfig:
    """The paper's numbers: section 4.1 (256 pixels, latents of 64x64, T = 1000, 50 steps) and 3.3 (two conditions).

    Widths and blocks are not given there: those of the public latent-diffusion models with f = 4 are taken (KL
    autoencoder of 128, 256, 512 channels and two blocks, three latent channels; UNet of 224, 448, 672, 896 channels and
    two blocks). The schedule, the number of motion tokens and the heads are ours.
    """
    return LatentConfig(
        autoencoder=AutoencoderConfig(
            channels=3, fold=1, widths=(128, 256, 512), encoder_blocks=2, decoder_blocks=3, groups=32
        ),
        unet=UNetConfig(
            patch=1, widths=(224, 448, 672, 896), blocks=2, heads=8, groups=32, motion_tokens=1, context=512,
            reference_patch=1, guide=False, own=False,
        ),
        side=256, view_cm=None, strength=1.0, sampling_steps=50, start=None, detail=False,
    )  # fmt: skip


def tiny() -> LatentConfig:
    """For tests: runs in milliseconds."""
    return LatentConfig(
        autoencoder=AutoencoderConfig(fold=8, widths=(8,), encoder_blocks=1, decoder_blocks=1),
        unet=UNetConfig(widths=(8, 16), heads=2, groups=4, motion_tokens=2, context=8, reference_patch=2),
        side=64, diffusion_steps=50, sampling_steps=2, start=20, strength=1.0,
    )  # fmt: skip
