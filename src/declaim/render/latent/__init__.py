"""FD2Talk's frame stage: pictures drawn by a diffusion UNet in the latent space of an autoencoder."""
