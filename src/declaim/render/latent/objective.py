"""What the autoencoder and the UNet of the frame stage learn from. Every term is a mean over values."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Features = Callable[[Float[Tensor, "batch 3 height width"]], Sequence[Tensor]]
"""phi: feature maps of pictures in -1 .. 1."""


def reconstruction_loss(
    picture: Float[Tensor, "batch 3 height width"], decoded: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, ""]:
    """Squared error of the second of two frames, decoded beside the first one's latent.

    Paper: FD2Talk (MM 2024), eq. 13.
    """
    return (picture - decoded).square().mean()


def perceptual_loss(
    picture: Float[Tensor, "batch 3 height width"], decoded: Float[Tensor, "batch 3 height width"], features: Features
) -> Float[Tensor, ""]:
    """Absolute error of features: the mean over the maps of each one's mean. No gradient flows to ``picture``.

    Paper: FD2Talk (MM 2024), eq. 14.
    """
    with torch.no_grad():
        wanted = features(picture)
    pairs = zip(wanted, features(decoded), strict=True)
    return torch.stack([(a - b).abs().mean() for a, b in pairs]).mean()


def autoencoder_loss(
    reconstruction: Float[Tensor, ""],
    perceptual: Float[Tensor, ""],
    reconstruction_weight: float,
    perceptual_weight: float,
) -> Float[Tensor, ""]:
    """Both, weighted.

    Paper: FD2Talk (MM 2024), eq. 15.
    """
    return reconstruction_weight * reconstruction + perceptual_weight * perceptual


def frame_loss(
    latent: Float[Tensor, "batch channels h w"],
    estimate: Float[Tensor, "batch channels h w"],
    weight: Float[Tensor, "batch 1 h w"] | None = None,
) -> Float[Tensor, ""]:
    """Squared error of the estimated clean latent.

    Args:
        latent: of the true frame.
        estimate: by the UNet.
        weight: what every place counts; 1 everywhere if left out, as in the paper.

    Paper: FD2Talk (MM 2024), eq. 16.
    """
    error = (latent - estimate).square()
    return error.mean() if weight is None else (error * weight).mean()
