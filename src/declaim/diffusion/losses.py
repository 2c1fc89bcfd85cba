"""Losses on the estimated clean signal: means over sequences of each one's own mean.

Weights do not depend on sizes, and equal slices of a batch average to the whole batch's loss.
"""

from jaxtyping import Bool, Float
from torch import Tensor


def masked_mean(
    values: Float[Tensor, "batch frames dim"], mask: Bool[Tensor, "batch frames"] | None
) -> Float[Tensor, ""]:
    """Mean over sequences of the mean over each one's frames where ``mask`` is True; 0 for those that have none."""
    if mask is None:
        return values.mean()
    frames = mask.sum(1).clamp(min=1).to(values.dtype)
    return ((values.mean(-1) * mask).sum(1) / frames).mean()


def x0_loss(
    x0: Float[Tensor, "batch frames dim"],
    estimate: Float[Tensor, "batch frames dim"],
    mask: Bool[Tensor, "batch frames"] | None = None,
    weight: Float[Tensor, " dim"] | None = None,
) -> Float[Tensor, ""]:
    """Squared error of the estimated clean signal.

    Paper: FD2Talk (MM 2024), eq. 3.
    """
    error = (x0 - estimate).square()
    return masked_mean(error if weight is None else error * weight, mask)


def velocity_loss(
    x0: Float[Tensor, "batch frames dim"],
    estimate: Float[Tensor, "batch frames dim"],
    mask: Bool[Tensor, "batch frames"] | None = None,
    weight: Float[Tensor, " dim"] | None = None,
) -> Float[Tensor, ""]:
    """Squared error of the frame-to-frame differences.

    Paper: MDM (Tevet et al. 2023), eq. 5.
    """
    both = None if mask is None else mask[:, 1:] & mask[:, :-1]
    return x0_loss(x0.diff(dim=1), estimate.diff(dim=1), both, weight)


def acceleration_loss(
    x0: Float[Tensor, "batch frames dim"],
    estimate: Float[Tensor, "batch frames dim"],
    mask: Bool[Tensor, "batch frames"] | None = None,
) -> Float[Tensor, ""]:
    """Squared error of the second differences over time: smoothness, and no kink where a window begins.

    Paper: DiffPoseTalk (Sun et al. 2024), smoothness losses.
    """
    both = None if mask is None else mask[:, 1:] & mask[:, :-1]
    return velocity_loss(x0.diff(dim=1), estimate.diff(dim=1), both)
