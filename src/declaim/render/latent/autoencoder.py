"""Pictures to latents and back; the decoder sees the reference's latent beside the one that it decodes.

picture (3, 256, 256) -- encoder --> mean, log variance (4, 64, 64)
[reference latent, latent] (8, 64, 64) -- decoder --> picture
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from declaim.render.latent.config import AutoencoderConfig

WHITE = 127.5
"""8-bit values are divided by this and moved by one: -1 .. 1."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """A normal distribution over latents.

    Attributes:
        mean: of every value.
        log_variance: of every value.
    """

    mean: Float[Tensor, "batch channels h w"]
    log_variance: Float[Tensor, "batch channels h w"]

    def sample(self, noise: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
        """A latent, from standard normal noise."""
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def divergence(self) -> Float[Tensor, ""]:
        """Kullback-Leibler divergence to the standard normal distribution, per value of the latent.

        Paper: Auto-encoding variational Bayes (Kingma and Welling 2014), appendix B.
        """
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1.0 - self.log_variance).mean()


class Residual(nn.Module):
    """Two convolutions beside a straight way; without norms the second one starts at zero.

    Args:
        width: channels.
        groups: of the group norms; 0: none.
    """

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(width, groups), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
        second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(second.weight)
        self.second = nn.Sequential(_norm(width, groups), nn.SiLU(), second)

    def forward(self, x: Float[Tensor, "batch width h w"]) -> Float[Tensor, "batch width h w"]:
        """One block."""
        changed: Tensor = x + self.second(self.first(x))
        return changed


class Encoder(nn.Sequential):
    """Pictures to mean and log variance.

    Args:
        config: sizes.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        widths = config.widths
        layers: list[nn.Module] = [nn.PixelUnshuffle(config.fold), _convolution(3 * config.fold**2, widths[0])]
        for i, width in enumerate(widths):
            if i:
                layers.append(nn.Conv2d(widths[i - 1], width, 3, stride=2, padding=1))
            layers += [Residual(width, config.groups) for _ in range(config.encoder_blocks)]
        last = [_norm(widths[-1], config.groups), nn.SiLU(), _convolution(widths[-1], 2 * config.channels)]
        super().__init__(*layers, *last)


class Decoder(nn.Sequential):
    """Reference latent and latent, concatenated, to pictures.

    Args:
        config: sizes.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        widths = config.widths[::-1]
        layers: list[nn.Module] = [_convolution(2 * config.channels, widths[0])]
        for i, width in enumerate(widths):
            if i:
                layers += [nn.Upsample(scale_factor=2.0, mode="nearest"), _convolution(widths[i - 1], width)]
            layers += [Residual(width, config.groups) for _ in range(config.decoder_blocks)]
        last = [_norm(widths[-1], config.groups), nn.SiLU(), _convolution(widths[-1], 3 * config.fold**2)]
        super().__init__(*layers, *last, nn.PixelShuffle(config.fold))


class Autoencoder(nn.Module):
    """Encoder and decoder of the frame stage; fully convolutional.

    Args:
        config: sizes.

    Attributes:
        latent_mean: mean of every channel of the latents, for the UNet's units.
        latent_std: their standard deviation.
    """

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("latent_mean", torch.zeros(config.channels))
        self.register_buffer("latent_std", torch.ones(config.channels))
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def encode(self, pictures: Float[Tensor, "batch 3 height width"]) -> Posterior:
        """Latents of pictures in -1 .. 1 whose sides are multiples of ``config.factor``."""
        encoded = self.encoder(pictures.contiguous(memory_format=torch.channels_last))
        mean, log_variance = encoded.chunk(2, dim=1)
        return Posterior(mean, log_variance.clamp(-20.0, 10.0))

    def decode(
        self, reference: Float[Tensor, "#batch channels h w"], latent: Float[Tensor, "batch channels h w"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Pictures, about -1 .. 1.

        Args:
            reference: latent of the reference picture.
            latent: what is decoded.
        """
        both = torch.cat([reference.expand_as(latent), latent], 1)
        decoded: Tensor = self.decoder(both.contiguous(memory_format=torch.channels_last))
        return decoded

    def latents(self, pictures: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels h w"]:
        """Latents of pictures, in standard deviations: what the UNet sees."""
        centred = self.encode(pictures).mean - self.latent_mean[:, None, None]
        normalised: Tensor = centred / self.latent_std[:, None, None]
        return normalised

    def pictures(
        self, reference: Float[Tensor, "#batch channels h w"], latent: Float[Tensor, "batch channels h w"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """`decode` of what `latents` gives."""
        mean, std = self.latent_mean[:, None, None], self.latent_std[:, None, None]
        return self.decode(reference * std + mean, latent * std + mean)

    @torch.no_grad()
    def measure(self, pictures: Float[Tensor, "batch 3 height width"]) -> None:
        """Set the units of `latents` to those of some pictures."""
        means = self.encode(pictures).mean
        self.latent_mean.copy_(means.mean((0, 2, 3)))
        self.latent_std.copy_(means.std((0, 2, 3)).clamp(min=1e-3))


def from_bytes(pictures: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch 3 height width"]:
    """8-bit RGB as the networks take it."""
    return pictures.permute(0, 3, 1, 2).float() / WHITE - 1.0


def to_bytes(pictures: Float[Tensor, "batch 3 height width"]) -> UInt8[Tensor, "batch height width 3"]:
    """8-bit RGB of what the networks give."""
    return ((pictures + 1.0) * WHITE).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _norm(width: int, groups: int) -> nn.Module:
    return nn.GroupNorm(groups, width) if groups else nn.Identity()


__all__ = ["WHITE", "Autoencoder", "Posterior", "from_bytes", "to_bytes"]
