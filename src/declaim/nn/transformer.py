"""The transformer block of the motion denoisers."""

from jaxtyping import Float
from torch import Tensor, nn

from declaim.nn.attention import FrameAttention, Offer


class CrossBlock(nn.Module):
    """Pre-norm block: self-attention over frames, cross-attention to an aligned context, a feed-forward network.

    Args:
        dim: width.
        heads: attention heads.
        band: the alignment mask's k for the cross-attention; None for no mask.
        reach: see `FrameAttention`; used by both attentions.
        expansion: width of the feed-forward network in units of ``dim``.
        dropout: share of each branch's output that is dropped in training.
    """

    def __init__(
        self, dim: int, heads: int, band: int | None, *, reach: int, expansion: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.self_norm, self.cross_norm, self.mlp_norm = (nn.LayerNorm(dim) for _ in range(3))
        self.self_attention = FrameAttention(dim, heads, reach)
        self.cross_attention = FrameAttention(dim, heads, reach, band)
        self.mlp = nn.Sequential(nn.Linear(dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch frames dim"],
        context: Float[Tensor, "batch frames dim"] | Offer,
        added: Float[Tensor, "batch dim"] | None = None,
        since: int = 0,
    ) -> Float[Tensor, "batch asked dim"]:
        """Update the frames from each other, from the context, and each on its own.

        Args:
            x: the frames.
            context: what the cross-attention looks at, or what that makes of it (`FrameAttention.offer`).
            added: what every frame gathers more from the context (`FrameAttention.shared`).
            since: first frame that is asked for; the ones before are only looked at.
        """
        normed = self.self_norm(x)
        x = x[:, since:] + self.dropout(self.self_attention(normed[:, since:], normed))
        gathered = self.cross_attention(self.cross_norm(x), context)
        if added is not None:
            gathered = gathered + added[:, None]
        x = x + self.dropout(gathered)
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


class ConvBlock(nn.Module):
    """Pre-norm residual temporal convolution with GELU.

    Args:
        dim: width.
        kernel: frames, odd.
        dropout: share of the output that is dropped in training.
    """

    def __init__(self, dim: int, kernel: int = 7, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.conv = nn.Conv1d(dim, dim, kernel, padding=kernel // 2)
        self.layers = nn.Sequential(nn.GELU(), nn.Dropout(dropout))

    def forward(self, x: Float[Tensor, "batch frames dim"]) -> Float[Tensor, "batch frames dim"]:
        """Add to every frame what the convolution makes of its neighbourhood."""
        mixed: Tensor = self.layers(self.conv(self.norm(x).transpose(1, 2)).transpose(1, 2))
        return x + mixed
