"""FD2Talk's motion stage as a method: what it learns from, and how a window is sampled."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from declaim.diffusion.noise import frame_noise, row_generators
from declaim.diffusion.parameterization import q_sample
from declaim.diffusion.windows import Window
from declaim.face.layouts import FACE64, N_EXPRESSION
from declaim.methods.fd2talk.config import FD2TalkConfig, default
from declaim.methods.fd2talk.network import MotionDenoiser
from declaim.methods.fd2talk.objective import first_stage_losses
from declaim.motion.method import MotionMethod
from declaim.motion.normalizer import Normalizer
from declaim.motion.sampling import joined, sample_window

N_POSE = FACE64.dim - N_EXPRESSION


class FD2Talk(MotionMethod[FD2TalkConfig]):
    """Two diffusion transformers over expression and head pose, conditioned on speech.

    Args:
        config: sizes and sampling; `default()` when left out.
        normalizer: units measured on the training footage.
    """

    name = "fd2talk"
    config_type = FD2TalkConfig

    def __init__(self, config: FD2TalkConfig | None = None, normalizer: Normalizer | None = None) -> None:
        config = default() if config is None else config
        super().__init__(config, normalizer)
        common = (config.speech_dim, config.band, config.diffusion_steps)
        self.expression = MotionDenoiser(N_EXPRESSION, *common, config.expression)
        self.pose = MotionDenoiser(N_POSE, *common, config.pose)

    def loss(
        self,
        speech: Float[Tensor, "batch frames features"],
        motion: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"],
        pose_mask: Bool[Tensor, "batch frames"] | None = None,
        seeds: Int64[Tensor, " batch"] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Losses of one batch at random diffusion steps; see `MotionMethod.loss`."""
        dim, device = motion.shape[-1], motion.device
        units = self.normalizer.to(device)
        heard_speech, x0 = units.normal_speech(speech), units.normal_motion(motion)
        seeds = torch.randint(2**62, (len(motion),)) if seeds is None else seeds
        drawn = [self._draw(generator, motion.shape[1], dim) for generator in row_generators(seeds)]
        steps, eps, given, levels = (torch.stack(column).to(device) for column in zip(*drawn, strict=True))
        estimates = []
        for network, columns, step, level in (
            (self.expression, slice(0, N_EXPRESSION), steps[:, 0], levels[:, 0]),
            (self.pose, slice(N_EXPRESSION, dim), steps[:, 1], levels[:, 1]),
        ):
            clean = x0[..., columns]
            x_t = torch.where(given[..., None], clean, q_sample(clean, eps[..., columns], level))
            estimates.append(network(x_t, step, network.listen(heard_speech), given))
        pose_mask = mask if pose_mask is None else pose_mask
        return first_stage_losses(x0, torch.cat(estimates, -1), mask, pose_mask, config=self.config, normalizer=units)

    def _draw(self, generator: torch.Generator, frames: int, dim: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What is random about one sequence: two diffusion steps, noise, the frames given clean, the steps' levels."""
        steps = torch.randint(len(self.schedule), (2,), generator=generator)
        eps = torch.randn(frames, dim, generator=generator)
        has_prefix = torch.rand(1, generator=generator) < self.config.prefix_share
        given = has_prefix & (torch.arange(frames) < self.config.prefix)
        return steps, eps, given, self.schedule.alpha_bar[steps].float()[:, None, None]

    def sample(
        self,
        heard: Float[Tensor, "window features"],
        normal: Float[Tensor, "frames dim"],
        window: Window,
        visited: list[int],
        seed: int,
    ) -> Float[Tensor, "new dim"]:
        """Both transformers' idea of a window's new frames."""
        expression = self._expression(heard, normal, window, visited, seed)
        return torch.cat([expression, self._pose(heard, normal, window, visited, seed)], 1)

    def _expression(
        self,
        heard: Float[Tensor, "window features"],
        normal: Float[Tensor, "frames dim"],
        window: Window,
        visited: list[int],
        seed: int,
    ) -> Float[Tensor, "new expression"]:
        """Normalised expression of a window's new frames; the lips start cooler and settle early."""
        finished = normal[window.begin : window.start, :N_EXPRESSION]
        noise = frame_noise(seed, 0, window.start, window.end, N_EXPRESSION)
        noise = self.normalizer.scale_lips(noise, self.config.lip_temperature)
        settle = (self.config.lip_steps, self.normalizer.along_lips)
        sampled = sample_window(self.expression, heard, finished, noise, self.schedule, visited=visited, settle=settle)
        return joined(sampled, finished, self.config.seam_frames)[: window.stop - window.start]

    def _pose(
        self,
        heard: Float[Tensor, "window features"],
        normal: Float[Tensor, "frames dim"],
        window: Window,
        visited: list[int],
        seed: int,
    ) -> Float[Tensor, "new pose"]:
        """Normalised pose of a window's new frames; the first window continues from a head at rest."""
        finished = normal[window.begin : window.start, N_EXPRESSION:]
        if window.start == 0:
            finished = torch.zeros(self.config.prefix, N_POSE)
            heard = torch.cat([heard[:1].expand(self.config.prefix, -1), heard])
        noise = frame_noise(seed, 1, window.start, window.end, N_POSE)
        sampled = sample_window(self.pose, heard, finished, noise, self.schedule, visited=visited)
        return joined(sampled, finished, self.config.seam_frames)[: window.stop - window.start]
