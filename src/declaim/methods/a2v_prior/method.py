"""The probabilistic audio-to-visual prior as a method: lips follow the speech, everything else is sampled."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from declaim.diffusion.losses import velocity_loss, x0_loss
from declaim.diffusion.noise import frame_noise
from declaim.diffusion.windows import Window
from declaim.face.layouts import FACE64, N_EXPRESSION
from declaim.methods.a2v_prior.config import A2VPriorConfig, default
from declaim.methods.a2v_prior.network import Continuation, LipSpace, NonLipSpace, PriorTransformer
from declaim.methods.a2v_prior.objective import (
    autoregressive_prior_loss,
    orthogonality_loss,
    whiteness_loss,
)
from declaim.motion.draws import draw
from declaim.motion.lip_losses import lip_losses
from declaim.motion.method import MotionMethod
from declaim.motion.normalizer import Normalizer
from declaim.motion.parts import by_part, face_and_pose
from declaim.motion.sampling import from_rest, joined, sample_window
from declaim.sync.objective import contrastive

N_POSE = FACE64.dim - N_EXPRESSION


class AudioToVisualPrior(MotionMethod[A2VPriorConfig]):
    """Lips through a space shared with speech, without chance; the rest from a prior given the speech.

    Args:
        config: sizes and sampling; `default()` when left out.
        normalizer: units measured on the training footage.
    """

    name = "a2v-prior"
    config_type = A2VPriorConfig

    def __init__(self, config: A2VPriorConfig | None = None, normalizer: Normalizer | None = None) -> None:
        config = default() if config is None else config
        super().__init__(config, normalizer)
        directions = self.normalizer.lip_basis.shape[1]
        self.lips = LipSpace(config.speech_dim, directions, config.lips)
        self.rest = NonLipSpace(N_EXPRESSION, N_POSE, config)
        self.columns = sum(self.rest.sizes)
        self.prior = PriorTransformer(self.columns, config.speech_dim, config.diffusion_steps, config.prior)

    # --- training ----------------------------------------------------------------------------------------------------

    def loss(
        self,
        speech: Float[Tensor, "batch frames features"],
        motion: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"],
        pose_mask: Bool[Tensor, "batch frames"] | None = None,
        seeds: Int64[Tensor, " batch"] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Losses of one batch; see `MotionMethod.loss`."""
        config, units = self.config, self.normalizer.to(motion.device)
        masks = (mask, mask if pose_mask is None else pose_mask)
        heard, x0 = units.normal_speech(speech), units.normal_motion(motion)
        embedded = self.lips.hear(heard)
        losses = self._lip_losses(x0[..., :N_EXPRESSION], embedded, mask, units)
        rest = x0 - units.lips_of(x0)
        embedding = self.rest.encode(rest)
        losses["rest"] = by_part(x0_loss, rest, self.rest.decode(embedding), N_EXPRESSION, masks)
        losses["orthogonality"] = orthogonality_loss(embedding, embedded, mask)
        face, pose = face_and_pose(embedding, self.rest.sizes[0])
        losses["whiteness"] = whiteness_loss(face, masks[0]) + whiteness_loss(pose, masks[1])
        losses["prior"] = self._prior_loss(embedding.detach(), heard, masks, seeds)
        losses["total"] = (
            losses["lips"]
            + config.opening_weight * losses["opening"]
            + config.velocity_weight * losses["velocity"]
            + config.contrast_weight * losses["contrast"]
            + losses["rest"]
            + config.orthogonality_weight * losses["orthogonality"]
            + config.whiteness_weight * losses["whiteness"]
            + config.prior_weight * losses["prior"]
        )
        return losses

    def _lip_losses(
        self,
        beta: Float[Tensor, "batch frames expression"],
        embedded: Float[Tensor, "batch frames embedding"],
        mask: Bool[Tensor, "batch frames"],
        units: Normalizer,
    ) -> dict[str, Float[Tensor, ""]]:
        """Errors of the lips that speech and lips themselves lead to, and how well both find each other."""
        seen = self.lips.see(units.lip_coordinates(beta))
        spoken = [units.from_lip_coordinates(self.lips.speak(side)) for side in (embedded, seen)]
        both = [lip_losses(beta, lips, mask, units, self.config.closure_weight) for lips in spoken]
        losses = {name: (value + both[1][name]) / 2 for name, value in both[0].items()}
        places = [functional.normalize(side, dim=-1) for side in (embedded, seen)]
        losses["contrast"] = contrastive(places[0], places[1], mask, self.lips.log_scale.exp()).mean()
        return losses

    def _prior_loss(
        self,
        clean: Float[Tensor, "batch frames columns"],
        heard: Float[Tensor, "batch frames features"],
        masks: tuple[Bool[Tensor, "batch frames"], Bool[Tensor, "batch frames"]],
        seeds: Int64[Tensor, " batch"] | None,
    ) -> Float[Tensor, ""]:
        """The prior's own loss: of a noisy sequence, or of every frame given those before."""
        tokens, weight, first = self.prior.listen(heard), self.config.velocity_weight, self.rest.sizes[0]
        if self.prior.causal:
            mean, log_variance = self.prior(*self._a_frame_earlier(clean, tokens)).chunk(2, -1)
            parts = zip(*(face_and_pose(values, first) for values in (clean, mean, log_variance)), masks, strict=True)
            unlikely = [autoregressive_prior_loss(*part) for part in parts]
            return unlikely[0] + unlikely[1] + weight * by_part(velocity_loss, clean, mean, first, masks)
        batch, frames, columns = clean.shape
        drawn = draw((batch, frames, columns), self.config, self.schedule, clean.device, seeds=seeds)
        estimate = self.prior(drawn.noised(clean), self.prior.embed(drawn.steps[:, 0]), tokens, drawn.given)
        fit = by_part(x0_loss, clean, estimate, first, masks)
        return fit + weight * by_part(velocity_loss, clean, estimate, first, masks)

    def _a_frame_earlier(
        self, frames: Float[Tensor, "batch frames columns"], tokens: Float[Tensor, "batch frames dim"]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The autoregressive prior's arguments: every frame enters at the next one's place, the first as zeros."""
        earlier = functional.pad(frames[:, :-1], (0, 0, 1, 0))
        step = self.prior.embed(torch.zeros(len(frames), dtype=torch.int64, device=frames.device))
        return earlier, step, tokens, torch.ones(frames.shape[:2], dtype=torch.bool, device=frames.device)

    # --- inference ---------------------------------------------------------------------------------------------------

    def sample(
        self,
        heard: Float[Tensor, "window features"],
        finished: Float[Tensor, "prefix dim"],
        window: Window,
        visited: list[int],
        seed: int,
    ) -> Float[Tensor, "new dim"]:
        """Lips by the speech alone, the rest by the prior; the first window goes on from a face at rest."""
        known = finished
        if window.start == 0:
            heard, known = from_rest(heard, self.config.prefix, FACE64.dim)
        known = known - self.normalizer.lips_of(known)
        embedding = self.rest.encode(known)
        noise = frame_noise(seed, 0, window.start, window.end, self.columns)
        if self.prior.causal:
            sampled = self._one_by_one(embedding, heard, noise)
        else:
            sampled = sample_window(
                self.prior, heard, embedding, noise, self.schedule, visited=visited, sampler=self.config.sampler
            )
        decoded = self.rest.decode(sampled)
        rest = decoded - self.normalizer.lips_of(decoded)
        whole = joined(rest, known, self.config.seam_frames if window.start else 0)
        lips = self.lips.speak(self.lips.hear(heard[None]))[0, len(known) :]
        whole[:, :N_EXPRESSION] += self.normalizer.from_lip_coordinates(lips)
        return whole[: window.stop - window.start]

    def _one_by_one(
        self,
        known: Float[Tensor, "prefix columns"],
        heard: Float[Tensor, "window features"],
        noise: Float[Tensor, "generated columns"],
    ) -> Float[Tensor, "generated columns"]:
        """The autoregressive prior's generated frames: every frame drawn from its distribution given those before."""
        frames = torch.cat([known, noise])[None]
        going_on = Continuation(self.prior, self.prior.listen(heard[None]))
        for i in range(frames.shape[1]):
            mean, log_variance = going_on.next(frames[:, i - 1] if i else torch.zeros_like(frames[:, 0])).chunk(2, -1)
            if i >= len(known):
                frames[:, i] = mean + torch.exp(0.5 * log_variance) * frames[:, i]
        return frames[0, len(known) :]
