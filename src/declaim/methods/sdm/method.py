"""The Shallow Diffusion Motion Model as a method: what it learns from, and how a window is sampled."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from declaim.diffusion.losses import velocity_loss
from declaim.diffusion.noise import frame_noise, row_noise
from declaim.diffusion.parameterization import q_sample
from declaim.diffusion.schedule import linear_schedule
from declaim.diffusion.shallow import boundary_step, shallow_schedule
from declaim.diffusion.windows import Window
from declaim.face.layouts import FACE64, N_EXPRESSION
from declaim.methods.sdm.config import SDMConfig, default
from declaim.methods.sdm.network import BoundaryPredictor, PoseBranch, RhythmBranch, ShallowDenoiser
from declaim.methods.sdm.objective import (
    boundary_loss,
    independence_loss,
    mode_loss,
    printed_independence_loss,
    reconstruction_loss,
    regularisation_loss,
    total_loss,
    whole_motion,
)
from declaim.motion.draws import Draws, draw
from declaim.motion.lip_losses import lip_losses
from declaim.motion.method import MotionMethod
from declaim.motion.normalizer import Normalizer
from declaim.motion.parts import Masks, by_part
from declaim.motion.sampling import cooled, from_rest, joined, sample_window, steps_to_visit

MODES = 1
"""Stream of a seed's noise from which pose modes are drawn; frames have 0."""
LOOKED_AT = 50
"""Diffusion steps at which the boundary predictor is asked, evenly spaced."""
INDEPENDENCE = {"decorrelated": independence_loss, "printed": printed_independence_loss}


@dataclass(frozen=True, eq=False)
class Heard:
    """What the branches made of speech.

    Attributes:
        frames: how many.
        content: by the content encoder; None without the pose branch.
        rhythm: latents of the rhythmic motion; None without that branch.
    """

    frames: int
    content: Float[Tensor, "batch frames dim"] | None
    rhythm: Float[Tensor, "batch frames latent"] | None


@dataclass(frozen=True, eq=False)
class Guess:
    """What the two branches make of the frames after the prefix, normalised.

    Attributes:
        pose: the content-related main motion.
        rhythm: the rhythmic motion.
        pose_latent: of the main motion, lips apart; None without that branch.
        rhythm_latent: of the rhythmic motion; None without that branch.
    """

    pose: Float[Tensor, "batch frames dim"]
    rhythm: Float[Tensor, "batch frames dim"]
    pose_latent: Float[Tensor, "batch frames latent"] | None
    rhythm_latent: Float[Tensor, "batch frames latent"] | None

    @property
    def motion(self) -> Float[Tensor, "batch frames dim"]:
        """Both together."""
        return whole_motion(self.pose, self.rhythm)

    def condition(self, known: Float[Tensor, "batch prefix dim"]) -> Float[Tensor, "batch all both"]:
        """What the reverse process hears: both side by side, the finished frames before them."""
        both = torch.cat([self.pose, self.rhythm], -1)
        return torch.cat([functional.pad(known, (0, known.shape[-1])), both], 1)


class SDM(MotionMethod[SDMConfig]):
    """Pose modes and rhythm make a first guess of the motion; a reverse process that starts from it does the rest.

    Args:
        config: sizes and sampling; `default()` when left out.
        normalizer: units measured on the training footage.

    Paper: SDM (APWeb-WAIM 2022), eq. 12.
    """

    name = "sdm"
    config_type = SDMConfig

    def __init__(self, config: SDMConfig | None = None, normalizer: Normalizer | None = None) -> None:
        config = default() if config is None else config
        super().__init__(config, normalizer)
        if config.last_beta is not None:
            self.schedule = linear_schedule(config.diffusion_steps, last=config.last_beta)
        content, columns = config.speech_dim - config.prosody_dim, FACE64.dim
        if config.pose is not None:
            directions = self.normalizer.lip_basis.shape[1]
            self.pose = PoseBranch(content, columns, directions, config.latent, config.pose)
        if config.rhythm is not None:
            self.rhythm = RhythmBranch(config.prosody_dim, columns, config.latent, config.rhythm)
        self.denoiser = ShallowDenoiser(columns, config.diffusion_steps, config.denoiser)
        if config.shallow:
            self.boundary = BoundaryPredictor(columns, config.diffusion_steps)

    # --- training ----------------------------------------------------------------------------------------------------

    def loss(
        self,
        speech: Float[Tensor, "batch frames features"],
        motion: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"],
        pose_mask: Bool[Tensor, "batch frames"] | None = None,
        seeds: Int64[Tensor, " batch"] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Losses of one batch; see `MotionMethod.loss`.

        Deviation: the branches learn from losses of their own, not through the reverse process, which takes their
        motion as it is; it learns from eq. 9 without its factor, which is eq. 10.
        """
        config, units = self.config, self.normalizer.to(motion.device)
        seeds = torch.randint(2**62, (len(motion),)) if seeds is None else seeds
        masks = (mask, mask if pose_mask is None else pose_mask)
        after = (masks[0][:, config.prefix :], masks[1][:, config.prefix :])
        heard, x0 = self.hear(units.normal_speech(speech)), units.normal_motion(motion)
        losses = {"reg": x0.new_zeros(()), "mode": x0.new_zeros(()), "ind": x0.new_zeros(())}
        modes = None
        if config.pose is not None:
            losses["reg"], losses["mode"], modes = self._latent_losses(x0 - units.lips_of(x0), masks, seeds)
        known, clean = x0[:, : config.prefix], x0[:, config.prefix :]
        guess = self.guess(heard, known, modes, units)
        if guess.pose_latent is not None and guess.rhythm_latent is not None:
            losses["ind"] = INDEPENDENCE[config.independence](guess.rhythm_latent, guess.pose_latent, after[0])
        drawn = draw((len(x0), x0.shape[1], x0.shape[2]), config, self.schedule, x0.device, seeds=seeds)
        branches = self.denoiser.listen(guess.condition(known).detach())
        estimate = self.denoiser(drawn.noised(x0), self.denoiser.embed(drawn.steps[:, 0]), branches, drawn.given)
        of_guess = self._motion_losses(clean, guess.motion, after, units)
        refined = self._motion_losses(x0, estimate, masks, units)
        losses |= {name: of_guess[name] + refined[name] for name in refined}
        if config.shallow:
            losses["boundary"] = self._boundary_loss(heard, x0, drawn, masks, seeds=seeds)
        losses["total"] = self._total(losses)
        return losses

    def _total(self, losses: dict[str, Float[Tensor, ""]]) -> Float[Tensor, ""]:
        """Eq. 11, and what `default()` adds to it."""
        config = self.config
        weights = (config.reg_weight, config.ind_weight, config.rec_weight)
        return (
            total_loss(losses["reg"], losses["ind"], losses["rec"], weights)
            + config.mode_weight * losses["mode"]
            + config.lip_weight * losses["lips"]
            + config.opening_weight * losses["opening"]
            + config.velocity_weight * losses["velocity"]
            + losses.get("boundary", 0.0)
        )

    def _latent_losses(
        self, rest: Float[Tensor, "batch frames dim"], masks: Masks, seeds: Int64[Tensor, " batch"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, "batch modes mode"]]:
        """Eq. 4, the divergence of the pose modes found in real motion, and a draw of these modes."""
        branch, prefix = self.pose, self.config.prefix
        latents = branch.encode(rest)
        reg = by_part(regularisation_loss, rest, branch.decode(latents), N_EXPRESSION, masks)
        mean, log_variance = branch.modes(latents[:, prefix - 1 :])
        seen = masks[0][:, prefix :: branch.mode_frames]
        eps = row_noise(seeds, mean.shape[1], mean.shape[2], stream=MODES).to(mean.device)
        return reg, mode_loss(mean, log_variance, seen), mean + torch.exp(0.5 * log_variance) * eps

    def _motion_losses(
        self,
        clean: Float[Tensor, "batch frames dim"],
        estimate: Float[Tensor, "batch frames dim"],
        masks: Masks,
        units: Normalizer,
    ) -> dict[str, Float[Tensor, ""]]:
        """Eq. 10, and errors of lips and velocities."""
        beta, beta_hat = clean[..., :N_EXPRESSION], estimate[..., :N_EXPRESSION]
        losses = lip_losses(beta, beta_hat, masks[0], units, self.config.closure_weight)
        losses["velocity"] = losses["velocity"] + by_part(velocity_loss, clean, estimate, N_EXPRESSION, masks)
        return {"rec": by_part(reconstruction_loss, clean, estimate, N_EXPRESSION, masks), **losses}

    def _boundary_loss(
        self,
        heard: Heard,
        x0: Float[Tensor, "batch frames dim"],
        drawn: Draws,
        masks: Masks,
        *,
        seeds: Int64[Tensor, " batch"],
    ) -> Float[Tensor, ""]:
        """How badly the boundary predictor tells real motion from a take's first guess, both noised alike."""
        with torch.no_grad():
            pair = self._real_and_guessed(heard, x0, seeds)
        first = self.config.prefix
        eps, mask = drawn.eps[:, first:], (masks[0] & masks[1])[:, first:]
        logits = [self.boundary(q_sample(x, eps, drawn.levels[:, 0]), drawn.steps[:, 0]) for x in pair]
        return boundary_loss(logits[0], logits[1], mask)

    def _real_and_guessed(
        self,
        heard: Heard,
        x0: Float[Tensor, "batch frames dim"],
        seeds: Int64[Tensor, " batch"],
    ) -> tuple[Float[Tensor, "batch after dim"], Float[Tensor, "batch after dim"]]:
        """Real motion after the prefix, and a take's first guess of it, pose modes drawn; all normalised."""
        prefix, pose = self.config.prefix, self.config.pose
        modes = None
        if pose is not None:
            count = -(-(x0.shape[1] - prefix) // pose.mode_frames)
            modes = row_noise(seeds, count, pose.mode, stream=MODES).to(x0.device)
        guess = self.guess(heard, x0[:, :prefix], modes, self.normalizer.to(x0.device))
        return x0[:, prefix:], guess.motion

    # --- where the reverse process starts ----------------------------------------------------------------------------

    @torch.no_grad()
    def predicted_start(
        self,
        speech: Float[Tensor, "batch frames features"],
        motion: Float[Tensor, "batch frames dim"],
        seeds: Int64[Tensor, " batch"],
    ) -> float:
        """Diffusion step from which the boundary predictor hardly tells first guesses from real motion (mean).

        Args:
            speech: encoder features.
            motion: real motion of the same frames, as in training.
            seeds: of the sequences.
        """
        units = self.normalizer
        was_training = self.training
        self.eval()
        pair = self._real_and_guessed(self.hear(units.normal_speech(speech)), units.normal_motion(motion), seeds)
        eps = row_noise(seeds, *pair[0].shape[1:])
        looked_at = steps_to_visit(self.schedule, "ddim", min(LOOKED_AT, len(self.schedule)))[::-1]
        margins = []
        for step in looked_at:
            steps, level = torch.full((len(eps),), step), self.schedule.at(step)
            sure = [self.boundary(q_sample(x, eps, level), steps).sigmoid().mean(1) for x in pair]
            margins.append(sure[0] - sure[1])
        self.train(was_training)
        places = [boundary_step(row, self.config.boundary_threshold) for row in torch.stack(margins, 1).tolist()]
        return sum(looked_at[place] for place in places) / len(places)

    def visited(self, steps: int) -> list[int]:
        """See `MotionMethod.visited`; with a shallow start, below it, and no more than there are."""
        whole = super().visited(steps)
        if not self.config.shallow or self.config.start_step is None:
            return whole
        part = shallow_schedule(self.schedule, self.config.start_step)
        return steps_to_visit(part, self.config.sampler, min(steps, len(part)))

    # --- inference ---------------------------------------------------------------------------------------------------

    def hear(self, speech: Float[Tensor, "batch frames features"]) -> Heard:
        """What the branches make of normalised speech features: it does not depend on the take."""
        first = speech.shape[2] - self.config.prosody_dim
        return Heard(
            speech.shape[1],
            None if self.config.pose is None else self.pose.content(speech[..., :first]),
            None if self.config.rhythm is None else self.rhythm(speech[..., first:]),
        )

    def guess(
        self,
        heard: Heard,
        known: Float[Tensor, "batch prefix dim"],
        modes: Float[Tensor, "batch modes mode"] | None,
        units: Normalizer,
    ) -> Guess:
        """The two branches' motion for the frames after the prefix.

        Args:
            heard: of all frames.
            known: normalised motion of the prefix.
            modes: pose modes of the frames after it; None without that branch.
            units: the normalizer, on the tensors' device.
        """
        first = known.shape[1]
        pose = rhythm = known.new_zeros(len(known), heard.frames - first, known.shape[2])
        pose_latent = rhythm_latent = None
        if heard.content is not None and modes is not None:
            content, last = heard.content[:, first:], known[:, -1]
            pose_latent = self.pose(content, self.pose.encode(last - units.lips_of(last)), modes)
            rest = self.pose.decode(pose_latent)
            lips = units.from_lip_coordinates(self.pose.lips(content))
            pose = rest - units.lips_of(rest) + functional.pad(lips, (0, rest.shape[-1] - N_EXPRESSION))
        if heard.rhythm is not None:
            rhythm_latent = heard.rhythm[:, first:]
            rhythm = self.rhythm.decode(rhythm_latent)
        return Guess(pose, rhythm, pose_latent, rhythm_latent)

    def sample(
        self,
        heard: Float[Tensor, "window features"],
        finished: Float[Tensor, "prefix dim"],
        window: Window,
        visited: list[int],
        seed: int,
    ) -> Float[Tensor, "new dim"]:
        """The branches' guess, noised to the first step visited, and the reverse process from there (eq. 12)."""
        config, lips_of = self.config, self.normalizer.lips_of
        missing = config.prefix - len(finished)
        if missing:
            heard, rest = from_rest(heard, missing, FACE64.dim)
            finished = torch.cat([rest, finished])
        modes = None
        if config.pose is not None:
            each = config.pose.mode_frames
            drawn = frame_noise(seed, MODES, window.start // each, -(-window.end // each), config.pose.mode)
            modes = config.mode_temperature * drawn[None]
        guess = self.guess(self.hear(heard[None]), finished[None], modes, self.normalizer)
        noise = frame_noise(seed, 0, window.start, window.end, FACE64.dim)
        noise = cooled(noise, config.lip_temperature, lips_of)
        shallow = config.shallow and config.start_step is not None
        sampled = sample_window(
            self.denoiser, guess.condition(finished[None])[0], finished, noise, self.schedule, visited=visited,
            sampler=config.sampler, settle=(config.lip_steps, lips_of), guess=guess.motion[0] if shallow else None,
        )  # fmt: skip
        bent = joined(sampled, finished, config.seam_frames if window.start else 0, lips_of)
        return bent[: window.stop - window.start]
