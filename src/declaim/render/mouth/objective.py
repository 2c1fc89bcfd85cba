"""What the mouth's network minimises: colours, and what a network of pictures sees in them."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Maps = Callable[[Tensor], Sequence[Tensor]]
"""Pictures (RGB, -1 to 1) as a network sees them: maps, every place's vector of the length root of its channels."""


def colour_loss(
    patches: Float[Tensor, "rows 3 side side"],
    targets: Float[Tensor, "rows 3 side side"],
    weights: Float[Tensor, "rows side side"],
) -> Float[Tensor, " rows"]:
    """Mean absolute difference of every row, weighted by place.

    Args:
        patches: what was drawn, 0 to 1.
        targets: what it should have been.
        weights: how much each place counts.
    """
    apart = (patches - targets).abs().mean(1)
    return (apart * weights).sum((1, 2)) / weights.sum((1, 2)).clamp(min=1e-6)


def perceptual_loss(
    patches: Float[Tensor, "rows 3 side side"], targets: Float[Tensor, "rows 3 side side"], maps: Maps
) -> Float[Tensor, " rows"]:
    """Mean absolute difference of what a network sees, averaged over its maps.

    Args:
        patches: what was drawn, 0 to 1.
        targets: what it should have been.
        maps: the network.
    """
    seen = maps(patches * 2 - 1)
    with torch.no_grad():
        true = maps(targets * 2 - 1)
    each = [(a - b).abs().mean((1, 2, 3)) for a, b in zip(seen, true, strict=True)]
    return torch.stack(each).mean(0)
