"""Latents of frames, drawn by the reverse process: from the guide noised a little, or from pure noise.

All frames of a clip share one noise, so that nothing flickers that the conditions leave open.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from declaim.diffusion.noise import frame_noise
from declaim.diffusion.samplers import sample_ddim, sample_dpmpp
from declaim.diffusion.schedule import Schedule, make_schedule, spaced_steps
from declaim.diffusion.shallow import shallow_schedule, shallow_start
from declaim.errors import ConfigError
from declaim.render.latent.config import LatentConfig
from declaim.render.latent.unet import Conditions


class FrameSampler:
    """Draws latents.

    Args:
        config: of the process.
        unet: the denoiser: `DiffusionUNet`, or what is called like it.

    Raises:
        ConfigError: more steps than the process has.
    """

    def __init__(self, config: LatentConfig, unet: nn.Module) -> None:
        self.config, self.unet = config, unet
        self.schedule: Schedule = make_schedule(config.schedule, config.diffusion_steps)
        part = self.schedule if config.start is None else shallow_schedule(self.schedule, config.start)
        self.steps = spaced_steps(len(part), config.sampling_steps)

    def noise(self, seed: int) -> Float[Tensor, "1 channels h w"]:
        """The noise of a clip: one draw, for all of its frames."""
        side = self.config.side // self.config.autoencoder.factor
        shape = (1, self.config.autoencoder.channels, side, side)
        return frame_noise(seed, 0, 0, 1, shape[1] * side * side).view(shape)

    def __call__(
        self,
        conditions: Conditions,
        noise: Float[Tensor, "#batch channels h w"],
        offset: Float[Tensor, "#batch channels h w"] | None = None,
    ) -> Float[Tensor, "batch channels h w"]:
        """Clean latents.

        Args:
            conditions: what is known of the frames.
            noise: standard normal; one for all frames, or one for each.
            offset: added to the guide before it is noised, see ``carry``; nothing if left out.

        Raises:
            ConfigError: the process starts from a guide, and there is none.
        """
        count = len(conditions.coefficients)
        x_start = noise.expand(count, -1, -1, -1)
        if self.config.start is not None:
            if conditions.guide is None:
                raise ConfigError("the process starts from the mesh renderer's frames, and none were given")
            begin = conditions.guide if offset is None else conditions.guide + offset
            x_start = shallow_start(begin, x_start, self.schedule, self.config.start)

        def denoise(x_t: Tensor, step: int) -> Tensor:
            at = torch.full((count,), step, dtype=torch.long, device=x_t.device)
            estimate: Tensor = self.unet(x_t, at, conditions)
            return estimate

        sample = sample_ddim if self.config.sampler == "ddim" else sample_dpmpp
        return sample(denoise, x_start, self.schedule, self.steps)
