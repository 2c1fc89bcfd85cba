"""FD2Talk's frame stage: faces drawn by a diffusion UNet in the latent space of an autoencoder."""

from declaim.render.latent.networks import LatentNetworks
from declaim.render.latent.renderer import LatentRenderer, LatentRendererConfig

__all__ = ["LatentNetworks", "LatentRenderer", "LatentRendererConfig"]
