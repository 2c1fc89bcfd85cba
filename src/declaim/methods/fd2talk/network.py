"""The diffusion transformer that estimates clean motion from noisy motion and speech."""

from typing import NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from declaim.methods.fd2talk.config import DenoiserConfig
from declaim.nn.attention import Offer
from declaim.nn.embeddings import StepEmbedding, places
from declaim.nn.transformer import CrossBlock


class Heard(NamedTuple):
    """What a `MotionDenoiser` makes of speech before it knows the diffusion step.

    The condition is linear in both: tau(c) = W (speech, step) + b = (W_speech speech + b) + W_step step.

    Attributes:
        condition: the summand that speech alone decides.
        offers: keys and values of it, for every layer.
    """

    condition: Float[Tensor, "batch frames dim"]
    offers: tuple[Offer, ...]


class MotionDenoiser(nn.Module):
    """Estimates the clean motion x0 (section 3.2 of the paper).

    The condition c is the speech and the step's embedding side by side, projected to tau(c); every layer attends to
    it under the alignment mask. Frames of the prefix enter clean and are marked.

    Args:
        columns: motion columns.
        speech_dim: width of the speech features.
        band: k of the alignment mask; None for no mask.
        steps: steps of the diffusion process.
        config: sizes.
    """

    def __init__(self, columns: int, speech_dim: int, band: int | None, steps: int, config: DenoiserConfig) -> None:
        super().__init__()
        dim = config.dim
        self.absolute = config.reach == 0
        self.speech = config.speech_path(speech_dim, config.speech_layers)
        self.step = StepEmbedding(dim, steps)
        self.condition = nn.Linear(2 * dim, dim)
        self.enter = nn.Linear(columns + 1, dim)
        self.blocks = nn.ModuleList(
            CrossBlock(dim, config.heads, band, reach=config.reach, dropout=config.dropout)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.leave = nn.Linear(dim, columns)

    def embed(self, steps: Int[Tensor, " batch"]) -> Float[Tensor, "batch places dim"]:
        """The step's half of tau(c), and what it adds to what each layer gathers from the speech's half."""
        half = functional.linear(self.step(steps), self.condition.weight[:, self.step.dim :])
        return torch.stack(
            [half, *(cast("CrossBlock", block).cross_attention.shared(half) for block in self.blocks)], 1
        )

    def listen(self, speech: Float[Tensor, "batch frames features"]) -> Heard:
        """The speech's half of tau(c): it does not depend on the step, so a sampler makes it once."""
        spoken = functional.linear(self.speech(speech), self.condition.weight[:, : self.step.dim], self.condition.bias)
        return Heard(spoken, tuple(cast("CrossBlock", block).cross_attention.offer(spoken) for block in self.blocks))

    def forward(
        self,
        x_t: Float[Tensor, "batch frames columns"],
        step: Float[Tensor, "batch places dim"],
        heard: Heard,
        given: Bool[Tensor, "batch frames"],
        since: int = 0,
    ) -> Float[Tensor, "batch asked columns"]:
        """Estimate the clean motion.

        Args:
            x_t: noisy motion; clean where ``given``.
            step: what `embed` made of each sequence's diffusion step.
            heard: what `listen` made of the speech.
            given: True in the prefix.
            since: first frame whose estimate is asked for.
        """
        embedded, *added = step.unbind(1)
        x = self.enter(torch.cat([x_t, given[..., None].to(x_t.dtype)], -1))
        # Deviation: without absolute places the speech of the same frame is also added to the input; with minutes of
        # footage the network learns the lips sooner from it than through attention alone.
        x = x + (places(*x.shape[1:], x.device) if self.absolute else heard.condition + embedded[:, None])
        *before, last = zip(self.blocks, heard.offers, added, strict=True)
        for block, offer, more in before:
            x = block(x, offer, more)
        block, offer, more = last
        x = block(x, offer, more, since)
        estimate: Tensor = self.leave(self.norm(x))
        return estimate
