"""The diffusion UNet of FD2Talk's frame stage: from a noisy latent to the clean one.

noisy latent [+ guide] -> 32x32 -- block -- 16x16 -- block -- 8x8 -- middle -- 8x8 .. 32x32 -> clean latent
                                     |                                             (skips to the same size)
          residual, then cross-attention to b and pose (eq. 6), then to the reference latent (eq. 7)
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from declaim.errors import ConfigError
from declaim.nn.embeddings import StepEmbedding
from declaim.render.coefficients import N_COEFFICIENTS
from declaim.render.latent.blocks import CrossAttention, StepResidual, place_code
from declaim.render.latent.config import UNetConfig

WILD = 5.0
"""Coefficients further from their mean, in standard deviations, are unlike any in the training."""


@dataclass(frozen=True, eq=False)
class Conditions:
    """What the UNet is told beside the noisy latent; latents are in standard deviations.

    Attributes:
        coefficients: b and pose of every frame, see `declaim.render.coefficients`.
        reference: latent of the portrait's square; of one portrait, or of one for every frame.
        guide: latent of the mesh renderer's square of every frame; None without.
        own: the portrait's own b and pose, of one or of one for every frame; None where the network is not told.
    """

    coefficients: Float[Tensor, "batch 70"]
    reference: Float[Tensor, "#batch channels h w"]
    guide: Float[Tensor, "batch channels h w"] | None = None
    own: Float[Tensor, "#batch 70"] | None = None


class ConditionedBlock(nn.Module):
    """A residual block and the two cross-attentions, motion first.

    Args:
        inputs: channels.
        width: channels of the result.
        step: width of the step's embedding.
        config: of the UNet.
    """

    def __init__(self, inputs: int, width: int, step: int, config: UNetConfig) -> None:
        super().__init__()
        self.residual = StepResidual(inputs, width, step, config.groups)
        self.attentive = config.conditions == "attention"
        if self.attentive:
            sizes = (width, config.context, config.heads, config.groups)
            self.motion = CrossAttention(*sizes, placed=False)
            # Deviation: places that ask the reference's latent know where they are, not its tokens alone.
            self.appearance = CrossAttention(*sizes, placed=True)

    def forward(
        self, x: Tensor, step: Tensor, motion: Tensor | None, reference: Tensor | None
    ) -> Float[Tensor, "batch width h w"]:
        """One block."""
        x = self.residual(x, step)
        if motion is not None and reference is not None:
            x = reference_attention(self.appearance, reference, motion_attention(self.motion, motion, x))
        return x


def motion_attention(layer: nn.Module, motion: Tensor, latent: Tensor) -> Tensor:
    """phi_1: the latent asks the motion's tokens.

    Paper: FD2Talk (MM 2024), eq. 6.
    """
    attended: Tensor = layer(latent, motion)
    return attended


def reference_attention(layer: nn.Module, reference: Tensor, motion_aware: Tensor) -> Tensor:
    """phi_2: what knows the motion asks the reference latent's tokens.

    Paper: FD2Talk (MM 2024), eq. 7.
    """
    attended: Tensor = layer(motion_aware, reference)
    return attended


class DiffusionUNet(nn.Module):
    """Estimates the clean latent.

    Args:
        config: sizes.
        channels: d, of the latent.
        steps: T of the diffusion process.
    """

    coefficient_mean: Tensor
    coefficient_std: Tensor

    def __init__(self, config: UNetConfig, channels: int, steps: int) -> None:
        super().__init__()
        self.config, self.channels = config, channels
        self.register_buffer("coefficient_mean", torch.zeros(N_COEFFICIENTS))
        self.register_buffer("coefficient_std", torch.ones(N_COEFFICIENTS))
        folded, widths = channels * config.patch**2, config.widths
        attentive = config.conditions == "attention"
        told = N_COEFFICIENTS * (1 + config.own)
        inputs = folded * (1 + config.guide) + (0 if attentive else folded + told)
        size = 2 * max(widths[0], 32)
        self.step = StepEmbedding(size, steps)
        self.entry = nn.Conv2d(inputs, widths[0], 3, padding=1)
        if attentive:
            self.motion = nn.Linear(told, config.motion_tokens * config.context)
            self.appearance = nn.Linear(channels * config.reference_patch**2, config.context)
        self._make_blocks(size)
        self.exit_norm = nn.GroupNorm(config.groups, widths[0])
        self.exit = nn.Conv2d(widths[0], folded, 3, padding=1)
        nn.init.zeros_(self.exit.weight)
        assert self.exit.bias is not None
        nn.init.zeros_(self.exit.bias)

    def _make_blocks(self, size: int) -> None:
        """Encoder, middle and decoder; every encoder block's result is handed to the decoder block of its number."""
        config, widths = self.config, self.config.widths
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.narrow, self.widen = nn.ModuleList(), nn.ModuleList()
        for i, width in enumerate(widths):
            if i:
                self.narrow.append(nn.Conv2d(widths[i - 1], width, 3, stride=2, padding=1))
                self.widen.append(nn.Conv2d(width, widths[i - 1], 3, padding=1))
            for _ in range(config.blocks):
                self.down.append(ConditionedBlock(width, width, size, config))
                self.up.append(ConditionedBlock(2 * width, width, size, config))
        self.middle = ConditionedBlock(widths[-1], widths[-1], size, config)

    def measure(self, coefficients: Float[Tensor, "rows 70"]) -> None:
        """Set the units of the coefficients to those of some frames."""
        self.coefficient_mean.copy_(coefficients.mean(0))
        self.coefficient_std.copy_(coefficients.std(0).clamp(min=1e-3))

    def forward(
        self, latent: Float[Tensor, "batch channels h w"], step: Int64[Tensor, " batch"], conditions: Conditions
    ) -> Float[Tensor, "batch channels h w"]:
        """The estimated clean latents.

        Args:
            latent: noisy, in standard deviations of clean ones.
            step: diffusion step of each.
            conditions: what is known of the frames.

        Raises:
            ConfigError: a guide is missing, or there is one where none is taken; the portrait's coefficients are
                missing.
        """
        if (conditions.guide is not None) != self.config.guide:
            raise ConfigError(
                f"this network is {'guided' if self.config.guide else 'not guided'} by the mesh renderer's frames; "
                f"got {'none' if conditions.guide is None else 'some'}"
            )
        told, motion, reference = self._told(conditions), None, None
        if self.config.conditions == "attention":
            motion = self.motion(told).view(len(told), self.config.motion_tokens, -1)
            reference = self._reference_tokens(conditions.reference)
        x = self.entry(self._inputs(latent, conditions, told).contiguous(memory_format=torch.channels_last))
        x = self._through(x, self.step(step), motion, reference)
        out = functional.pixel_shuffle(self.exit(functional.silu(self.exit_norm(x))), self.config.patch)
        return out if conditions.guide is None else conditions.guide + out

    def _told(self, conditions: Conditions) -> Float[Tensor, "batch told"]:
        rows = [conditions.coefficients]
        if self.config.own:
            if conditions.own is None:
                raise ConfigError("this network is told the portrait's own coefficients; got none")
            rows.append(conditions.own.expand_as(rows[0]))
        return torch.cat([((row - self.coefficient_mean) / self.coefficient_std).clamp(-WILD, WILD) for row in rows], 1)

    def _inputs(self, latent: Tensor, conditions: Conditions, told: Tensor) -> Float[Tensor, "batch inputs h w"]:
        pictures = [latent] if conditions.guide is None else [latent, conditions.guide]
        if self.config.conditions == "concat":
            pictures.append(conditions.reference.expand_as(latent))
        folded = [functional.pixel_unshuffle(picture, self.config.patch) for picture in pictures]
        if self.config.conditions == "concat":
            folded.append(told[:, :, None, None].expand(-1, -1, *folded[0].shape[-2:]))
        return torch.cat(folded, 1)

    def _reference_tokens(self, reference: Tensor) -> Float[Tensor, "#batch tokens context"]:
        """The reference latent as a sequence with positional encoding."""
        folded = functional.pixel_unshuffle(reference, self.config.reference_patch)
        tokens = self.appearance(folded.flatten(2).transpose(1, 2))
        placed: Tensor = tokens + place_code(folded.shape[-1], self.config.context, reference.device)
        return placed

    def _through(self, x: Tensor, step: Tensor, motion: Tensor | None, reference: Tensor | None) -> Tensor:
        skips, blocks = [], self.config.blocks
        for i in range(len(self.config.widths)):
            x = self.narrow[i - 1](x) if i else x
            for block in self.down[i * blocks : (i + 1) * blocks]:
                x = block(x, step, motion, reference)
                skips.append(x)
        x = self.middle(x, step, motion, reference)
        for i in reversed(range(len(self.config.widths))):
            for block in self.up[i * blocks : (i + 1) * blocks]:
                x = block(torch.cat([x, skips.pop()], 1), step, motion, reference)
            if i:
                x = self.widen[i - 1](functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return x
