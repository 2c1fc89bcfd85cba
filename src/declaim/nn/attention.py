"""Attention over frames: the alignment mask and relative places."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


def alignment_mask(queries: int, keys: int, k: int, device: torch.device | None = None) -> Bool[Tensor, "queries keys"]:
    """True where query frame i may look at key frame j: ``|i - j| <= k``.

        k = 1   j 0 1 2 3
        i 0     [ x x . . ]
        i 1     [ x x x . ]
        i 2     [ . x x x ]
        i 3     [ . . x x ]

    Paper: FD2Talk (MM 2024), eq. 4.
    """
    places = torch.arange(max(queries, keys), device=device)
    return (places[:queries, None] - places[None, :keys]).abs() <= k


Offer = tuple[Float[Tensor, "batch heads frames size"], Float[Tensor, "batch heads frames size"]]
"""Keys and values of a context."""


class FrameAttention(nn.Module):
    """Multi-head attention of frames to a context of the same frames, or of the last ones of it.

    Args:
        dim: width.
        heads: attention heads.
        reach: frames to either side whose relative place has its own learnt bias for each head; places further away
            share the bias of the furthest. 0: no relative places.
        band: if given, the alignment mask's k.
    """

    def __init__(self, dim: int, heads: int, reach: int = 0, band: int | None = None) -> None:
        super().__init__()
        self.heads, self.reach, self.band = heads, reach, band
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        if reach:
            self.bias = nn.Parameter(torch.zeros(heads, 2 * reach + 1))
        self._kept: tuple[tuple[int, int, torch.device], Tensor | None] | None = None

    def mask(self, frames: int) -> Float[Tensor, "#heads frames frames"] | None:
        """What is added to the attention logits: minus infinity outside the band, the learnt bias inside.

        Without gradients the last one is kept: a sampler asks for the same one again and again.
        """
        if torch.is_grad_enabled():
            return self._make_mask(frames)
        version = self.bias._version if self.reach and not self.bias.is_inference() else 0
        state = (frames, version, self.query.weight.device)
        kept = self._kept  # read once: two takes may be sampled at the same time
        if kept is None or kept[0] != state:
            kept = self._kept = (state, self._make_mask(frames))
        return kept[1]

    def _make_mask(self, frames: int) -> Float[Tensor, "#heads frames frames"] | None:
        device = self.query.weight.device
        places = torch.arange(frames, device=device)
        distance = places[None, :] - places[:, None]
        barred = None
        if self.band is not None:
            allowed = alignment_mask(frames, frames, self.band, device)
            barred = torch.zeros(1, frames, frames, device=device).masked_fill(~allowed, -torch.inf)
        if not self.reach:
            return barred
        bias = self.bias[:, distance.clamp(-self.reach, self.reach) + self.reach]
        return bias if barred is None else bias + barred

    def offer(self, context: Float[Tensor, "batch frames dim"]) -> Offer:
        """Keys and values of a context: made once if many calls look at the same one."""
        batch, frames, _ = context.shape
        k, v = self.key_value(context).view(batch, frames, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        return k, v

    def shared(self, added: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """What every frame gathers more when ``added`` is added to every frame of the context.

        All logits of a frame rise by the same, which a softmax does not see; all values rise by the same, which weights
        that sum to one pass on.
        """
        return functional.linear(
            functional.linear(added, self.key_value.weight[len(self.out.weight) :]), self.out.weight
        )

    def forward(
        self, x: Float[Tensor, "batch asking dim"], context: Float[Tensor, "batch frames dim"] | Offer
    ) -> Float[Tensor, "batch asking dim"]:
        """Gather from ``context``, or from what it `offer`s, what the frames of ``x`` ask for: its last ones."""
        batch, asking, dim = x.shape
        q = self.query(x).view(batch, asking, self.heads, -1).transpose(1, 2)
        k, v = context if isinstance(context, tuple) else self.offer(context)
        mask = self.mask(k.shape[2])
        if mask is not None:
            mask = mask[None, :, -asking:]
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        projected: Tensor = self.out(attended.transpose(1, 2).reshape(batch, asking, dim))
        return projected
