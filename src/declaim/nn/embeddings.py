"""Sinusoidal embeddings of diffusion steps and of places in a sequence."""

import math
from functools import cache, lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def sinusoid(values: Float[Tensor, "*batch"], dim: int, longest: float = 10_000.0) -> Float[Tensor, "*batch dim"]:
    """Sines and cosines of ``values`` at ``dim / 2`` geometrically spaced frequencies.

    Paper: Attention is all you need (Vaswani et al. 2017), section 3.5.
    """
    angles = values[..., None] * _rates(dim // 2, longest, values.device)
    return torch.cat([angles.sin(), angles.cos()], -1)


@lru_cache(maxsize=32)
def places(frames: int, dim: int, device: torch.device | None = None) -> Float[Tensor, "frames dim"]:
    """The sinusoids of a sequence's places, kept: a sampler asks for the same ones again and again."""
    with torch.inference_mode(False):
        return sinusoid(torch.arange(frames, dtype=torch.float32, device=device), dim)


@cache
def _rates(count: int, longest: float, device: torch.device) -> Float[Tensor, " count"]:
    with torch.inference_mode(False):  # kept for training, too
        return torch.exp(-math.log(longest) * torch.arange(count, dtype=torch.float32, device=device) / count)


class StepEmbedding(nn.Module):
    """A diffusion step as a vector: sinusoid, then two layers.

    Args:
        dim: width of the result.
        steps: number of diffusion steps; steps are scaled to 0..1000 so that few-step models see the same range.
    """

    def __init__(self, dim: int, steps: int) -> None:
        super().__init__()
        self.scale = 1000.0 / steps
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.dim = dim

    def forward(self, step: Int[Tensor, " batch"]) -> Float[Tensor, "batch dim"]:
        """Embed the step of every sequence."""
        embedded: Tensor = self.layers(sinusoid(step.float() * self.scale, self.dim))
        return embedded
