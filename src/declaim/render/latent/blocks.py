"""Blocks of the diffusion UNet: residual convolutions that know the step, and cross-attention to a condition."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from declaim.nn.embeddings import sinusoid


class StepResidual(nn.Module):
    """Two convolutions beside a straight way; the step scales and shifts what lies between them.

    Args:
        inputs: channels.
        width: channels of the result.
        step: width of the step's embedding.
        groups: of the group norms.
    """

    def __init__(self, inputs: int, width: int, step: int, groups: int) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.GroupNorm(groups, inputs), nn.GroupNorm(groups, width)
        self.first, self.second = (nn.Conv2d(n, width, 3, padding=1) for n in (inputs, width))
        self.modulation = nn.Linear(step, 2 * width)
        self.straight = nn.Conv2d(inputs, width, 1) if inputs != width else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(
        self, x: Float[Tensor, "batch inputs h w"], step: Float[Tensor, "batch step"]
    ) -> Float[Tensor, "batch width h w"]:
        """One block."""
        scale, shift = self.modulation(functional.silu(step))[:, :, None, None].chunk(2, dim=1)
        between = self.first(functional.silu(self.first_norm(x)))
        between = self.second_norm(between) * (1.0 + scale) + shift
        changed: Tensor = self.straight(x) + self.second(functional.silu(between))
        return changed


class CrossAttention(nn.Module):
    """Places of a picture gather what they ask for from the tokens of a condition.

    Args:
        width: channels of the picture.
        context: width of the tokens.
        heads: attention heads.
        groups: of the group norm.
        placed: whether a place's own position is part of its question.
    """

    def __init__(self, width: int, context: int, heads: int, groups: int, *, placed: bool) -> None:
        super().__init__()
        self.heads, self.placed = heads, placed
        self.norm, self.context_norm = nn.GroupNorm(groups, width), nn.LayerNorm(context)
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(context, 2 * width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, x: Float[Tensor, "batch width h w"], tokens: Float[Tensor, "#batch tokens context"]
    ) -> Float[Tensor, "batch width h w"]:
        """The picture with what it gathered."""
        batch, width, height, _ = x.shape
        places = self.norm(x).flatten(2).transpose(1, 2)
        if self.placed:
            places = places + place_code(height, width, x.device)
        q = self.query(places).view(batch, -1, self.heads, width // self.heads).transpose(1, 2)
        both = self.key_value(self.context_norm(tokens)).view(len(tokens), -1, 2, self.heads, width // self.heads)
        k, v = both.permute(2, 0, 3, 1, 4).expand(-1, batch, -1, -1, -1)
        gathered = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, -1, width)
        changed: Tensor = x + self.out(gathered).transpose(1, 2).view_as(x)
        return changed


def place_code(side: int, width: int, device: torch.device | None = None) -> Float[Tensor, "places width"]:
    """Sinusoids of the row and the column of every place of a square, which count from 0 to 64 at any ``side``.

    Paper: FD2Talk (MM 2024), section 3.3 (positional encoding); the sinusoids are ours
    """
    along = (torch.arange(side, device=device, dtype=torch.float32) + 0.5) * (64.0 / side)
    half = width // 2
    code = sinusoid(along, half + half % 2, longest=100.0)[:, :half]
    rows, columns = code[:, None].expand(side, side, half), code[None].expand(side, side, half)
    flat = torch.cat([rows, columns], -1).reshape(side * side, 2 * half)
    return functional.pad(flat, (0, width - 2 * half))
