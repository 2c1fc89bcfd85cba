"""How far two sets of numbers go together over the frames of a batch."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def mean_squared_correlation(
    one: Float[Tensor, "batch frames columns"],
    other: Float[Tensor, "batch frames others"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Mean over all pairs of columns of their squared Pearson correlation, 0 (uncorrelated) .. 1 (copies).

    Args:
        one: numbers of every frame.
        other: further numbers of the same frames.
        mask: frames that count.
    """
    weight = mask.to(one.dtype)[..., None]
    count = weight.sum().clamp(min=2.0)
    sides = []
    for values in (one, other):
        centred = (values - (values * weight).sum((0, 1)) / count) * weight
        sides.append(centred / (centred.square().sum((0, 1)) / count + 1e-6).sqrt())
    correlation = torch.einsum("bfc,bfe->ce", *sides) / count
    return correlation.square().mean()
