"""FD2Talk's motion stage as a method: what it learns from, and how a window is sampled."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from declaim.diffusion.noise import frame_noise
from declaim.diffusion.windows import Window
from declaim.face.layouts import FACE64, N_EXPRESSION
from declaim.methods.fd2talk.config import FD2TalkConfig, default
from declaim.methods.fd2talk.network import MotionDenoiser
from declaim.methods.fd2talk.objective import first_stage_losses
from declaim.motion.draws import draw
from declaim.motion.method import MotionMethod
from declaim.motion.normalizer import Normalizer
from declaim.motion.sampling import cooled, from_rest, joined, sample_window
from declaim.sync.expert import SyncExpert

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
        if config.joint:
            self.both = MotionDenoiser(FACE64.dim, *common, config.expression)
        else:
            self.expression = MotionDenoiser(N_EXPRESSION, *common, config.expression)
            self.pose = MotionDenoiser(N_POSE, *common, config.pose)

    @property
    def parts(self) -> list[tuple[MotionDenoiser, slice]]:
        """The transformers, each with the motion columns that it estimates."""
        if self.config.joint:
            return [(self.both, slice(0, FACE64.dim))]
        return [(self.expression, slice(0, N_EXPRESSION)), (self.pose, slice(N_EXPRESSION, FACE64.dim))]

    def loss(
        self,
        speech: Float[Tensor, "batch frames features"],
        motion: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"],
        pose_mask: Bool[Tensor, "batch frames"] | None = None,
        seeds: Int64[Tensor, " batch"] | None = None,
        *,
        expert: SyncExpert | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Losses of one batch at random diffusion steps; see `MotionMethod.loss`.

        ``expert`` is the lip expert, on the batch's device: it belongs to the training, not to the method.
        """
        units = self.normalizer.to(motion.device)
        heard_speech, x0 = units.normal_speech(speech), units.normal_motion(motion)
        shape = (len(motion), motion.shape[1], motion.shape[2])
        drawn = draw(shape, self.config, self.schedule, motion.device, seeds=seeds, networks=2)
        estimates = []
        for i, (network, columns) in enumerate(self.parts):
            x_t = drawn.noised(x0[..., columns], i, columns.start)
            estimates.append(network(x_t, network.embed(drawn.steps[:, i]), network.listen(heard_speech), drawn.given))
        pose_mask = mask if pose_mask is None else pose_mask
        return first_stage_losses(
            x0, torch.cat(estimates, -1), mask, pose_mask, config=self.config, normalizer=units, expert=expert,
            speech=speech,
        )  # fmt: skip

    def sample(
        self,
        heard: Float[Tensor, "window features"],
        finished: Float[Tensor, "prefix dim"],
        window: Window,
        visited: list[int],
        seed: int,
    ) -> Float[Tensor, "new dim"]:
        """The transformers' idea of a window's new frames."""
        sampled = [self._sampled(i, heard, finished, window, visited, seed=seed) for i in range(len(self.parts))]
        return torch.cat(sampled, 1)

    def _sampled(
        self,
        part: int,
        heard: Float[Tensor, "window features"],
        finished: Float[Tensor, "prefix dim"],
        window: Window,
        visited: list[int],
        *,
        seed: int,
    ) -> Float[Tensor, "new columns"]:
        """One transformer's columns: the lips start cooler and settle early, a head of its own begins at rest."""
        network, columns = self.parts[part]
        finished = finished[:, columns]
        noise = frame_noise(seed, part, window.start, window.end, columns.stop - columns.start)
        lips = settle = None
        if columns.start == 0:
            lips = self.normalizer.lips_of
            noise, settle = cooled(noise, self.config.lip_temperature, lips), (self.config.lip_steps, lips)
        elif window.start == 0:
            heard, finished = from_rest(heard, self.config.prefix, N_POSE)
        sampled = sample_window(
            network, heard, finished, noise, self.schedule, visited=visited, sampler=self.config.sampler, settle=settle
        )
        return joined(sampled, finished, self.config.seam_frames, lips)[: window.stop - window.start]
