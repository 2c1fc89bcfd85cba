"""The denoiser with its person token, the style encoder, and guidance over speech and style as one batch."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from declaim.diffusion.guidance import dynamic_threshold, weighted_sum
from declaim.diffusion.schedule import make_schedule
from declaim.face.layouts import N_EXPRESSION
from declaim.methods.diffposetalk.config import DenoiserConfig, DiffPoseTalkConfig, StyleConfig
from declaim.methods.diffposetalk.smoothness import GaussianEstimate
from declaim.nn.attention import alignment_mask
from declaim.nn.embeddings import StepEmbedding, sinusoid

LEAST_VARIANCE = 1e-3
"""What is added to the variance of a column in some motion: below it, spreads are noise."""

MOST_LOG_AMPLITUDE = 2.0
"""Greatest logarithm of a style's amplitude in a column: 7 times the common standard deviation, or a seventh."""


class StyleDenoiser(nn.Module):
    """Estimates clean motion from noisy motion, speech and style.

        tokens   person │ previous frames 0 … P-1 │ noisy frames 0 … N-1      every token sees every token
        speech            previous frames' speech │ noisy frames' speech      a frame sees its own, the person all of it

    The person token is the style with the diffusion step. Every frame carries an indicator: 1 for a noisy frame that
    is real, 0 for one that pads a clip, and for a previous one. A clip's first window has learnt start tokens for its
    previous frames and their speech; learnt tokens stand for no style and for no speech.

    Args:
        columns: motion columns.
        config: the method's.
    """

    levels: Tensor

    def __init__(self, columns: int, config: DiffPoseTalkConfig) -> None:
        super().__init__()
        sizes: DenoiserConfig = config.denoiser
        dim = sizes.dim
        self.prefix, self.band = config.prefix, sizes.band
        self.speech_added, self.style_added = sizes.speech_added, sizes.style_added
        self.speech = sizes.speech_path(config.speech_dim, sizes.speech_layers)
        self.step = StepEmbedding(dim, config.diffusion_steps)
        self.person = nn.Linear(config.style.dim, dim)
        self.enter = nn.Linear(columns + 1, dim)
        self.places = nn.Parameter(0.02 * torch.randn(sizes.places, dim)) if sizes.places else None
        self.start_motion = nn.Parameter(torch.zeros(config.prefix, columns))
        self.start_speech = nn.Parameter(0.02 * torch.randn(config.prefix, dim))
        self.no_style = nn.Parameter(torch.zeros(config.style.dim))
        self.no_speech = nn.Parameter(0.02 * torch.randn(dim))
        layer = nn.TransformerDecoderLayer(
            dim, sizes.heads, 4 * dim, sizes.dropout, "gelu", batch_first=True, norm_first=sizes.norm_first
        )
        norm = nn.LayerNorm(dim) if sizes.norm_first else None
        self.layers = nn.TransformerDecoder(layer, sizes.layers, norm)
        self.skips = sizes.skip != "none"
        half = dim // 2 if sizes.skip == "none" else 2 * dim
        self.leave = nn.Sequential(nn.Linear(dim, half), nn.GELU(), nn.Linear(half, columns))
        levels = make_schedule(config.schedule, config.diffusion_steps).alpha_bar.float()
        self.register_buffer("levels", levels, persistent=False)
        if self.skips:
            self.amplitude = nn.Linear(config.style.dim, columns)
            nn.init.zeros_(self.amplitude.weight)
            nn.init.zeros_(self.amplitude.bias)
        self.gaussian = None
        if sizes.skip == "smooth":
            self.gaussian = GaussianEstimate(columns, config.prefix, slice(N_EXPRESSION, columns))

    def listen(self, speech: Float[Tensor, "batch frames features"]) -> Float[Tensor, "batch frames dim"]:
        """The speech path alone: it does not depend on the step, so a sampler runs it once."""
        heard: Tensor = self.speech(speech)
        return heard

    def forward(
        self,
        x_t: Float[Tensor, "batch frames columns"],
        step: Int[Tensor, " batch"],
        heard: Float[Tensor, "batch frames dim"],
        style: Float[Tensor, "batch style"],
        *,
        first: Bool[Tensor, " batch"],
        real: Bool[Tensor, "batch frames"],
    ) -> Float[Tensor, "batch frames columns"]:
        """Estimate the clean motion of previous and noisy frames.

        Args:
            x_t: the previous frames, clean, and the noisy ones.
            step: diffusion step of each sequence.
            heard: what `listen` made of the speech, or `no_speech`.
            style: codes, or `no_style`.
            first: sequences that begin a clip: start tokens stand for their previous frames.
            real: False in padding.
        """
        previous, frames = self.prefix, x_t.shape[1]
        starts = first[:, None] & (torch.arange(frames, device=x_t.device) < previous)
        start_motion = functional.pad(self.start_motion, (0, 0, 0, frames - previous))
        start_speech = functional.pad(self.start_speech, (0, 0, 0, frames - previous))
        x_t = torch.where(starts[..., None], start_motion, x_t)
        heard = torch.where(starts[..., None], start_speech, heard)
        noisy = real & (torch.arange(frames, device=x_t.device) >= previous)
        entered = self.enter(torch.cat([x_t, noisy[..., None].to(x_t.dtype)], -1))
        if self.speech_added:
            entered = entered + heard
        person = (self.person(style) + self.step(step))[:, None]
        # Deviation: with minutes of footage a network hardly learns to look at one token among sixty.
        if self.style_added:
            entered = entered + person
        tokens = torch.cat([person, entered], 1)
        seen = self.layers(tokens + self._places(tokens), heard, memory_mask=self._barred(frames, x_t.device))
        estimate: Tensor = self.leave(seen[:, 1:])
        return self._with_signal(estimate, x_t, step, style, first) if self.skips else estimate

    def _with_signal(
        self,
        estimate: Float[Tensor, "batch frames columns"],
        x_t: Float[Tensor, "batch frames columns"],
        step: Int[Tensor, " batch"],
        style: Float[Tensor, "batch style"],
        first: Bool[Tensor, " batch"],
    ) -> Float[Tensor, "batch frames columns"]:
        """What the network adds to the best linear estimate from motion alone; previous frames are clean.

        Deviation: a narrow network that is to carry seventy columns from end to end learns for long to ignore them. The
        data's standard deviations, on which the linear estimate depends, follow the style: how much somebody moves.

        Paper: EDM (Karras et al. 2022), preconditioning of table 1, with variance-preserving noise.
        """
        size = (MOST_LOG_AMPLITUDE * torch.tanh(self.amplitude(style) / MOST_LOG_AMPLITUDE)).exp()
        if self.gaussian is not None:
            whole: Tensor = self.gaussian(estimate, x_t, self.levels[step], size, first)
            return whole
        level, size = self.levels[step][:, None, None].expand(-1, x_t.shape[1], 1).clone(), size[:, None]
        level[:, : self.prefix] = 1.0
        variance = level * size.square() + 1.0 - level
        own = (1.0 - level).sqrt() * size / variance.sqrt() * estimate
        return level.sqrt() * size.square() / variance * x_t + own

    def _places(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "tokens dim"]:
        count, dim = tokens.shape[1:]
        if self.places is not None:
            return self.places[:count]
        return sinusoid(torch.arange(count, dtype=torch.float32, device=tokens.device), dim)

    def _barred(self, frames: int, device: torch.device) -> Bool[Tensor, "tokens frames"]:
        """True where a token may not hear: the person token hears everything, a frame what is near."""
        allowed = alignment_mask(frames, frames, self.band, device)
        return functional.pad(~allowed, (0, 0, 1, 0), value=False)


class StyleEncoder(nn.Module):
    """A code for how somebody moves: a transformer over some seconds of motion, and the mean over its frames.

    Args:
        columns: motion columns.
        config: sizes.
    """

    def __init__(self, columns: int, config: StyleConfig) -> None:
        super().__init__()
        self.spreads = config.spreads
        inputs = columns * (2 if config.spreads else 1)
        self.enter = nn.Linear(inputs, config.dim)
        if self.spreads:
            self.spread = nn.Linear(inputs, config.dim)
        layer = nn.TransformerEncoderLayer(
            config.dim, config.heads, 4 * config.dim, config.dropout, "gelu", batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)

    def forward(
        self, motion: Float[Tensor, "batch frames columns"], mask: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch style"]:
        """The code of every sequence; zeros for one that has no frame.

        Args:
            motion: normalised.
            mask: frames that were seen.
        """
        motion = torch.where(mask[..., None], motion, 0.0)
        if self.spreads:
            # A frame's change of .2 standard deviations is usual.
            both = (mask[:, 1:] & mask[:, :-1])[..., None]
            change = functional.pad(motion.diff(dim=1) * both, (0, 0, 1, 0))
            motion = torch.cat([motion, 5.0 * change], -1)
        frames = motion.shape[1]
        places = sinusoid(torch.arange(frames, dtype=torch.float32, device=motion.device), self.enter.out_features)
        nothing = ~mask.any(1, keepdim=True)  # attention over no frame at all has no value
        seen = self.layers(self.enter(motion) + places, src_key_padding_mask=~(mask | nothing))
        count = mask.sum(1, keepdim=True).clamp(min=1)
        code: Tensor = (seen * mask[..., None]).sum(1) / count
        if self.spreads:
            # Deviation: a small network on little footage does not find by itself how much somebody moves.
            mean = motion.sum(1, keepdim=True) / count[..., None]
            variance = ((motion - mean).square() * mask[..., None]).sum(1) / count
            code = code + self.spread(0.5 * (variance + LEAST_VARIANCE).log()) * mask.any(1, keepdim=True)
        return code


class Branch(NamedTuple):
    """One estimate of guidance."""

    weight: float
    """What it counts."""
    hears: bool
    """Whether it hears the speech."""
    style: Float[Tensor, " style"] | None
    """Its style's code; None for no style."""


class Guided:
    """A denoiser with its conditions bound: the branches of guidance run as one batch of a sampler's one window.

    Args:
        network: the denoiser.
        branches: which estimates, and what they count.
        first: whether the window begins a clip.
        real: frames that do not pad the window.
        threshold: see `dynamic_threshold`.
        bound: standard deviations beyond which no guided estimate goes.
    """

    def __init__(
        self,
        network: StyleDenoiser,
        branches: Sequence[Branch],
        *,
        first: bool,
        real: Bool[Tensor, " frames"],
        threshold: tuple[float, float, float] | None,
        bound: float,
    ) -> None:
        self.network, self.threshold, self.bound = network, threshold, bound
        self.weights = [branch.weight for branch in branches]
        self.hears = torch.tensor([branch.hears for branch in branches])
        self.styles = torch.stack([network.no_style if b.style is None else b.style for b in branches])
        self.first = torch.full((len(branches),), first)
        self.real = real.expand(len(branches), -1)

    def embed(self, steps: Int[Tensor, " steps"]) -> Int[Tensor, " steps"]:
        """The diffusion steps as they are: the network needs their levels, too."""
        return steps

    def listen(self, speech: Float[Tensor, "1 frames features"]) -> Float[Tensor, "branches frames dim"]:
        """The speech as every branch hears it. The previous frames' is heard by all."""
        heard = self.network.listen(speech)
        previous = torch.arange(heard.shape[1]) < self.network.prefix
        return torch.where((self.hears[:, None] | previous)[..., None], heard, self.network.no_speech)

    def __call__(
        self,
        x_t: Float[Tensor, "1 frames columns"],
        step: Int[Tensor, " 1"],
        heard: Float[Tensor, "branches frames dim"],
        given: Bool[Tensor, "1 frames"],
        since: int = 0,
    ) -> Float[Tensor, "1 asked columns"]:
        """The guided estimate."""
        count = len(self.weights)
        estimates = self.network(
            x_t.expand(count, -1, -1), step.expand(count), heard, self.styles, first=self.first, real=self.real
        )
        if self.threshold is not None:
            estimates = dynamic_threshold(estimates, *self.threshold)
        return weighted_sum(estimates[:, since:].split(1), self.weights).clamp(-self.bound, self.bound)
